//! Several replicas of the service, with their sessions in one Redis and the time in the test's hand.

use bff_web::BffWeb;
use sandbox::Sandbox;
use shared_lib::{
    clock::{Clock, ManualClock},
    testing::{RedisServer, TestService},
};

use super::{Browser, ORIGIN, Variable, settings};

/// What operators show.
pub const OPERATOR_TOKEN: &str = "operator-token-of-the-test";

/// The replicas and what they stand on.
pub struct Replicas {
    /// What stands behind.
    pub sandbox: Sandbox,
    /// Where the sessions are.
    pub redis: RedisServer,
    /// Moves the clock of all replicas.
    pub hand: ManualClock,
    services: Vec<Option<TestService>>,
}

impl Replicas {
    /// So many of them.
    pub async fn start(count: usize) -> Self {
        Self::start_with(count, &[]).await
    }

    /// With these settings on top.
    pub async fn start_with(count: usize, variables: &[Variable<'_>]) -> Self {
        let (clock, hand) = Clock::manual_at(Clock::system().wall());
        let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
        let redis = RedisServer::start().await;
        let mut replicas = Self { sandbox, redis, hand, services: Vec::new() };
        for _ in 0..count {
            let service = replicas.launch(variables, clock.clone()).await;
            replicas.services.push(Some(service));
        }
        replicas
    }

    async fn launch(&self, variables: &[Variable<'_>], clock: Clock) -> TestService {
        let url = self.redis.url();
        let mut all = vec![
            ("BFF_WEB__SESSION__STORE", "redis"),
            ("BFF_WEB__REDIS__URL", url.as_str()),
            ("BFF_WEB__MANAGEMENT__OPERATOR_TOKEN", OPERATOR_TOKEN),
            // How long a dead replica keeps the others waiting is real time.
            ("BFF_WEB__SESSION__REFRESH_LEASE_MS", "500"),
            ("BFF_WEB__SERVER__REQUEST_TIMEOUT_MS", "30000"),
        ];
        all.extend(variables);
        TestService::start_with_clock::<BffWeb>(settings(&self.sandbox, &all), clock).await
    }

    /// A replica, by its number.
    pub fn service(&self, number: usize) -> &TestService {
        self.services[number].as_ref().expect("the replica runs")
    }

    /// Takes a replica away.
    pub async fn kill(&mut self, number: usize) {
        self.services[number].take().expect("the replica runs").drain().await;
    }

    /// A browser that comes to this replica and knows nothing yet.
    pub fn browser(&self, number: usize) -> Browser {
        Browser::new(ORIGIN, &self.service(number).url(""))
    }

    /// A browser in which this user has signed in at this replica.
    pub async fn signed_in(&self, user: &str, number: usize) -> Browser {
        let mut browser = self.browser(number);
        browser.sign_in(user, "/").await;
        browser
    }

    /// The same browser, led to this replica from now on.
    pub fn led(&self, browser: &Browser, number: usize) -> Browser {
        browser.led_to(&self.service(number).url(""))
    }
}
