//! Chats with a support service that is reached over TLS.

use crate::{
    chat::Chat,
    harness::{World, authority::Authority, support_service::SupportService, urls_of},
};

const CA_FILE: &str = "BFF_WEB__DOWNSTREAMS__SUPPORT__TLS__CA_FILE";

async fn world(service: &SupportService, host: &str, ca_file: Option<&Authority>) -> World {
    let (name, url) = (urls_of("support"), service.url().replace("127.0.0.1", host));
    let ca_file = ca_file.map(|authority| authority.ca_file().to_string_lossy().into_owned());
    let mut variables = vec![(name.as_str(), url.as_str())];
    variables.extend(ca_file.as_deref().map(|path| (CA_FILE, path)));
    World::start_with(&variables).await
}

/// Shows: W18
#[actix_web::test]
async fn a_chat_is_bridged_over_tls_to_a_service_whose_authority_was_named() {
    let authority = Authority::for_server("localhost");
    let service = SupportService::start_over_tls(authority.server());
    let world = world(&service, "localhost", Some(&authority)).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say("over TLS").await;
    assert_eq!(chat.text().await, "over TLS");
    assert!(service.authorizations()[0].starts_with("Bearer ey"), "the user's token is relayed");
    chat.say("close 3999 that is all").await;
    assert_eq!(chat.closed().await, (3999, "that is all".to_owned()));
}

/// Shows: W18
#[actix_web::test]
async fn a_service_that_cannot_show_who_it_is_gets_neither_a_chat_nor_a_token() {
    let authority = Authority::for_server("localhost");
    let service = SupportService::start_over_tls(authority.server());
    let other = Authority::for_server("localhost");
    for (what, host, ca_file) in [
        ("the public authorities do not know it", "localhost", None),
        ("another authority does not know it", "localhost", Some(&other)),
        ("its certificate is for another name", "127.0.0.1", Some(&authority)),
    ] {
        let world = world(&service, host, ca_file).await;
        let alice = world.signed_in("alice").await;
        let closed = Chat::open(&alice).await.closed().await;
        assert_eq!(closed, (1013, "support-unavailable".to_owned()), "{what}");
    }
    assert_eq!(service.authorizations(), [""; 0], "it was shown no token");
}
