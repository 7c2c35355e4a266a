use std::collections::{BTreeMap, BTreeSet};

use actix_web::{body::to_bytes, test::TestRequest};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::pagination::{Direction, MAX_PAGE_SIZE, PageSpec, UnknownSort};

const SPEC: PageSpec =
    PageSpec { default_size: 20, sorts: &["name,asc", "name,desc", "price,desc"], unknown_sort: UnknownSort::Refuse };

/// Reads a query as a list with the filter `colour` does.
fn read(query: &str) -> Result<Option<Walk>, Problem> {
    let mut reader = QueryReader::new(query);
    let cursor = reader.cursor();
    let page = reader.page(&SPEC);
    let colour = reader.text("colour");
    let plain = |_: Sort, place: &Place| place.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let walk = cursor.map(|cursor| reader.walk(&cursor, "things", &page, &[colour.as_deref()], plain));
    reader.finish().map(|()| walk)
}

fn code(query: &str) -> &'static str {
    read(query).expect_err("it is refused").kind().code
}

fn place(value: &str, id: &str) -> Place {
    Place { value: value.to_owned(), id: id.to_owned() }
}

/// The cursor of an answer to this query whose last row stands there.
fn next(query: &str, value: &str, id: &str) -> String {
    let walk = read(query).expect("it is valid").expect("it is a walk");
    walk.answer(vec![()], true, |()| place(value, id)).expect("it has room").next_cursor.expect("there is more")
}

#[test]
fn a_cursor_asks_for_a_walk_and_an_empty_one_begins() {
    assert_eq!(read("size=5").expect("valid"), None);
    let walk = read("cursor=&size=5&sort=price,desc&search=oak").expect("valid").expect("a walk");
    assert_eq!((walk.size, walk.after.as_ref(), walk.search.as_deref()), (5, None, Some("oak")));
    assert_eq!(walk.sort, Sort { field: "price", direction: Direction::Desc });
    let token = next("cursor=", "Äpfel, rot", "a1");
    let walk = read(&format!("cursor={token}")).expect("valid").expect("a walk");
    assert_eq!(walk.after, Some(place("Äpfel, rot", "a1")));
}

/// Shows: S1
#[test]
fn a_walk_is_capped_and_takes_no_page() {
    assert_eq!(read("cursor=&size=10000").expect("valid").expect("a walk").size, MAX_PAGE_SIZE);
    let refused = read("cursor=&page=0").expect_err("it is refused").to_json(None);
    let expected = json!([{"location": "query", "field": "page", "detail": "cannot stand beside `cursor`"}]);
    assert_eq!((&refused["code"], &refused["errors"]), (&json!("validation-failed"), &expected));
    assert_eq!(code("cursor=&cursor="), "validation-failed", "given twice");
}

/// Shows: S1
#[test]
fn a_cursor_is_good_for_its_own_list_alone() {
    let token = next("cursor=&colour=red&search=oak", "x", "a1");
    assert!(read(&format!("cursor={token}&colour=red&search=oak&size=7")).is_ok(), "the size may change");
    for other in ["search=oak", "colour=blue&search=oak", "colour=red", "colour=red&search=oak&sort=name,desc"] {
        assert_eq!(code(&format!("cursor={token}&{other}")), "cursor-mismatch", "{other}");
    }
    let other = binding(
        "others",
        &PageRequest { page: 0, size: 20, sort: Sort::from_allowed("name,asc"), search: None },
        &[None],
    );
    let foreign = encode(other, &place("x", "a1")).expect("it has room");
    assert_eq!(code(&format!("cursor={foreign}")), "cursor-mismatch");
    let empty = next("cursor=&colour=", "x", "a1");
    assert_eq!(code(&format!("cursor={empty}")), "cursor-mismatch", "no filter is not an empty one");
}

/// Shows: S1
#[test]
fn what_was_never_a_cursor_is_malformed() {
    let token = next("cursor=", "x", "a1");
    let long = "A".repeat(5_000);
    for wrong in ["42", "!", "AAAA", &token[1..], &token[..token.len() / 2], &format!("{token}="), &long] {
        assert_eq!(code(&format!("cursor={wrong}")), "cursor-malformed", "{wrong:.20}");
    }
    let refused = next("cursor=", "x", "../a");
    assert_eq!(code(&format!("cursor={refused}")), "cursor-malformed", "a place that the list cannot have");
}

#[test]
fn a_place_that_has_no_room_is_our_fault_and_nobody_elses() {
    let walk = read("cursor=").expect("valid").expect("a walk");
    let failed = walk.answer(vec![()], true, |()| place(&"x".repeat(1024), "a1")).expect_err("it has no room");
    assert_eq!(failed.kind().code, "internal-error");
}

#[actix_web::test]
async fn the_answer_links_to_what_comes_next() {
    let answer = async |query: &str, rows: Vec<u8>| {
        let walk = read(query).expect("valid").expect("a walk");
        let stretch = walk.answer(rows, false, |row| place("é", &row.to_string())).expect("it has room");
        let request = TestRequest::with_uri(&format!("/things?{query}")).to_http_request();
        let response = Listing::Stretch(stretch).into_response(&request);
        let link = response.headers().get(LINK).map(|link| link.to_str().expect("text").to_owned());
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body()).await.expect("a body")).expect("JSON");
        (link, body)
    };
    let (link, body) = answer("cursor=&size=2&colour=dark+red", vec![1, 2, 3]).await;
    let token = body["nextCursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(body, json!({"content": [1, 2], "nextCursor": token, "hasMore": true}));
    assert_eq!(link, Some(format!("</things?size=2&colour=dark+red&cursor={token}>; rel=\"next\"")));
    let (link, body) = answer(&format!("size=2&colour=dark+red&cursor={token}"), vec![3]).await;
    assert_eq!((link, body), (None, json!({"content": [3], "hasMore": false})));
}

/// What happens to the list between two answers.
#[derive(Debug, Clone)]
enum Change {
    Insert(u8, u16),
    Delete(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<u8>(), any::<u16>()).prop_map(|(value, id)| Change::Insert(value, id)),
        any::<usize>().prop_map(Change::Delete),
    ]
}

proptest! {
    /// Shows: S1
    #[test]
    fn a_walk_through_a_list_that_changes_doubles_none_and_skips_none_that_was_there_throughout(
        rows in prop::collection::btree_map(any::<u16>(), 0..6_u8, 0..60),
        changes in prop::collection::vec(prop::collection::vec(change(), 0..4), 0..80),
        size in 1..8_u32,
        descending: bool,
    ) {
        // By id, what it is sorted by: few values, so that many are equal.
        let mut list: BTreeMap<u16, u8> = rows;
        let mut throughout: BTreeSet<u16> = list.keys().copied().collect();
        let (mut met, mut cursor, mut changes) = (Vec::new(), String::new(), changes.into_iter());
        let sort = if descending { "name,desc" } else { "name,asc" };
        loop {
            let walk = read(&format!("cursor={cursor}&size={size}&sort={sort}")).expect("valid").expect("a walk");
            // The service's side: in order, behind the place, with the id as the last word.
            let key = |value: u8, id: u16| (if descending { u8::MAX - value } else { value }, id);
            let mut rows: Vec<(u8, u16)> = list.iter().map(|(&id, &value)| (value, id)).collect();
            rows.sort_by_key(|&(value, id)| key(value, id));
            if let Some(after) = &walk.after {
                let place = key(after.value.parse().expect("a number"), after.id.parse().expect("a number"));
                rows.retain(|&(value, id)| key(value, id) > place);
            }
            rows.truncate(walk.one_more() as usize);
            let stretch = walk.answer(rows, false, |(value, id)| place(&value.to_string(), &id.to_string()));
            let stretch = stretch.expect("it has room");
            prop_assert!(stretch.content.len() <= size as usize);
            prop_assert_eq!(stretch.has_more, stretch.next_cursor.is_some());
            met.extend(stretch.content.into_iter().map(|(_, id)| id));
            let Some(next) = stretch.next_cursor else { break };
            cursor = next;
            for change in changes.next().unwrap_or_default() {
                match change {
                    Change::Insert(value, id) => {
                        list.entry(id).or_insert(value % 6);
                    }
                    Change::Delete(at) if !list.is_empty() => {
                        let id = *list.keys().nth(at % list.len()).expect("it is within");
                        list.remove(&id);
                        throughout.remove(&id);
                        // One that comes back under its old id would be another row with the same name.
                        met.retain(|other| *other != id);
                    }
                    Change::Delete(_) => {}
                }
            }
        }
        let unique: BTreeSet<u16> = met.iter().copied().collect();
        prop_assert_eq!(unique.len(), met.len(), "none is met twice");
        prop_assert!(throughout.is_subset(&unique), "none is left out that was there throughout");
    }
}
