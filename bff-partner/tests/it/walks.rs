//! Walking through whole lists while they change.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use shared_lib::testing::{Answer, FakeDownstream, Received, SeenRequest};
use url::form_urlencoded;

use crate::harness::{ORDER, Stage, assert_body, ids, new_key};

/// Limits that no walk meets.
const UNLIMITED: [(&str, &str); 4] = [
    ("BFF_PARTNER__PLANS__GOLD__BURST__QUOTA", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__AT_ONCE", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__QUOTA", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__AT_ONCE", "1000000"),
];

/// Where `Link` says that what comes next is.
fn next(answer: &Received) -> Option<String> {
    let link = answer.header("link")?;
    Some(link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?.to_owned())
}

/// Follows the links from this address to the end; what happens between two answers is told their number.
async fn walk(stage: &Stage, start: &str, mut between: impl AsyncFnMut(usize)) -> Vec<String> {
    let (mut met, mut at) = (Vec::new(), Some(start.to_owned()));
    for round in 0.. {
        let Some(path) = at else { break };
        let answer = stage.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let body = answer.json();
        met.extend(ids(&body));
        at = next(&answer);
        assert_eq!((body["hasMore"].as_bool(), body["nextCursor"].is_string()), (Some(at.is_some()), at.is_some()));
        between(round).await;
    }
    met
}

/// Shows: S1
#[actix_web::test]
async fn a_walk_meets_what_the_pages_have_in_every_order() {
    let stage = Stage::with(&UNLIMITED).await;
    for (list, sorts) in [
        ("products?category=kitchen", &["name,asc", "name,desc", "price,asc", "price,desc"]),
        ("orders?", &["placedAt,desc", "placedAt,asc", "total,desc", "total,asc"]),
    ] {
        for sort in sorts {
            let mut pages = Vec::new();
            for page in 0.. {
                let body = stage.get(&format!("/v1/{list}&sort={sort}&size=100&page={page}")).await.json();
                pages.extend(ids(&body));
                if body["last"] == true {
                    break;
                }
            }
            assert!(pages.len() > 200, "{list} {sort}");
            let walked = walk(&stage, &format!("/v1/{list}&sort={sort}&size=100&cursor="), async |_| {}).await;
            assert_eq!(walked, pages, "{list} {sort}");
        }
    }
}

/// Shows: S1
#[actix_web::test]
async fn orders_that_are_placed_during_a_walk_neither_double_nor_hide_others() {
    let stage = Stage::with(&UNLIMITED).await;
    for sort in ["placedAt,desc", "placedAt,asc", "total,desc", "total,asc"] {
        let before = walk(&stage, &format!("/v1/orders?sort={sort}&size=100&cursor="), async |_| {}).await;
        let place = async |round: usize| {
            let placed = stage.place_with(&stage.key, &format!("{sort} {round}"), ORDER).await;
            assert_eq!(placed.status, 201);
        };
        let walked = walk(&stage, &format!("/v1/orders?sort={sort}&size=60&cursor="), place).await;
        let unique: BTreeSet<&String> = walked.iter().collect();
        assert_eq!(unique.len(), walked.len(), "{sort}: none is met twice");
        let old: Vec<&String> = walked.iter().filter(|id| before.contains(id)).collect();
        assert_eq!(old, before.iter().collect::<Vec<_>>(), "{sort}: none is left out");
    }
}

/// A catalog that changes: what products are called and cost, by id.
type Catalog = Arc<Mutex<BTreeMap<String, (String, u64)>>>;

/// What the catalog answers, in its own dialect.
fn list(catalog: &Catalog, asked: &SeenRequest) -> Answer {
    let parameters: BTreeMap<String, String> = form_urlencoded::parse(asked.query.as_bytes()).into_owned().collect();
    let (field, direction) = parameters["order_by"].split_once(':').expect("a direction");
    let key = |name: &str, price: u64| if field == "price" { format!("{price:020}") } else { name.to_owned() };
    let catalog = catalog.lock().expect("nobody panicked");
    let mut rows: Vec<(String, &String, u64, &String)> =
        catalog.iter().map(|(id, (name, price))| (key(name, *price), id, *price, name)).collect();
    rows.sort();
    let place = parameters.get("after_value").map(|value| {
        let price = value.parse().unwrap_or(0);
        (key(value, price), &parameters["after_sku"])
    });
    if direction == "desc" {
        rows.sort_by_key(|row| Reverse(row.clone()));
        rows.retain(|(key, id, ..)| place.as_ref().is_none_or(|place| (key, *id) < (&place.0, place.1)));
    } else {
        rows.retain(|(key, id, ..)| place.as_ref().is_none_or(|place| (key, *id) > (&place.0, place.1)));
    }
    let limit = parameters["limit"].parse().expect("a number");
    let item = |(_, id, price, name): (String, &String, u64, &String)| {
        json!({
            "sku": id, "title": name, "description": "", "category_id": "c", "stock_level": 1,
            "price": {"amount_minor": price, "currency": "EUR"},
        })
    };
    let items: Vec<Value> = rows.into_iter().take(limit).map(item).collect();
    Answer::json(&json!({"items": items, "total": catalog.len()}))
}

#[derive(Debug, Clone)]
enum Change {
    Add { id: u16, name: u8, price: u64 },
    Remove(usize),
}

fn product() -> impl Strategy<Value = (u16, u8, u64)> {
    // Few names and prices, so that many are equal.
    (any::<u16>(), 0..4_u8, 0..4_u64)
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        product().prop_map(|(id, name, price)| Change::Add { id, name, price }),
        any::<usize>().prop_map(Change::Remove),
    ]
}

/// Shows: S1
#[actix_web::test]
async fn whatever_is_added_and_removed_during_a_walk_what_stays_is_met_once() {
    let catalog = Catalog::default();
    let answers = Arc::clone(&catalog);
    let fake = FakeDownstream::scripted(move |asked| list(&answers, asked));
    let url = fake.url();
    let variables = [&UNLIMITED[..], &[("BFF_PARTNER__DOWNSTREAMS__CATALOG__URLS", &*url)]].concat();
    let stage = Stage::with(&variables).await;
    let case = (
        prop::collection::vec(product(), 0..40),
        prop::collection::vec(prop::collection::vec(change(), 0..5), 1..40),
        1..6_u32,
        prop::sample::select(vec!["name,asc", "name,desc", "price,asc", "price,desc"]),
    );
    let mut runner = TestRunner::deterministic();
    for number in 0..60 {
        let (products, changes, size, sort) = case.new_tree(&mut runner).expect("a case").current();
        let named = |name: u8| ["Kettle", "Kettle, blue & <hot>", "Ölkanne", "pan"][usize::from(name)].to_owned();
        {
            let mut catalog = catalog.lock().expect("nobody panicked");
            catalog.clear();
            catalog.extend(products.iter().map(|&(id, name, price)| (format!("P-{id}"), (named(name), price))));
        }
        let mut throughout: BTreeSet<String> = catalog.lock().expect("nobody panicked").keys().cloned().collect();
        let mut gone = BTreeSet::new();
        let met = walk(&stage, &format!("/v1/products?cursor=&size={size}&sort={sort}"), async |round| {
            let mut catalog = catalog.lock().expect("nobody panicked");
            for change in changes.get(round).into_iter().flatten() {
                match *change {
                    Change::Add { id, name, price } if !gone.contains(&format!("P-{id}")) => {
                        catalog.entry(format!("P-{id}")).or_insert((named(name), price));
                    }
                    Change::Remove(at) if !catalog.is_empty() => {
                        let id = catalog.keys().nth(at % catalog.len()).expect("it is within").clone();
                        catalog.remove(&id);
                        throughout.remove(&id);
                        gone.insert(id);
                    }
                    Change::Add { .. } | Change::Remove(_) => {}
                }
            }
        })
        .await;
        let unique: BTreeSet<String> = met.iter().cloned().collect();
        assert_eq!(unique.len(), met.len(), "case {number}: none is met twice: {met:?}");
        assert!(throughout.is_subset(&unique), "case {number}: none is left out: {throughout:?} {met:?}");
    }
}

/// Shows: S1
#[actix_web::test]
async fn a_stretch_is_capped_and_says_where_it_goes_on() {
    let stage = Stage::new().await;
    let first = stage.get("/v1/products?cursor=&size=2&search=oak&category=kitchen&sort=price,desc").await;
    let cursor = first.json()["nextCursor"].as_str().expect("there is more").to_owned();
    assert_eq!(
        next(&first),
        Some(format!("/v1/products?size=2&search=oak&category=kitchen&sort=price%2Cdesc&cursor={cursor}"))
    );
    let body = first.json();
    insta::assert_json_snapshot!("a_stretch_of_products", body, { ".nextCursor" => "[cursor]" });
    let capped = stage.get("/v1/products?cursor=&size=100000").await;
    assert_eq!(ids(&capped.json()).len(), 100);
    let queries: Vec<String> = stage.sandbox.chaos().calls("catalog").into_iter().map(|call| call.query).collect();
    assert_eq!(
        queries,
        ["limit=3&order_by=price%3Adesc&q=oak&category=kitchen", "limit=101&order_by=name%3Aasc"],
        "the service is asked for one more and for no number of a page"
    );
    let repeated = stage.get(&next(&first).expect("an address")).await;
    assert_eq!((repeated.status.as_u16(), ids(&repeated.json()).len()), (200, 2));
}

/// Shows: S1
#[actix_web::test]
async fn a_cursor_of_another_list_or_none_at_all_is_refused_and_nobody_is_asked() {
    let stage = Stage::new().await;
    let cursor =
        async |path: &str| stage.get(path).await.json()["nextCursor"].as_str().expect("there is more").to_owned();
    let products = cursor("/v1/products?cursor=&size=1&category=kitchen").await;
    let orders = cursor("/v1/orders?cursor=&size=1").await;
    let mismatch = stage.get(&format!("/v1/products?cursor={products}")).await;
    assert_eq!(mismatch.status, 400);
    assert_body!("a_cursor_of_another_filter", mismatch);
    let malformed = stage.get("/v1/orders?cursor=42").await;
    assert_eq!(malformed.status, 400);
    assert_body!("what_is_no_cursor", malformed);
    let asked = |name| stage.sandbox.chaos().calls(name).len();
    let before = (asked("catalog"), asked("orders"));
    for (path, code) in [
        (format!("products?cursor={products}&category=kitchen&sort=price,asc"), "cursor-mismatch"),
        (format!("products?cursor={products}&category=kitchen&search=oak"), "cursor-mismatch"),
        (format!("products?cursor={orders}&category=kitchen"), "cursor-mismatch"),
        (format!("orders?cursor={orders}&sort=total,desc"), "cursor-mismatch"),
        (format!("orders?cursor={}", &orders[2..]), "cursor-malformed"),
        (format!("orders?cursor={orders}&page=1"), "validation-failed"),
        (format!("orders?cursor={orders}&offset=1"), "validation-failed"),
        (format!("products?cursor={}", "A".repeat(4_000)), "cursor-malformed"),
    ] {
        let refused = stage.get(&format!("/v1/{path}")).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &json!(code)), "{path}");
    }
    assert_eq!((asked("catalog"), asked("orders")), before);
}

/// Shows: S13
#[actix_web::test]
async fn a_cursor_shows_nobody_elses_orders() {
    let stage = Stage::new().await;
    let bolt = stage.another_key(new_key("bolt")).await;
    let acmes = stage.get("/v1/orders?cursor=&size=100").await;
    let next = next(&acmes).expect("there is more");
    let bolts = stage.get_with(&next, bolt.key.expose()).await;
    assert_eq!(bolts.status, 200);
    let all = walk(&stage, "/v1/orders?cursor=&size=100", async |_| {}).await;
    assert!(ids(&bolts.json()).iter().all(|id| !all.contains(id)), "it is a place in a list of one's own");
}
