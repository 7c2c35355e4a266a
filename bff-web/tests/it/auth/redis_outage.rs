//! Redis goes away and comes back under a steady load on two replicas that are processes of their own. What is promised of
//! that (S11) is asserted; the figures are printed (`cargo test -p bff-web --test it redis_outage -- --nocapture`).

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Duration,
};

use actix_web::{http::StatusCode, rt::task::JoinHandle};
use awc::Client;
use shared_lib::{
    clock::Clock,
    testing::{Received, eventually, receive},
};

use crate::harness::{Browser, PATIENCE, fleet::Fleet};

const SESSION: &str = "/api/auth/session";
const DASHBOARD: &str = "/api/v2/dashboard";
const PUBLIC: &str = "/api/v2/products?size=1";

/// Sessions, half of them led to each replica.
const USERS: usize = 20;

/// How many answers of each kind are waited for in each phase.
const ENOUGH: usize = 200;

/// What is promised.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Before,
    Away,
    Back,
}

/// What came of the load.
#[derive(Default)]
struct Seen {
    phase: Cell<Option<Phase>>,
    counts: RefCell<BTreeMap<(Phase, &'static str, u16), usize>>,
    /// What was neither served nor told to wait as it should be.
    wrong: RefCell<Vec<String>>,
}

impl Seen {
    fn enter(&self, phase: Phase) {
        self.phase.set(Some(phase));
    }

    /// Of the phase in which the request was sent; one that a phase ends for is of neither.
    fn count(&self, sent_in: Option<Phase>, kind: &'static str, answer: &Received) {
        let (Some(phase), true) = (sent_in, sent_in == self.phase.get()) else { return };
        *self.counts.borrow_mut().entry((phase, kind, answer.status.as_u16())).or_default() += 1;
    }

    fn of(&self, phase: Phase, kind: &'static str, status: u16) -> usize {
        self.counts.borrow().get(&(phase, kind, status)).copied().unwrap_or_default()
    }

    async fn enough(&self, phase: Phase, signed_in: u16) {
        let enough =
            || async { self.of(phase, "signed in", signed_in) >= ENOUGH && self.of(phase, "public", 200) >= ENOUGH };
        assert!(eventually(PATIENCE, enough).await, "{phase:?}: {:?}", self.counts.borrow());
    }
}

/// Asks for a page of the signed-in, a public one and the replica's probe by turns, as long as it is not stopped.
fn load(mut browser: Browser, management: &str, seen: &Rc<Seen>) -> JoinHandle<()> {
    let (readyz, seen) = (format!("{management}/readyz"), Rc::clone(seen));
    actix_web::rt::spawn(async move {
        let client = Client::builder().timeout(PATIENCE).finish();
        loop {
            let phase = seen.phase.get();
            let answer = browser.get(DASHBOARD).await;
            seen.count(phase, "signed in", &answer);
            let told_to_wait = answer.status == StatusCode::SERVICE_UNAVAILABLE
                && answer.header("retry-after") == Some("1")
                && answer.json()["code"] == "sessions-unavailable";
            if answer.status != StatusCode::OK && !told_to_wait {
                seen.wrong.borrow_mut().push(format!("{phase:?}: {} {}", answer.status, answer.text()));
            }
            let public = browser.get(PUBLIC).await;
            seen.count(phase, "public", &public);
            if public.status != StatusCode::OK {
                seen.wrong.borrow_mut().push(format!("{phase:?}: {} {}", public.status, public.text()));
            }
            seen.count(phase, "readyz", &receive(client.get(&readyz).send()).await);
        }
    })
}

#[expect(clippy::print_stdout, reason = "the figures are for whoever runs this test by its name")]
fn print(seen: &Seen, one: Duration, other: Duration) {
    for ((phase, kind, status), count) in &*seen.counts.borrow() {
        println!("{phase:?}, {kind}: {count} x {status}");
    }
    println!("served again {one:?} and {other:?} after Redis answered PING");
}

async fn sessions_of(fleet: &Fleet) -> usize {
    let keys: Vec<String> = fleet.redis.ask(&["KEYS", "*}:session:*"]).await;
    keys.len()
}

/// Shows: S11
#[actix_web::test]
async fn redis_that_stops_and_starts_under_load_loses_and_invents_no_session() {
    // That a busy machine takes long over an answer is not what this is about.
    let mut fleet = Fleet::start(&[("BFF_WEB__REDIS__RESPONSE_TIMEOUT_MS", "10000")]).await;
    let mut browsers = Vec::new();
    for number in 0..USERS {
        let browser = fleet.replicas[number % 2].process.signed_in(&format!("user{}", number + 1)).await;
        browsers.push(browser.led_to(fleet.replicas[(number + 1) % 2].process.url()));
    }
    assert_eq!(sessions_of(&fleet).await, USERS);
    let seen = Rc::new(Seen::default());
    let tasks: Vec<_> = (0..USERS)
        .map(|number| {
            let replica = &fleet.replicas[(number + 1) % 2].process;
            load(browsers[number].clone(), replica.management(), &seen)
        })
        .collect();

    seen.enter(Phase::Before);
    seen.enough(Phase::Before, 200).await;
    fleet.redis.stop();
    seen.enter(Phase::Away);
    seen.enough(Phase::Away, 503).await;
    seen.phase.set(None);
    fleet.redis.start_again().await;
    let _: String = fleet.redis.ask(&["PING"]).await;
    let clock = &Clock::system();
    let answers = clock.now();
    seen.enter(Phase::Back);
    let first = |replica: usize| {
        let (browser, asked) = (&browsers[replica], Cell::new(0_usize));
        async move {
            let back = eventually(PATIENCE, || {
                asked.set(asked.get() + 1);
                let mut browser = browser.clone();
                async move { browser.get(SESSION).await.status == StatusCode::OK }
            });
            assert!(back.await, "it finds Redis again");
            let took = clock.now().duration_since(answers);
            // The first one that was asked is as soon as can be, however long a busy machine takes over it.
            assert!(took < SOON || asked.get() == 1, "{took:?}, after {} answers", asked.get());
            took
        }
    };
    let (one, other) = futures_util::join!(first(0), first(1));
    seen.enough(Phase::Back, 200).await;
    tasks.iter().for_each(JoinHandle::abort);

    print(&seen, one, other);
    assert_eq!(*seen.wrong.borrow(), [""; 0]);
    assert_eq!(seen.of(Phase::Away, "signed in", 200), 0, "nobody is let in without a look at the session");
    assert_eq!(seen.of(Phase::Before, "signed in", 503), 0);
    assert!([Phase::Before, Phase::Away, Phase::Back].iter().all(|phase| seen.of(*phase, "readyz", 503) == 0));
    assert!(seen.of(Phase::Away, "readyz", 200) > 0, "the replicas stay where they are");
    assert_eq!(sessions_of(&fleet).await, USERS, "none lost, none invented");
    for (number, browser) in browsers.iter_mut().enumerate() {
        let user = browser.get(SESSION).await.json()["user"]["id"].as_str().map(str::to_owned);
        assert_eq!(user.as_deref(), Some(format!("usr_user{}", number + 1).as_str()));
    }
    assert_eq!(fleet.refreshes().1, 0);
}
