//! A replica that is killed while it places an order: the call is repeated, and there is one order.

use std::{cell::RefCell, time::Duration};

use awc::Client;
use sandbox::chaos::{Fault, Rule};
use shared_lib::testing::{PostgresServer, Received, TestService, eventually};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::{
    bulk::place_all,
    harness::{Engine, ORDER, Stage, ids, place},
    process::Process,
};

/// A claim that is left behind lapses soon; calls end before. Who looks often is not held up.
const SOON: [(&str, &str); 6] = [
    ("BFF_PARTNER__SERVER__REQUEST_TIMEOUT_MS", "4000"),
    ("BFF_PARTNER__IDEMPOTENCY__LEASE_MS", "4001"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__QUOTA", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__BURST__AT_ONCE", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__QUOTA", "1000000"),
    ("BFF_PARTNER__PLANS__GOLD__SUSTAINED__AT_ONCE", "1000000"),
];

/// It only ends tests that hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Three replicas over one database: one in this process, which stays, and one that is killed; the third is what is
/// started in its place.
struct World {
    stage: Stage,
    doomed: Process,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let stage = Stage::in_engine(engine, &SOON).await;
        let doomed = Process::start(&stage.sandbox, &stage.database_url, &SOON).await;
        Self { stage, doomed }
    }

    async fn orders(&self) -> Orders {
        orders(&self.stage).await
    }

    /// Sends the order to the replica that will be killed. Nobody waits for the answer.
    fn begin(&self) {
        let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
        let request = client.post(self.doomed.url("/v1/orders")).bearer_auth(&self.stage.key);
        let request = request.insert_header(("idempotency-key", "k-1")).content_type("application/json");
        actix_web::rt::spawn(request.send_body(ORDER));
    }

    async fn orders_were_asked(&self, times: usize) {
        let asked = || async { self.stage.sandbox.chaos().calls("orders").len() >= times };
        assert!(eventually(PATIENCE, asked).await, "the orders service is asked");
    }

    async fn order_exists(&self, before: u64) {
        let exists = || async { self.orders().await.count > before };
        assert!(eventually(PATIENCE, exists).await, "the order is placed");
    }

    /// Kills the replica, repeats the call at the one that stayed and at a new one, and looks at what there is.
    async fn kill_and_repeat(self, before: &Orders) {
        let Self { stage, doomed } = self;
        doomed.kill().await;
        stage.sandbox.chaos().clear();
        let first = repeat(&stage.service, &stage.key).await;
        assert_eq!(first.status, 201, "{}", first.text());

        let new = stage.another_replica(&SOON).await;
        let again = repeat(&new, &stage.key).await;
        assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")));
        assert_eq!(again.body, first.body, "there is one result");

        let id = first.json()["id"].as_str().expect("an id").to_owned();
        let now = orders(&stage).await;
        assert_eq!(
            (now.count, &now.newest[..2]),
            (before.count + 1, &[id, before.newest[0].clone()][..]),
            "there is one"
        );
    }
}

/// The orders of the partner.
struct Orders {
    count: u64,
    newest: Vec<String>,
}

async fn orders(stage: &Stage) -> Orders {
    let page = stage.get("/v1/orders?size=2").await.json();
    Orders { count: page["totalElements"].as_u64().expect("a number"), newest: ids(&page) }
}

/// Repeats the call until the dead replica's claim has lapsed.
async fn repeat(service: &TestService, key: &str) -> Received {
    let last = RefCell::new(None);
    let over = eventually(PATIENCE, || async {
        let answer = place(service, key, "k-1", ORDER).await;
        let in_flight = answer.status == 409;
        *last.borrow_mut() = Some(answer);
        !in_flight
    });
    assert!(over.await, "a claim does not hold for ever");
    last.into_inner().expect("it was answered")
}

/// Shows: P6
#[actix_web::test]
async fn killed_before_the_order_is_placed_the_repeated_call_places_it() {
    for engine in Engine::BOTH {
        let world = World::new(engine).await;
        let before = world.orders().await;
        let asked = world.stage.sandbox.chaos().calls("orders").len();
        // The service does not see the call.
        world.stage.disturb("orders", Rule::fault(Fault::Hang).times(1));
        world.begin();
        world.orders_were_asked(asked + 1).await;
        world.kill_and_repeat(&before).await;
    }
}

/// Shows: P6
#[actix_web::test]
async fn killed_while_the_answer_is_on_its_way_the_repeated_call_gets_the_order_that_was_placed() {
    for engine in Engine::BOTH {
        let world = World::new(engine).await;
        let before = world.orders().await;
        world.stage.disturb("orders", Rule::fault(Fault::HangAfterHeaders).times(1));
        world.begin();
        world.order_exists(before.count).await;
        world.kill_and_repeat(&before).await;
    }
}

/// Shows: P6
#[actix_web::test]
async fn killed_between_the_answer_and_its_record_the_repeated_call_gets_the_order_that_was_placed() {
    for engine in Engine::BOTH {
        let world = World::new(engine).await;
        let before = world.orders().await;
        let asked = world.stage.sandbox.chaos().calls("orders").len();
        // The order is placed when a second call has come: by then nothing can be recorded any more.
        world.stage.disturb("orders", Rule::barrier("placing", 2).times(2));
        world.begin();
        world.orders_were_asked(asked + 1).await;
        let lock = Lock::take(engine, &world.stage.database_url).await;
        world.order_exists(before.count).await;
        lock.is_met(&world.stage.database_url).await;
        let World { stage, doomed } = world;
        doomed.kill().await;
        lock.give_back().await;
        let doomed = Process::start(&stage.sandbox, &stage.database_url, &SOON).await;
        World { stage, doomed }.kill_and_repeat(&before).await;
    }
}

/// Shows: P6
#[actix_web::test]
async fn killed_after_the_record_the_repeated_call_gets_the_recorded_answer() {
    for engine in Engine::BOTH {
        let world = World::new(engine).await;
        let before = world.orders().await;
        let recorded = || async {
            let answer = place(&world.stage.service, &world.stage.key, "k-1", ORDER).await;
            answer.header("idempotency-replayed") == Some("true")
        };
        let asked = world.stage.sandbox.chaos().calls("orders").len();
        world.begin();
        world.orders_were_asked(asked + 1).await;
        assert!(eventually(PATIENCE, recorded).await);
        world.kill_and_repeat(&before).await;
    }
}

/// Shows: P6
#[actix_web::test]
async fn killed_amid_many_orders_the_repeated_call_places_each_of_them_once() {
    for engine in Engine::BOTH {
        let World { stage, doomed } = World::new(engine).await;
        let before = orders(&stage).await.count;
        let asked = stage.sandbox.chaos().calls("orders").len();
        // Of the first, one is placed and answered, one is placed and its answer is lost, one does not reach the service.
        let hangs = [Fault::Hang, Fault::HangAfterHeaders].map(|fault| Rule::fault(fault).times(1));
        stage.sandbox.chaos().set("orders", hangs.to_vec()).expect("the rules are valid");
        let body = many(12);
        let client = Client::builder().timeout(PATIENCE).disable_redirects().finish();
        let request = client.post(doomed.url("/v1/orders/bulk")).bearer_auth(&stage.key);
        actix_web::rt::spawn(request.send_json(&body));
        let come = || async { stage.sandbox.chaos().calls("orders").len() >= asked + 5 };
        assert!(eventually(PATIENCE, come).await, "{engine:?}: the orders service is asked");
        let some = || async { orders(&stage).await.count > before + 3 };
        assert!(eventually(PATIENCE, some).await, "{engine:?}: some are placed");
        doomed.kill().await;
        stage.sandbox.chaos().clear();

        let last = RefCell::new(serde_json::Value::Null);
        let over = eventually(PATIENCE, || async {
            let answer = place_all(&stage.service, &stage.key, &body).await;
            assert_eq!(answer.status, 200, "{engine:?}: {}", answer.text());
            *last.borrow_mut() = answer.json();
            let waits =
                last.borrow()["results"].as_array().is_some_and(|all| all.iter().any(|one| one["status"] == 409));
            !waits
        });
        assert!(over.await, "{engine:?}: a claim does not hold for ever");
        let repeated = last.into_inner();
        assert_eq!((&repeated["succeeded"], &repeated["failed"]), (&12.into(), &0.into()), "{engine:?}: {repeated}");
        assert_eq!(orders(&stage).await.count, before + 12, "{engine:?}: each is placed once");
        let new = stage.another_replica(&SOON).await;
        let again = place_all(&new, &stage.key, &body).await.json();
        let order = |body: &serde_json::Value, at: usize| body["results"][at]["order"]["id"].clone();
        for at in 0..12 {
            assert_eq!((&again["results"][at]["replayed"], order(&again, at)), (&true.into(), order(&repeated, at)));
        }
    }
}

/// So many orders.
fn many(count: u32) -> serde_json::Value {
    let order = |number: u32| {
        serde_json::json!({
            "idempotencyKey": format!("k-{number}"), "lines": [{"productId": "SKU-00001", "quantity": 1 + number % 3}],
        })
    };
    serde_json::json!({"orders": (0..count).map(order).collect::<Vec<_>>()})
}

/// Keeps everybody from writing about operations.
enum Lock {
    Sqlite(SqliteConnection),
    Postgresql(PgConnection),
}

impl Lock {
    async fn take(engine: Engine, database_url: &str) -> Self {
        match engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(database_url).await.expect("the file opens");
                connection.execute("BEGIN IMMEDIATE").await.expect("nobody writes");
                Self::Sqlite(connection)
            }
            Engine::Postgresql => {
                let mut connection = PgConnection::connect(database_url).await.expect("the server is there");
                let lock = "BEGIN; LOCK TABLE operations IN EXCLUSIVE MODE";
                connection.execute(lock).await.expect("nobody writes");
                Self::Postgresql(connection)
            }
        }
    }

    /// Waits until the record is tried, where that can be seen.
    async fn is_met(&self, database_url: &str) {
        if let Self::Postgresql(_) = self {
            let server = PostgresServer::shared().await;
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND wait_event_type = 'Lock' AND query LIKE 'UPDATE operations%'";
            let met = || async { server.query(database_url, waiting) == "1" };
            assert!(eventually(PATIENCE, met).await, "the record is tried");
        }
    }

    async fn give_back(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.expect("it closes"),
            Self::Postgresql(connection) => connection.close().await.expect("it closes"),
        }
    }
}
