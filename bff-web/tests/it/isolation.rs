//! No answer for one user is ever given to another, whatever is kept, shared, compressed or not sent again.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

use actix_web::http::header::{ACCEPT_ENCODING, COOKIE, IF_NONE_MATCH};
use awc::Client;
use futures_util::{StreamExt, stream};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use shared_lib::testing::receive;

use crate::harness::{PATIENCE, World};

const USERS: usize = 50;
const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 100;
/// The last one costs no call behind, so it is asked for most.
const PATHS: [&str; 5] =
    ["/api/v2/dashboard", "/api/v1/dashboard", "/api/v2/orders?size=5", "/api/v2/cart", "/api/auth/session"];
/// How often each is asked for, of 20.
const SHARES: [usize; 5] = [1, 1, 1, 1, 16];
const CODINGS: [&str; 5] = ["", "gzip", "br, gzip;q=0.1", "zstd", "identity"];

/// What one user should get: for each path the answer, without the receipt.
struct User {
    cookies: String,
    expected: Vec<Value>,
}

/// The path that a number below 20 stands for.
fn path_of(number: usize) -> usize {
    let mut bound = 0;
    SHARES
        .iter()
        .position(|share| {
            bound += share;
            number < bound
        })
        .expect("the shares add up to 20")
}

fn content(mut answer: Value) -> Value {
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("receipt");
        // When a session ends moves with each request.
        answer.retain(|name, _| name != "idleEndsAt" && name != "endsAt");
    }
    answer
}

/// Shows: S6, W15, M5
#[actix_web::test]
async fn no_answer_for_one_user_is_ever_given_to_another() {
    // Everything is kept for long, so that nearly every answer comes from a cache, and a line of users waits for the rest.
    let keeping = [
        ("BFF_WEB__DOWNSTREAMS__USERS__CACHE__FRESH_MS", "1500"),
        ("BFF_WEB__DOWNSTREAMS__ORDERS__CACHE__FRESH_MS", "1500"),
        ("BFF_WEB__DOWNSTREAMS__ACCOUNTS__CACHE__FRESH_MS", "1500"),
        ("BFF_WEB__SERVER__REQUEST_TIMEOUT_MS", "20000"),
    ];
    let world = World::start_with(&keeping).await;
    let mut users = Vec::new();
    for number in 1..=USERS {
        let mut browser = world.signed_in(&format!("user{number}")).await;
        let mut expected = Vec::new();
        for path in PATHS {
            expected.push(content(browser.get(path).await.json()));
        }
        assert_eq!(expected[0]["user"]["id"], format!("usr_user{number}"));
        let cookies = browser.jar.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
        users.push(User { cookies: cookies.collect::<Vec<_>>().join("; "), expected });
    }
    for path in [0, 1, 2, 4] {
        let different: BTreeSet<String> = users.iter().map(|user| user.expected[path].to_string()).collect();
        assert_eq!(different.len(), USERS, "{} tells users apart", PATHS[path]);
    }

    let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
    // Every tag that was seen, with the user and the path that it was given for.
    let tags: RefCell<HashMap<String, (usize, usize)>> = RefCell::default();
    let counts = RefCell::new((0_usize, 0_usize));
    let mut random = StdRng::seed_from_u64(1);
    let plan: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let pick = |random: &mut StdRng, count| random.random_range(0..count);
            (
                pick(&mut random, USERS),
                path_of(pick(&mut random, 20)),
                pick(&mut random, CODINGS.len()),
                random.random::<u32>(),
            )
        })
        .collect();
    let (users, tags, counts, client, world) = (&users, &tags, &counts, &client, &world);
    stream::iter(plan)
        .for_each_concurrent(AT_ONCE, |(number, path, coding, luck)| async move {
            let user = &users[number];
            let mut request = client.get(world.service.url(PATHS[path])).insert_header((COOKIE, user.cookies.as_str()));
            if !CODINGS[coding].is_empty() {
                request = request.insert_header((ACCEPT_ENCODING, CODINGS[coding]));
            }
            // Some show a tag that they got themselves, some one that anybody got, as a browser with several users would.
            let shown = match luck % 3 {
                0 => tags.borrow().iter().find(|(_, owner)| **owner == (number, path)).map(|(tag, _)| tag.clone()),
                1 => tags.borrow().keys().nth(luck as usize % 300).cloned(),
                _ => None,
            };
            if let Some(tag) = &shown {
                request = request.insert_header((IF_NONE_MATCH, tag.as_str()));
            }
            let answer = receive(request.send()).await;
            if answer.status == 304 {
                let known = tags.borrow()[&shown.expect("a tag was shown")];
                assert_eq!(known, (number, path), "a tag is good for the user and the page that it was given for");
                counts.borrow_mut().1 += 1;
                return;
            }
            assert_eq!(answer.status, 200);
            let control = if PATHS[path] == "/api/auth/session" { "no-store" } else { "private, no-cache" };
            assert_eq!(answer.header("cache-control"), Some(control));
            let is_whole = |body: &Value| {
                let fields = user.expected[path].as_object().map_or(0, serde_json::Map::len);
                body.as_object().map_or(0, serde_json::Map::len) == fields
            };
            let body = content(answer.json());
            // A part may be missing under this load; what is there is this user's.
            for (name, value) in body.as_object().expect("an object") {
                assert_eq!(
                    Some(value),
                    user.expected[path].get(name),
                    "{name} of {} for user{}",
                    PATHS[path],
                    number + 1
                );
            }
            // Carts are empty and say nothing of their owner, but their tags do.
            if let Some(tag) = answer.header("etag").filter(|_| is_whole(&body)) {
                let owner = *tags.borrow_mut().entry(tag.to_owned()).or_insert((number, path));
                assert_eq!(owner, (number, path), "{tag} is given for one user and page only");
            }
            counts.borrow_mut().0 += 1;
        })
        .await;
    let (whole, known) = *counts.borrow();
    assert_eq!(whole + known, REQUESTS);
    assert!(known > 20, "tags were shown to their owners too: {known}");
}
