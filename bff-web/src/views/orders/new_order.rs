//! The order that a client wants to place, and the key that makes its repetitions one.

use actix_web::http::{
    StatusCode,
    header::{HeaderMap, HeaderName},
};
use serde_json::Value;
use shared_lib::problem::{FieldError, Problem, ProblemKind};
use utoipa::ToSchema;

use crate::{
    body::{BodyReader, is_product_id},
    services::orders::{NewOrder, NewOrderLine},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY_BYTES: usize = 255;
const MAX_LINES: usize = 50;
const MAX_QUANTITY: u32 = 999;

/// Bad request: the Idempotency-Key is missing.
pub static IDEMPOTENCY_KEY_REQUIRED: ProblemKind = ProblemKind {
    code: "idempotency-key-required",
    status: StatusCode::BAD_REQUEST,
    title: "The Idempotency-Key is missing",
    remedy: "Send a new key with each order, and the same one with each repetition of it.",
};

/// What to order; for the document.
#[derive(ToSchema)]
#[schema(as = NewOrder)]
#[allow(dead_code, reason = "only its description is used")]
pub struct NewOrderView {
    /// One entry a product.
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewOrderLineView>,
}

/// A product to order; for the document.
#[derive(ToSchema)]
#[schema(as = NewOrderLine, rename_all = "camelCase")]
#[allow(dead_code, reason = "only its description is used")]
pub struct NewOrderLineView {
    /// The product.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    product_id: String,
    /// How many of it.
    #[schema(minimum = 1, maximum = 999)]
    quantity: u32,
}

/// The key, with or without the quotes of a structured field: both forms are the same key.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY);
    let Some(value) = given.next() else { return Err(Problem::new(&IDEMPOTENCY_KEY_REQUIRED)) };
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if given.next().is_none() && (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(is_allowed) {
        Ok(key.to_owned())
    } else {
        let detail = format!("must be one text of 1 to {MAX_KEY_BYTES} printable characters without quotes and spaces");
        Err(Problem::validation(&[FieldError::header("Idempotency-Key", detail)]))
    }
}

/// The order, or every fault of the body.
pub(super) fn read(body: &Value) -> Result<NewOrder, Problem> {
    let mut reader = BodyReader::default();
    let mut lines = Vec::new();
    if let Some(order) = reader.object(body, "", &["lines"]) {
        for (index, line) in reader.array(order, "", "lines", 1..=MAX_LINES).iter().enumerate() {
            let pointer = format!("/lines/{index}");
            let Some(line) = reader.object(line, &pointer, &["productId", "quantity"]) else { continue };
            lines.push(NewOrderLine {
                sku: reader.text(line, &pointer, "productId", "the id of a product", is_product_id),
                quantity: reader.number(line, &pointer, "quantity", 1..=MAX_QUANTITY),
            });
        }
    }
    reader.finish().map(|()| NewOrder { lines })
}
