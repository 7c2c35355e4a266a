//! Bytes on the wire are part of the contract: a screen that grows past its budget fails here.
//!
//! `docs/MOBILE.md` has the numbers; `cargo test -p bff-mobile --test it payload -- --nocapture` prints them.

use awc::http::header::ACCEPT_ENCODING;
use shared_lib::testing::receive;

use crate::harness::Stage;

/// Path, and the most bytes in no coding and in brotli.
const BUDGETS: [(&str, usize, usize); 4] = [
    ("/v1/home", 800, 380),
    ("/v1/products?size=20", 3_000, 560),
    ("/v1/products?size=20&fields=id,name,price", 2_150, 450),
    ("/v1/orders?size=20", 3_100, 800),
];

/// Shows: M5, M6
#[actix_web::test]
async fn no_screen_is_larger_than_its_budget() {
    let stage = Stage::new().await;
    for (path, raw, brotli) in BUDGETS {
        let size = async |codings: &str| {
            let request = stage.service.client().get(stage.service.url(path)).no_decompress();
            let request =
                request.bearer_auth(stage.token("alice")).insert_header((ACCEPT_ENCODING, codings.to_owned()));
            let answer = receive(request.send()).await;
            assert_eq!(answer.status, 200, "{path}");
            answer.body.len()
        };
        let (plain, br, zstd, gzip) =
            (size("identity").await, size("br").await, size("zstd").await, size("gzip").await);
        eprintln!("{path}: {plain} bytes, br {br}, zstd {zstd}, gzip {gzip}");
        assert!(plain <= raw, "{path}: {plain} bytes for a budget of {raw}");
        assert!(br <= brotli, "{path}: {br} bytes in brotli for a budget of {brotli}");
    }
}
