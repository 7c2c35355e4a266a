//! The order that a client wants to place.

use serde::Deserialize;
use serde_json::Value;
use shared_lib::problem::Problem;
use utoipa::ToSchema;

use crate::{
    body::{BodyReader, is_product_id},
    services::orders::{NewOrder, NewOrderLine},
};

const MAX_LINES: usize = 50;
const MAX_QUANTITY: u32 = 999;

/// What to order; for the document.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrder)]
#[allow(dead_code, reason = "only its description is used")]
pub struct NewOrderView {
    /// One entry a product.
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<NewOrderLineView>,
}

/// A product to order; for the document.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = NewOrderLine)]
#[allow(dead_code, reason = "only its description is used")]
pub struct NewOrderLineView {
    /// The product.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    product_id: String,
    /// How many of it.
    #[schema(minimum = 1, maximum = 999)]
    quantity: u32,
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
