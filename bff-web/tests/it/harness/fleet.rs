//! Replicas that are processes, each with wires of its own to one Redis and to the provider of the sandbox.

use std::time::Duration;

use sandbox::Sandbox;
use shared_lib::testing::RedisServer;
use url::Url;

use super::{
    Variable,
    process::Process,
    wire::{Protocol, Wire},
};

/// A replica and its wires.
pub struct Replica {
    /// The process.
    pub process: Process,
    /// Between it and Redis.
    pub redis: Wire,
    /// Between it and the provider.
    pub provider: Wire,
}

/// The replicas and what they stand on. Everything goes by the time of the machine.
pub struct Fleet {
    /// What stands behind.
    pub sandbox: Sandbox,
    /// Where the sessions are.
    pub redis: RedisServer,
    /// The replicas.
    pub replicas: Vec<Replica>,
}

impl Fleet {
    /// Two of them.
    pub async fn start(variables: &[Variable<'_>]) -> Self {
        let sandbox = Sandbox::builder().start().await.expect("the sandbox starts");
        let redis = RedisServer::start().await;
        let mut fleet = Self { sandbox, redis, replicas: Vec::new() };
        for _ in 0..2 {
            let replica = fleet.launch(variables).await;
            fleet.replicas.push(replica);
        }
        fleet
    }

    async fn launch(&self, variables: &[Variable<'_>]) -> Replica {
        let redis = Wire::to(&authority(&self.redis.url()), Protocol::Redis).await;
        let provider = Wire::to(&authority(self.sandbox.issuer()), Protocol::Http).await;
        let at_redis = format!("redis://{}/0", redis.address);
        let at_provider = format!("http://{}", provider.address);
        let mut all = vec![
            ("BFF_WEB__DOWNSTREAMS__PROVIDER__URLS", at_provider.as_str()),
            ("BFF_WEB__REDIS__URL", at_redis.as_str()),
            ("BFF_WEB__SESSION__STORE", "redis"),
            // An access token is due when half of its life is over.
            ("BFF_WEB__OIDC__REFRESH_LEAD_MS", "3600000"),
            ("BFF_WEB__SESSION__REFRESH_LEASE_MS", "500"),
            ("BFF_WEB__SERVER__REQUEST_TIMEOUT_MS", "30000"),
        ];
        all.extend(variables);
        let process = Process::in_front_of(&self.sandbox, &all).await;
        Replica { process, redis, provider }
    }

    /// How long the access tokens live that the provider gives from now on.
    pub fn access_tokens_live(&self, lifetime: Duration) {
        self.sandbox.provider().change_settings(|settings| settings.access_token_lifetime = lifetime);
    }

    /// How many refreshes the provider has granted, and how often it has seen a token again.
    pub fn refreshes(&self) -> (u64, u64) {
        let counters = self.sandbox.provider().counters();
        (counters.refreshes, counters.refresh_reuses)
    }
}

fn authority(url: &str) -> String {
    let url = Url::parse(url).expect("an address");
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or_default())
}
