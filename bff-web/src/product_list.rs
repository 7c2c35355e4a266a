//! A page of products as the screens that show one share it: what may be asked for, how the catalog is asked, and what a
//! product looks like.

use jiff::Timestamp;
use serde::Serialize;
use shared_lib::{
    context::RequestContext,
    downstream::{DownstreamError, Fetched},
    pagination::{FromQuery, PageRequest, PageResponse, PageSpec, QueryReader, UnknownSort},
    problem::FieldError,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    money::{self, Money},
    services::catalog::{Catalog, Product, ProductSearch},
};

/// What the list allows.
pub const SPEC: PageSpec = PageSpec {
    default_size: 20,
    sorts: &["name,asc", "name,desc", "price,asc", "price,desc", "createdAt,desc"],
    unknown_sort: UnknownSort::Refuse,
};

/// The same, as version 1 was published: an order that is not known means the default.
const LENIENT_SPEC: PageSpec = PageSpec { unknown_sort: UnknownSort::UseDefault, ..SPEC };

/// The longest id of a category, in bytes.
const MAX_CATEGORY_BYTES: usize = 64;

/// What a client asks for, checked.
#[derive(Debug, Clone)]
pub struct ProductsParams {
    page: PageRequest,
    category: Option<String>,
    min_price: Option<u64>,
    max_price: Option<u64>,
}

/// The filters of the list, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its description is used")]
pub struct ProductFilters {
    /// Only products of this category and those below it.
    #[param(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    category: Option<String>,
    /// Only products that cost at least this much, such as `12.50`.
    #[param(rename = "minPrice", pattern = r"^[0-9]{1,12}(\.[0-9]{1,2})?$")]
    min_price: Option<String>,
    /// Only products that cost at most this much, such as `99`.
    #[param(rename = "maxPrice", pattern = r"^[0-9]{1,12}(\.[0-9]{1,2})?$")]
    max_price: Option<String>,
}

/// A product in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ListedProduct)]
pub struct ProductView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The category that it is in.
    pub category_id: String,
    /// What it costs.
    pub price: Money,
    /// When it came into the catalog.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The mean of its ratings, 0 to 5.
    pub rating: f64,
    /// Whether it can be had now.
    pub in_stock: bool,
    /// The path of its picture.
    pub image_path: String,
}

/// Asks the catalog for the page.
///
/// # Errors
/// Any [`DownstreamError`].
pub async fn fetch(
    catalog: &Catalog,
    ctx: &RequestContext,
    params: &ProductsParams,
) -> Result<Fetched<PageResponse<ProductView>>, DownstreamError> {
    let list = catalog.products(ctx, &params.search()).await?;
    Ok(list.map(|list| {
        let content = list.items.into_iter().map(ProductView::from).collect();
        PageResponse::new(content, &params.page, list.total)
    }))
}

impl ProductsParams {
    /// The same in the catalog's words.
    fn search(&self) -> ProductSearch {
        let order_by = match (self.page.sort.field, self.page.sort.direction.as_str()) {
            ("name", "desc") => "name:desc",
            ("price", "asc") => "price:asc",
            ("price", _) => "price:desc",
            ("createdAt", _) => "created_at:desc",
            _ => "name:asc",
        };
        ProductSearch {
            offset: self.page.offset(),
            limit: self.page.size,
            order_by,
            q: self.page.search.clone(),
            category: self.category.clone(),
            price_min: self.min_price,
            price_max: self.max_price,
        }
    }
}

impl FromQuery for ProductsParams {
    fn from_query(query: &mut QueryReader<'_>) -> Self {
        Self::read(query, &SPEC)
    }
}

impl ProductsParams {
    /// As version 1 reads them: a `sort` that is not known means the default.
    pub fn lenient(query: &mut QueryReader<'_>) -> Self {
        Self::read(query, &LENIENT_SPEC)
    }

    fn read(query: &mut QueryReader<'_>, spec: &PageSpec) -> Self {
        let page = query.page(spec);
        let category = query.text("category");
        if category.as_deref().is_some_and(|id| !is_category_id(id)) {
            query.reject(FieldError::query("category", "must be the id of a category"));
        }
        let (min_price, max_price) = (price(query, "minPrice"), price(query, "maxPrice"));
        if min_price.zip(max_price).is_some_and(|(min, max)| min > max) {
            query.reject(FieldError::query("minPrice", "must not be above maxPrice"));
        }
        Self { page, category, min_price, max_price }
    }
}

fn is_category_id(id: &str) -> bool {
    (1..=MAX_CATEGORY_BYTES).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn price(query: &mut QueryReader<'_>, name: &'static str) -> Option<u64> {
    let text = query.text(name)?;
    let minor = money::parse_minor(&text);
    if minor.is_none() {
        query.reject(FieldError::query(name, "must be an amount such as 12 or 12.50"));
    }
    minor
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        Self {
            id: product.sku,
            name: product.title,
            description: product.description,
            category_id: product.category_id,
            price: Money::from_minor(product.price.amount_minor, product.price.currency),
            created_at: product.created_at,
            rating: product.rating,
            in_stock: product.stock_level > 0,
            image_path: product.image_path,
        }
    }
}
