//! Pages that a server renders.

use actix_web::http::header::{ACCEPT_LANGUAGE, COOKIE};
use futures_util::future::join_all;
use shared_lib::testing::{Answer, FakeDownstream, Received};
use tempfile::TempDir;

use super::{application, get, nonce, serving};
use crate::harness::World;

/// A page as a renderer makes it, with the nonce that it was told on its own script, and with what a stranger put in.
fn rendered() -> FakeDownstream {
    FakeDownstream::scripted(|request| {
        let nonce = request.header("x-csp-nonce").unwrap_or("none");
        let html =
            format!("<h1>{}</h1><script nonce=\"{nonce}\">ours()</script><script>strangers()</script>", request.path);
        Answer::status(200).body("text/html; charset=utf-8", html)
    })
}

async fn rendering(folder: &TempDir, renderer: &FakeDownstream, variables: &[(&str, &str)]) -> World {
    let url = renderer.url();
    let mut all = vec![("BFF_WEB__SPA__RENDER", "renderer"), ("BFF_WEB__DOWNSTREAMS__RENDERER__URLS", url.as_str())];
    all.extend(variables);
    serving(folder, &all).await
}

async fn page(world: &World, path: &str) -> Received {
    get(world, path, &[(actix_web::http::header::ACCEPT, "text/html")]).await
}

fn is_plain(answer: &Received) -> bool {
    answer.text().contains("<app-root")
}

/// Shows: W15
#[actix_web::test]
async fn a_rendered_page_runs_what_the_renderer_vouches_for_and_nothing_else() {
    let (folder, renderer) = (application(), rendered());
    let world = rendering(&folder, &renderer, &[]).await;
    let first = page(&world, "/products/17?tab=a%20b").await;
    assert_eq!((first.status.as_u16(), first.header("cache-control")), (200, Some("no-store")));
    let nonces = nonce(&first);
    assert_eq!(
        first.text(),
        format!("<h1>/products/17</h1><script nonce=\"{nonces}\">ours()</script><script>strangers()</script>")
    );
    let told = renderer.seen()[0].header("x-csp-nonce").expect("it is told one").to_owned();
    assert_ne!(told, nonces, "what the renderer is told is never seen outside");
    let again = page(&world, "/products/17?tab=a%20b").await;
    assert_ne!(nonce(&again), nonces, "a page that is given again has a nonce of its own");
    assert!(again.text().contains(&nonce(&again)) && !again.text().contains(&told));
    assert_eq!(renderer.seen()[0].query, "tab=a+b");
}

#[actix_web::test]
async fn a_page_is_rendered_once_for_all_who_ask_at_the_same_time() {
    let (folder, renderer) = (application(), rendered());
    let world = rendering(&folder, &renderer, &[("BFF_WEB__SPA__RENDER_FRESH_MS", "60000")]).await;
    let held = renderer.hold();
    let asking = join_all((0..20).map(|_| page(&world, "/products")));
    let releasing = async {
        renderer.arrived(1).await;
        held.release();
    };
    let (answers, ()) = futures_util::join!(asking, releasing);
    assert!(answers.iter().all(|answer| answer.text().contains("<h1>/products</h1>")));
    assert_eq!(renderer.calls(), 1);
    // Who speaks another language gets a page of their own.
    get(&world, "/products", &[(actix_web::http::header::ACCEPT, "text/html"), (ACCEPT_LANGUAGE, "de")]).await;
    assert_eq!(renderer.calls(), 2);
    assert_eq!(renderer.seen()[1].header("accept-language"), Some("de"));
}

/// Shows: W5
#[actix_web::test]
async fn no_cookie_goes_to_the_renderer_and_who_is_signed_in_gets_the_plain_page() {
    let (folder, renderer) = (application(), rendered());
    let world = rendering(&folder, &renderer, &[]).await;
    let mut alice = world.signed_in("alice").await;
    let before = renderer.calls();
    assert!(is_plain(&alice.navigate("/orders").await.answer));
    assert_eq!(renderer.calls(), before, "nothing is rendered for her");
    // A cookie of a session that there is not makes nobody known.
    let stranger = get(
        &world,
        "/products",
        &[(actix_web::http::header::ACCEPT, "text/html"), (COOKIE, "trifront-session=made-up; theme=dark")],
    )
    .await;
    assert!(!is_plain(&stranger));
    for request in renderer.seen() {
        assert_eq!((request.header("cookie"), request.header("authorization")), (None, None));
    }
}

#[actix_web::test]
async fn while_the_renderer_fails_or_dawdles_the_browser_renders() {
    let (folder, renderer) = (application(), rendered());
    let impatient = [
        ("BFF_WEB__DOWNSTREAMS__RENDERER__TIMEOUT_MS", "300"),
        ("BFF_WEB__DOWNSTREAMS__RENDERER__RETRY__MAX_ATTEMPTS", "1"),
    ];
    let world = rendering(&folder, &renderer, &impatient).await;
    for (number, answer) in [
        Answer::status(500),
        Answer::status(302).header("location", "https://evil.example/"),
        Answer::json(&"no page"),
        Answer::status(200).body("text/html", vec![0xff_u8, 0xfe]),
        Answer::status(200).body("text/html", vec![b'x'; 4 << 20]),
        Answer::status(200).body("text/html", "breaks off").breaking_off(),
    ]
    .into_iter()
    .enumerate()
    {
        renderer.push(answer);
        let answer = page(&world, &format!("/page-{number}")).await;
        assert!(is_plain(&answer) && answer.status == 200, "{number}: {}", answer.text());
        assert!(answer.text().contains(&format!("nonce=\"{}\"", nonce(&answer))), "{number}");
    }
    renderer.push(Answer::status(404).body("text/html", "nothing here"));
    let missing = page(&world, "/nothing").await;
    assert!(is_plain(&missing) && missing.status == 404, "the application says it in its own words");

    let held = renderer.hold();
    assert!(is_plain(&page(&world, "/slow").await), "the page comes while the renderer has not answered");
    held.release();
    renderer.stop().await;
    assert!(is_plain(&page(&world, "/gone").await));
}

#[actix_web::test]
async fn only_pages_of_the_configured_paths_are_rendered_and_files_never() {
    let (folder, renderer) = (application(), rendered());
    let world = rendering(&folder, &renderer, &[("BFF_WEB__SPA__RENDER_PATHS", "/products,/about")]).await;
    assert!(is_plain(&page(&world, "/account").await));
    for path in ["/main-5HXNRHVT.js", "/products/gone-5HXNRHVT.js", "/api/products"] {
        page(&world, path).await;
    }
    assert!(is_plain(&page(&world, &format!("/products?q={}", "x".repeat(4_000))).await));
    assert_eq!(renderer.calls(), 0);
    assert!(!is_plain(&page(&world, "/products/1").await));
}
