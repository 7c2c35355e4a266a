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
    for plan in ["free", "silver", "gold", "20 in 1 s, 10 at once"] {
        assert!(text.contains(plan), "{plan}");
    }
    for left in ["{style}", "{plans}", "{codes}", "<script"] {
        assert!(!text.contains(left), "{left}");
    }
}

#[actix_web::test]
async fn the_page_runs_nothing_and_loads_nothing() {
    let stage = Stage::new().await;
    let page = stage.service.get("/docs").await;
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!page.text().contains("http://"));
}
