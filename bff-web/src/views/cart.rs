//! The cart of the signed-in user: read, and replaced as a whole by whoever has seen the last version.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{
        StatusCode,
        header::{HeaderMap, IF_MATCH},
    },
    put, web,
};
use serde::Serialize;
use serde_json::Value;
use shared_lib::{
    conditional::EntityTag,
    context::RequestContext,
    downstream::DownstreamError,
    problem::{FieldError, Problem, ProblemKind, ProblemView},
};
use utoipa::ToSchema;

use crate::{
    answer::Answers,
    body::{BodyReader, is_product_id},
    services::{
        Services,
        cart::{Cart, CartItem},
    },
};

const MAX_ITEMS: usize = 100;
const MAX_QUANTITY: u32 = 999;

/// Precondition required: If-Match is missing.
pub static VERSION_REQUIRED: ProblemKind = ProblemKind {
    code: "version-required",
    status: StatusCode::PRECONDITION_REQUIRED,
    title: "If-Match is missing",
    remedy: "Send the ETag of the cart that you have seen in `If-Match`.",
};

/// Precondition failed: the cart has another version by now.
pub static VERSION_CHANGED: ProblemKind = ProblemKind {
    code: "version-changed",
    status: StatusCode::PRECONDITION_FAILED,
    title: "The cart has another version by now",
    remedy: "Read the cart again and decide anew; nothing was changed.",
};

/// Unprocessable content: the cart was not taken.
pub static CART_REFUSED: ProblemKind = ProblemKind {
    code: "cart-refused",
    status: StatusCode::UNPROCESSABLE_ENTITY,
    title: "The cart was not taken",
    remedy: "Correct every field listed in `errors`; nothing was changed.",
};

/// A cart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartView {
    /// What is in it.
    pub items: Vec<CartItemView>,
    /// Grows by one with each change.
    pub version: u64,
}

/// A product in a cart.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CartItem)]
pub struct CartItemView {
    /// The product.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub product_id: String,
    /// How many of it.
    #[schema(minimum = 1, maximum = 999)]
    pub quantity: u32,
}

/// What the cart shall have in it; for the document.
#[derive(ToSchema)]
#[schema(as = NewCart)]
#[allow(dead_code, reason = "only its description is used")]
pub struct NewCartView {
    /// Everything that shall be in it.
    #[schema(max_items = 100)]
    items: Vec<CartItemView>,
}

/// The user's cart
#[utoipa::path(
    tag = "screens",
    responses(
        (status = 200, description = "The cart; its ETag is what `If-Match` takes", body = CartView),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The carts failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The carts are away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The carts took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[get("/cart")]
pub async fn get_cart(
    ctx: RequestContext,
    services: web::Data<Services>,
    answers: web::Data<Answers>,
) -> Result<HttpResponse, Problem> {
    let cart = services.carts.show(&ctx).await?.value;
    let tag = EntityTag::of_version(cart.version, &ctx.require_caller()?.subject);
    answers.private_version(&CartView::from(cart), &tag)
}

/// Replace the user's cart
///
/// The whole cart is replaced, if it still is the version that `If-Match` names.
#[utoipa::path(
    tag = "screens",
    params(("If-Match" = String, Header, description = "The ETag of the cart that is replaced, or `*`")),
    request_body = NewCartView,
    responses(
        (status = 200, description = "The cart as it is now", body = CartView),
        (status = 400, description = "A field is wrong", body = ProblemView, content_type = "application/problem+json"),
        (status = 401, description = "Nobody is signed in", body = ProblemView, content_type = "application/problem+json"),
        (status = 403, description = "The request does not show that our own page made it", body = ProblemView, content_type = "application/problem+json"),
        (status = 412, description = "The cart has another version by now", body = ProblemView, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemView, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = ProblemView, content_type = "application/problem+json"),
        (status = 422, description = "A product is not known", body = ProblemView, content_type = "application/problem+json"),
        (status = 428, description = "If-Match is missing", body = ProblemView, content_type = "application/problem+json"),
        (status = 502, description = "The carts failed", body = ProblemView, content_type = "application/problem+json"),
        (status = 503, description = "The carts are away", body = ProblemView, content_type = "application/problem+json"),
        (status = 504, description = "The carts took too long", body = ProblemView, content_type = "application/problem+json"),
    )
)]
#[put("/cart")]
pub async fn replace_cart(
    ctx: RequestContext,
    request: HttpRequest,
    services: web::Data<Services>,
    body: web::Json<Value>,
) -> Result<HttpResponse, Problem> {
    let owner = &ctx.require_caller()?.subject;
    let if_match = if_match(request.headers(), owner)?;
    let items = read(&body)?;
    let cart = services.carts.replace(&ctx, &items, &if_match).await.map_err(refused)?;
    let mut response = HttpResponse::Ok();
    if let Ok(tag) = EntityTag::of_version(cart.version, owner).header_value() {
        response.insert_header((actix_web::http::header::ETAG, tag));
    }
    Ok(response.json(CartView::from(cart)))
}

/// What the cart service compares with: `*`, or the version that the tag names. A list of tags or a weak one cannot be the
/// version that somebody has seen.
fn if_match(headers: &HeaderMap, owner: &str) -> Result<String, Problem> {
    let mut given = headers.get_all(IF_MATCH);
    let Some(value) = given.next() else { return Err(Problem::new(&VERSION_REQUIRED)) };
    let text = value.to_str().unwrap_or_default().trim();
    if given.next().is_none() {
        if text == "*" {
            return Ok(text.to_owned());
        }
        if let Some(tag) = EntityTag::parse(text).filter(|_| !text.starts_with("W/") && !text.contains(',')) {
            // A tag that was never given to this user is that of no version of theirs.
            let version = tag.version_of(owner).ok_or_else(|| Problem::new(&VERSION_CHANGED))?;
            return Ok(format!("\"{version}\""));
        }
    }
    Err(Problem::validation(&[FieldError::header("If-Match", "must be the ETag of the cart, or *")]))
}

fn read(body: &Value) -> Result<Vec<CartItem>, Problem> {
    let mut reader = BodyReader::default();
    let mut items = Vec::new();
    // A client may send the cart back as it got it; the version that counts is in If-Match.
    if let Some(cart) = reader.object(body, "", &["items", "version"]) {
        for (index, item) in reader.array(cart, "", "items", 0..=MAX_ITEMS).iter().enumerate() {
            let pointer = format!("/items/{index}");
            let Some(item) = reader.object(item, &pointer, &["productId", "quantity"]) else { continue };
            items.push(CartItem {
                sku: reader.text(item, &pointer, "productId", "the id of a product", is_product_id),
                qty: reader.number(item, &pointer, "quantity", 1..=MAX_QUANTITY),
            });
        }
    }
    reader.finish().map(|()| items)
}

fn refused(error: DownstreamError) -> Problem {
    match error.status() {
        Some(StatusCode::PRECONDITION_FAILED) => Problem::new(&VERSION_CHANGED).caused_by(error),
        Some(StatusCode::UNPROCESSABLE_ENTITY) => {
            let wrong = FieldError::body("/items", "names a product that is not known");
            Problem::new(&CART_REFUSED).extension("errors", [wrong]).caused_by(error)
        }
        _ => error.into(),
    }
}

impl From<Cart> for CartView {
    fn from(cart: Cart) -> Self {
        let items = cart.items.into_iter().map(|item| CartItemView { product_id: item.sku, quantity: item.qty });
        Self { items: items.collect(), version: cart.version }
    }
}
