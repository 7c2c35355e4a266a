//! Chats that outlive the access token that they were opened with.

use std::time::Duration;

use sandbox::{Sandbox, chaos::Rule, provider::ProviderSettings};
use shared_lib::testing::eventually;

use crate::{
    chat::Chat,
    harness::{PATIENCE, World, support_service::SupportService, urls_of},
};

/// Shows: W18, W11
#[actix_web::test]
async fn a_chat_goes_on_while_the_provider_is_away_and_ends_when_it_refuses_another_token() {
    let provider = ProviderSettings { access_token_lifetime: Duration::from_secs(2), ..ProviderSettings::default() };
    let sandbox = Sandbox::builder().provider(provider).start().await.expect("the sandbox starts");
    let service = SupportService::start();
    let world = World::in_front_of(sandbox, &[(&urls_of("support"), &service.url())]).await;
    let alice = world.signed_in("alice").await;
    let mut chat = Chat::open(&alice).await;
    chat.say("with a token that is good").await;
    assert_eq!(chat.text().await, "with a token that is good");

    world.disturb("provider", Rule::status(429).on("/token").header("retry-after", "1"));
    let ended = eventually(PATIENCE, || {
        let mut alice = alice.clone();
        async move { alice.get("/api/v2/dashboard").await.status.is_server_error() }
    });
    assert!(ended.await, "the token has ended, and another one cannot be had");
    chat.say("and without").await;
    assert_eq!(chat.text().await, "and without");

    assert_eq!(world.sandbox.provider().revoke_grants("usr_alice"), 1);
    world.sandbox.chaos().clear();
    assert_eq!(chat.closed().await, (4001, "refresh-refused".to_owned()));
}
