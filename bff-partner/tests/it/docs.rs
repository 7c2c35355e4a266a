//! The page for partners' developers.

use bff_partner::problem_kinds;

use crate::harness::Stage;

/// Shows: P8
#[actix_web::test]
async fn the_page_lists_every_code_and_every_plan() {
    let stage = Stage::new().await;
    let page = stage.service.get("/docs").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let text = page.text();
    for kind in problem_kinds() {
        assert!(text.contains(&format!("id=\"{}\"", kind.code)), "{} is not on the page", kind.code);
    }
    for plan in [
        ["free", "20 in 1 s, 10 at once", "300 in 60 s, 60 at once", "10", "10000", "200000", "2"],
        ["silver", "50 in 1 s, 25 at once", "1500 in 60 s, 300 at once", "25", "200000", "4000000", "5"],
        ["gold", "200 in 1 s, 100 at once", "6000 in 60 s, 1000 at once", "100", "any number", "any number", "20"],
    ] {
        let row = format!("<tr><td>{}</td></tr>", plan.join("</td><td>"));
        assert!(text.contains(&row), "{row}");
    }
    assert!(text.contains("href=\"/v1/openapi.json\""), "the contract is linked");
    for left in ["{style}", "{plans}", "{codes}", "{origin}", "{samples}", "<script"] {
        assert!(!text.contains(left), "{left}");
    }
}

#[actix_web::test]
async fn the_page_runs_nothing_and_loads_nothing() {
    let stage = Stage::new().await;
    let page = stage.service.get("/docs").await;
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    for loading in ["src=", "href=\"http", "@import", "url(", "style="] {
        assert!(!page.text().contains(loading), "{loading}");
    }
}
