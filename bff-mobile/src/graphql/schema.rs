//! The graph: what can be asked for and done. Each field asks for the scopes that the route of the same data asks for.
//!
//! A field that may be missing has the type `Option<Result<_>>`, because the engine makes null only of a failure that is
//! inside an `Option`. One that fails outside of it takes the whole answer with it; see `answer`.

use async_graphql::{Context, EmptySubscription, Object, Result, Schema};
use shared_lib::{
    idempotency::IdempotencyKey,
    pagination::{Direction, MAX_PAGE_SIZE, MAX_SEARCH_CHARS, PageRequest, Sort},
    problem::{FieldError, Problem, kinds},
};

use super::{
    asker::Asker,
    complexity::ComplexityLimit,
    problems::field_error,
    scalars::Long,
    types::{
        Money, NewLine, Notification, Order, OrderOrder, OrderPage, Product, ProductOrder, ProductPage, Promotion, User,
    },
};
use crate::{
    auth::scopes,
    services::{
        catalog::is_category,
        orders::{self, Line, check_lines},
    },
};

/// The schema.
pub type MobileSchema = Schema<Query, Mutation, EmptySubscription>;

/// The page of a list that says no size.
const DEFAULT_SIZE: u32 = 20;
/// The longest id of a notification, in bytes.
const MAX_ID_BYTES: usize = 128;

/// What can be asked for.
pub struct Query;

/// What can be done.
pub struct Mutation;

/// The schema, with or without introspection, for documents of at most this complexity.
#[must_use]
pub fn schema(introspection: bool, max_complexity: usize) -> MobileSchema {
    let builder = Schema::build(Query, Mutation, EmptySubscription).extension(ComplexityLimit(max_complexity));
    if introspection { builder.finish() } else { builder.disable_introspection().disable_suggestions().finish() }
}

/// How often the fields of a list's elements count.
fn elements(size: Option<u32>) -> usize {
    size.unwrap_or(DEFAULT_SIZE).clamp(1, MAX_PAGE_SIZE) as usize
}

/// What one call to a service counts, beside the fields that it fills.
const CALL: usize = 10;

fn page_of(page: Option<u32>, size: Option<u32>, sort: Sort, search: Option<String>) -> Result<PageRequest> {
    let refused = |argument, detail| field_error(Problem::validation(&[FieldError::body(argument, detail)]));
    if size == Some(0) {
        return Err(refused("size", "must be 1 or more"));
    }
    if search.as_ref().is_some_and(|text| text.chars().count() > MAX_SEARCH_CHARS) {
        return Err(refused("search", "must have at most 100 characters"));
    }
    let size = size.unwrap_or(DEFAULT_SIZE).min(MAX_PAGE_SIZE);
    Ok(PageRequest { page: page.unwrap_or(0), size, sort, search: search.filter(|text| !text.is_empty()) })
}

fn total(elements: u64) -> Long {
    Long(i64::try_from(elements).unwrap_or(i64::MAX))
}

#[Object]
impl Query {
    /// Who asks.
    #[graphql(complexity = "CALL + child_complexity")]
    async fn me(&self, context: &Context<'_>) -> Result<User> {
        let asker = Asker::with_scopes(context, scopes::BALANCE)?;
        let user =
            asker.ask(async |given| given.services.users.me(&given.on_behalf().await?).await.map_err(Problem::from));
        Ok(User { name: user.await?.value.given_name })
    }

    /// What the caller can spend; null when it is not known at the moment, and `errors` says why.
    #[graphql(complexity = "CALL + child_complexity")]
    async fn balance(&self, context: &Context<'_>) -> Option<Result<Money>> {
        let balance = async {
            let asker = Asker::with_scopes(context, scopes::BALANCE)?;
            let balance = asker.ask(async |given| {
                given.services.accounts.balance(&given.on_behalf().await?).await.map_err(Problem::from)
            });
            Ok(Some(balance.await?.value.into()))
        };
        balance.await.transpose()
    }

    /// Notifications that were not read; null when it is not known at the moment.
    #[graphql(complexity = "CALL")]
    async fn unread(&self, context: &Context<'_>) -> Option<Result<u32>> {
        let unread = async {
            let asker = Asker::with_scopes(context, scopes::NOTIFICATIONS)?;
            let count = asker.ask(async |given| {
                given.services.notifications.unread_count(&given.on_behalf().await?).await.map_err(Problem::from)
            });
            Ok(Some(count.await?.value))
        };
        unread.await.transpose()
    }

    /// The latest order; null when there is none, or it is not known at the moment.
    #[graphql(complexity = "CALL + child_complexity")]
    async fn last_order(&self, context: &Context<'_>) -> Option<Result<Order>> {
        let order = async {
            let asker = Asker::with_scopes(context, scopes::ORDERS)?;
            let order = asker.ask(async |given| {
                given.services.orders.latest(&given.on_behalf().await?).await.map_err(Problem::from)
            });
            Ok(order.await?.value.map(Order::from))
        };
        order.await.transpose()
    }

    /// The promotions that run now; null when they are not known at the moment.
    #[graphql(complexity = "CALL + 3 * child_complexity")]
    async fn promotions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many at most.", default = 3)] first: u32,
    ) -> Option<Result<Vec<Promotion>>> {
        let promotions = async {
            let asker = Asker::with_scopes(context, &[])?;
            let promotions = asker.ask(async |given| given.services.promotions.active(&given.context).await);
            Ok(Some(promotions.await?.value.into_iter().take(first as usize).map(Promotion::from).collect()))
        };
        promotions.await.transpose()
    }

    /// A page of products.
    #[graphql(complexity = "CALL + elements(size) * child_complexity")]
    async fn products(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first is 0.")] page: Option<u32>,
        #[graphql(desc = "At most 100; left out: 20.")] size: Option<u32>,
        #[graphql(default_with = "ProductOrder::NameAsc")] order: ProductOrder,
        #[graphql(desc = "Text to search for; at most 100 characters.")] search: Option<String>,
        #[graphql(desc = "The id of a category.")] category: Option<String>,
    ) -> Result<ProductPage> {
        let asker = Asker::with_scopes(context, scopes::PRODUCTS)?;
        let page = page_of(page, size, order.sort(), search)?;
        if category.as_deref().is_some_and(|id| !is_category(id)) {
            let error = FieldError::body("category", "must be the id of a category");
            return Err(field_error(Problem::validation(&[error])));
        }
        let list = asker
            .ask(async |given| given.services.catalog.products(&given.context, &page, category.as_deref()).await)
            .await?
            .value;
        let content = list.items.into_iter().map(Product::from).collect();
        Ok(ProductPage { content, total_elements: total(list.total) })
    }

    /// A page of the caller's orders.
    #[graphql(complexity = "CALL + elements(size) * child_complexity")]
    async fn orders(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first is 0.")] page: Option<u32>,
        #[graphql(desc = "At most 100; left out: 20.")] size: Option<u32>,
        #[graphql(default_with = "OrderOrder::PlacedAtDesc")] order: OrderOrder,
    ) -> Result<OrderPage> {
        let asker = Asker::with_scopes(context, scopes::ORDERS)?;
        let page = page_of(page, size, order.sort(), None)?;
        let list = asker
            .ask(async |given| {
                given.services.orders.page(&given.on_behalf().await?, &page).await.map_err(Problem::from)
            })
            .await?
            .value;
        let content = list.content.into_iter().map(Order::from).collect();
        Ok(OrderPage { content, total_elements: total(list.total_elements) })
    }

    /// The newest notifications. What has changed since then is told by `GET /v1/notifications`.
    #[graphql(complexity = "CALL + elements(Some(first)) * child_complexity")]
    async fn notifications(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many; at most 100.", default = 20)] first: u32,
    ) -> Result<Vec<Notification>> {
        let asker = Asker::with_scopes(context, scopes::NOTIFICATIONS)?;
        let size = page_of(None, Some(first), Sort { field: "id", direction: Direction::Asc }, None)?.size;
        let inbox = asker
            .ask(async |given| {
                given.services.notifications.newest(&given.on_behalf().await?, size).await.map_err(Problem::from)
            })
            .await?
            .value;
        Ok(inbox.notifications.into_iter().map(Notification::from).collect())
    }
}

#[Object]
impl Mutation {
    /// Places an order, once for each key, however often it is asked for: here or by `POST /v1/orders`.
    #[graphql(complexity = "CALL + child_complexity")]
    async fn place_order(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A random name of this intent, 1 to 255 characters.")] idempotency_key: String,
        #[graphql(desc = "1 to 50 lines.")] lines: Vec<NewLine>,
    ) -> Result<Order> {
        let asker = Asker::with_scopes(context, scopes::ORDER)?;
        let key = IdempotencyKey::parse(&idempotency_key)
            .ok_or_else(|| field_error(Problem::new(&shared_lib::idempotency::IDEMPOTENCY_KEY_INVALID)))?;
        let lines: Vec<_> = lines.into_iter().map(|line| Line { sku: line.product, quantity: line.quantity }).collect();
        check_lines(&lines).map_err(field_error)?;
        let order = asker.ask(async |given| {
            let user = given.on_behalf().await?;
            given.services.orders.place(&user, orders::intent(&given.context, &key)?, &lines).await
        });
        Ok(order.await?.into())
    }

    /// Marks a notification as read. To do it again changes nothing.
    #[graphql(complexity = "CALL")]
    async fn read_notification(&self, context: &Context<'_>, id: String) -> Result<bool> {
        let asker = Asker::with_scopes(context, scopes::READ_NOTIFICATION)?;
        if id.len() > MAX_ID_BYTES {
            return Err(field_error(Problem::new(&kinds::NOT_FOUND)));
        }
        let marked = asker.ask(async |given| {
            given.services.notifications.mark_read(&given.on_behalf().await?, &id).await.map_err(Problem::from)
        });
        if marked.await? { Ok(true) } else { Err(field_error(Problem::new(&kinds::NOT_FOUND))) }
    }
}
