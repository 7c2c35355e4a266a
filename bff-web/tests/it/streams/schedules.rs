//! Whatever is killed, restarted, cut or moved, and in whatever order: who comes back with the last id sees every event
//! once and in order. Replicas are processes that are killed; the service's log outlives its server.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sandbox::Sandbox;
use shared_lib::testing::{RedisServer, eventually};

use crate::harness::{PATIENCE, Tab, notification_service::NotificationLog, process::Process};

const USER: &str = "usr_alice";
const TABS: usize = 3;
const REPLICAS: usize = 2;
const SCHEDULES: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    Publish(u64),
    /// The tab reads all there is, where everything on the way is up.
    Read(usize),
    CutNetwork(usize),
    Move(usize),
    KillService,
    StartService,
    KillReplica(usize),
    StartReplica(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..5_u64).prop_map(Step::Publish),
        4 => (0..TABS).prop_map(Step::Read),
        2 => (0..TABS).prop_map(Step::CutNetwork),
        2 => (0..TABS).prop_map(Step::Move),
        2 => Just(Step::KillService),
        2 => Just(Step::StartService),
        1 => (0..REPLICAS).prop_map(Step::KillReplica),
        2 => (0..REPLICAS).prop_map(Step::StartReplica),
    ];
    prop::collection::vec(step, 10..25)
}

struct System {
    sandbox: Sandbox,
    variables: Vec<(&'static str, String)>,
    log: NotificationLog,
    service_is_up: bool,
    replicas: Vec<Option<Process>>,
    /// Each with the replica that it is led to.
    tabs: Vec<(Tab, usize)>,
    latest: u64,
}

impl System {
    async fn start_replica(&mut self, number: usize) {
        if self.replicas[number].is_none() {
            let variables: Vec<_> = self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            self.replicas[number] = Some(Process::in_front_of(&self.sandbox, &variables).await);
        }
    }

    /// Has the tab read up to the latest event, and come back as often as that takes.
    async fn read(&mut self, tab: usize) {
        let latest = self.latest;
        let (tab, replica) = &mut self.tabs[tab];
        let Some(process) = &self.replicas[*replica] else { return };
        tab.lead_to(process.url());
        let mut attempts = 0;
        while latest > 0 && !tab.read_to(latest).await {
            attempts += 1;
            assert!(attempts < 100, "the tab comes back and back");
            assert!(matches!(tab.try_connect().await, Some(200) | None), "the session lives");
        }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Publish(count) => self.latest = self.log.publish(USER, count),
            Step::Read(tab) if self.service_is_up => self.read(tab).await,
            Step::Read(_) => {}
            Step::CutNetwork(tab) => self.tabs[tab].0.disconnect(),
            Step::Move(tab) => {
                self.tabs[tab].0.disconnect();
                self.tabs[tab].1 = (self.tabs[tab].1 + 1) % REPLICAS;
            }
            Step::KillService => {
                self.log.kill();
                self.service_is_up = false;
            }
            Step::StartService => {
                self.log.start_again();
                self.service_is_up = true;
            }
            Step::KillReplica(number) => {
                if let Some(mut process) = self.replicas[number].take() {
                    process.kill();
                }
            }
            Step::StartReplica(number) => self.start_replica(number).await,
        }
    }
}

/// Shows: W17
#[actix_web::test]
async fn no_schedule_of_kills_restarts_and_cuts_loses_or_doubles_an_event() {
    let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
    let redis = RedisServer::start().await;
    let log = NotificationLog::start();
    let variables = vec![
        ("BFF_WEB__SESSION__STORE", "redis".to_owned()),
        ("BFF_WEB__REDIS__URL", redis.url()),
        ("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__URLS", log.url()),
        // What is down comes back within moments here, so it is looked for as soon.
        ("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__CIRCUIT_BREAKER__WAIT_IN_OPEN_MS", "50".to_owned()),
        ("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__CIRCUIT_BREAKER__WAIT_IN_OPEN_CAP_MS", "100".to_owned()),
        ("BFF_WEB__STREAMS__REJOIN_MIN_MS", "10".to_owned()),
        ("BFF_WEB__STREAMS__REJOIN_MAX_MS", "100".to_owned()),
        ("BFF_WEB__STREAMS__HISTORY_EVENTS", "4".to_owned()),
        ("BFF_WEB__STREAMS__CLIENT_BUFFER_EVENTS", "4".to_owned()),
    ];
    let mut system = System {
        sandbox,
        variables,
        log,
        service_is_up: true,
        replicas: vec![None, None],
        tabs: Vec::new(),
        latest: 0,
    };
    for number in 0..REPLICAS {
        system.start_replica(number).await;
    }
    let alice = system.replicas[0].as_ref().expect("it runs").signed_in("alice").await;
    system.tabs = (0..TABS).map(|number| (Tab::at(&alice, "0"), number % REPLICAS)).collect();

    let seed = rand::random::<[u8; 32]>();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    for _ in 0..SCHEDULES {
        let schedule = steps().new_tree(&mut runner).expect("it can be made").current();
        for step in &schedule {
            system.take(step).await;
        }
        system.take(&Step::StartService).await;
        for number in 0..REPLICAS {
            system.start_replica(number).await;
        }
        system.take(&Step::Publish(1)).await;
        for tab in 0..TABS {
            system.read(tab).await;
            let (tab, replica) = &system.tabs[tab];
            let all: Vec<u64> = (1..=system.latest).collect();
            assert_eq!(tab.ids(), all, "at replica {replica}, with {seed:?} and {schedule:?}");
            assert!(tab.events().iter().all(|event| event.name != "gap"), "{schedule:?}");
        }
    }
    for (tab, _) in &mut system.tabs {
        tab.disconnect();
    }
    assert!(eventually(PATIENCE, || async { system.log.watching() == 0 }).await, "nothing is left open");
}
