//! The limits of all replicas together, in Redis.
//!
//! One script asks and charges everything of a call at once, so nothing comes between two replicas. Rates count by the
//! clock of Redis, the one clock that all replicas share: a replica whose clock is wrong admits neither more nor less.
//! The periods of quotas are named by the replicas' clocks, so replicas that disagree about midnight count the calls in
//! between for two days, each of which is held to.
//!
//! A Redis that is away is noticed by the first call that waits for it in vain. From then on calls go by without asking
//! it, but for one in each [`SharedSettings::retry`], which finds out that it is back.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use redis::{
    Client, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{
    quota::{Period, QuotaPolicy},
    rules::{Charge, Found, FoundQuota, FoundRate, Rules},
};
use crate::{clock::Clock, settings::Secret};

static CHARGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("shared/charge.lua")));
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("shared/give_back.lua")));

/// How long a counter is kept beyond its period, for replicas whose clocks are behind.
const SLACK: Duration = Duration::from_secs(3600);

/// Where the shared tier is, and how long it is waited for.
#[derive(Debug, Clone)]
pub struct SharedSettings {
    /// The address, with the password.
    pub url: Secret,
    /// What the name of every key begins with.
    pub key_prefix: String,
    /// The longest that opening a connection may take.
    pub connect_timeout: Duration,
    /// The longest that an answer may take.
    pub response_timeout: Duration,
    /// How long a Redis that did not answer is left alone.
    pub retry: Duration,
}

/// An address that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("this is no address of a Redis server")]
pub struct SharedAddressError(#[source] RedisError);

/// Redis did not say in time what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Away {
    /// It was not asked, because it did not answer a moment ago.
    #[error("Redis did not answer a moment ago")]
    LeftAlone,
    /// It was asked.
    #[error("Redis cannot be asked")]
    Asked(#[from] RedisError),
}

/// The tier that all replicas share.
pub(super) struct SharedTier {
    connection: ConnectionManager,
    prefix: String,
    timeout: Duration,
    retry: Duration,
    clock: Clock,
    epoch: Instant,
    /// Until when Redis is left alone, in nanoseconds since the epoch; 0: it answers.
    left_alone_until: AtomicU64,
}

impl SharedTier {
    /// Nothing is sent yet, so a Redis that is away does not stop the start. Must be called within a tokio runtime.
    pub(super) fn new(settings: &SharedSettings, clock: Clock) -> Result<Self, SharedAddressError> {
        let client = Client::open(settings.url.expose()).map_err(SharedAddressError)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            .set_response_timeout(Some(settings.response_timeout))
            .set_number_of_retries(0);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config).map_err(SharedAddressError)?,
            // The braces have a cluster keep all keys in one slot, which a script with several needs.
            prefix: format!("{{{}}}:", settings.key_prefix),
            timeout: settings.connect_timeout + settings.response_timeout,
            retry: settings.retry,
            epoch: clock.now(),
            clock,
            left_alone_until: AtomicU64::new(0),
        })
    }

    /// Whether it answered when it was last asked.
    pub(super) fn is_there(&self) -> bool {
        self.left_alone_until.load(Ordering::Acquire) == 0
    }

    /// Charges the call in every rate and quota, or in none where one refuses.
    pub(super) async fn charge(&self, rules: &Rules, charge: &Charge<'_>, now: Timestamp) -> Result<Found, Away> {
        self.charge_at(rules, charge, now, None).await
    }

    /// The same at a moment of the caller's own instead of Redis's, in microseconds, for tests.
    async fn charge_at(
        &self,
        rules: &Rules,
        charge: &Charge<'_>,
        now: Timestamp,
        at: Option<u64>,
    ) -> Result<Found, Away> {
        let mut call = CHARGE.prepare_invoke();
        call.key(format!("{}rate:{}", self.prefix, charge.key));
        call.arg(at.map(|at| at.to_string()).unwrap_or_default());
        call.arg(charge.cost.get()).arg(charge.quota_cost).arg(rules.rates.len());
        for rate in &rules.rates {
            let policy = &rate.policy;
            call.arg(policy.name()).arg(micros(policy.refill())).arg(policy.at_once().get());
            call.arg(micros(policy.window())).arg(u8::from(!policy.is_shadow()));
        }
        for (at, quota) in rules.quotas.iter().enumerate() {
            call.key(self.counter(charge.owner, quota.period(), now));
            let known = charge.known.get(at).copied().unwrap_or(0);
            let keep = (quota.period().rest(now) + SLACK).as_millis();
            call.arg(quota.units()).arg(known).arg(u64::try_from(keep).unwrap_or(u64::MAX));
            call.arg(u8::from(!quota.is_shadow()));
        }
        let call = &call;
        let ask = |mut connection| async move { call.invoke_async::<Vec<i64>>(&mut connection).await };
        Ok(read(&self.ask(ask).await?, rules)?)
    }

    /// Gives back units that were charged at this moment.
    pub(super) async fn give_back(
        &self,
        owner: &str,
        quotas: &[QuotaPolicy],
        at: Timestamp,
        units: u32,
    ) -> Result<(), Away> {
        let mut call = GIVE_BACK.prepare_invoke();
        for quota in quotas {
            call.key(self.counter(owner, quota.period(), at));
        }
        call.arg(units);
        let call = &call;
        self.ask(|mut connection| async move { call.invoke_async::<()>(&mut connection).await }).await
    }

    fn counter(&self, owner: &str, period: Period, at: Timestamp) -> String {
        format!("{}quota:{}:{}:{}", self.prefix, period.name(), period.begins(at), owner)
    }

    async fn ask<T, F: Future<Output = Result<T, RedisError>>>(
        &self,
        call: impl Fn(ConnectionManager) -> F,
    ) -> Result<T, Away> {
        self.may_ask()?;
        let outcome = match self.bounded(call(self.connection.clone())).await {
            // The connection was lost while nobody used it; whether Redis is there is found only by trying. A script that
            // runs twice charges twice, which admits less and never more.
            Err(error) if error.is_io_error() && !error.is_timeout() => {
                self.bounded(call(self.connection.clone())).await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(value) => {
                if self.left_alone_until.swap(0, Ordering::AcqRel) != 0 {
                    tracing::info!("Redis is back: limits are shared between replicas again");
                }
                Ok(value)
            }
            Err(error) => {
                let until = self.passed().saturating_add(nanos(self.retry)).max(1);
                if self.left_alone_until.swap(until, Ordering::AcqRel) == 0 {
                    tracing::warn!(error = %error, "Redis is away: each replica keeps its own part of the limits");
                }
                Err(error.into())
            }
        }
    }

    /// One call in each while finds out whether Redis is back; the others go by.
    fn may_ask(&self) -> Result<(), Away> {
        let until = self.left_alone_until.load(Ordering::Acquire);
        if until == 0 {
            return Ok(());
        }
        let now = self.passed();
        let next = now.saturating_add(nanos(self.retry + self.timeout)).max(1);
        let is_mine = now >= until
            && self.left_alone_until.compare_exchange(until, next, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if is_mine { Ok(()) } else { Err(Away::LeftAlone) }
    }

    async fn bounded<T>(&self, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
        let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(self.timeout, call).await.map_err(late)?
    }

    fn passed(&self) -> u64 {
        nanos(self.clock.now().saturating_duration_since(self.epoch))
    }
}

fn read(answer: &[i64], rules: &Rules) -> Result<Found, RedisError> {
    let strange = || RedisError::from(std::io::Error::other("the script's answer has another length"));
    let (admitted, rest) = answer.split_first().ok_or_else(strange)?;
    if rest.len() != 2 * (rules.rates.len() + rules.quotas.len()) {
        return Err(strange());
    }
    let (rates, quotas) = rest.split_at(2 * rules.rates.len());
    let micros = |number: i64| Duration::from_micros(u64::try_from(number).unwrap_or(0));
    let rate = |pair: &[i64]| FoundRate { used: micros(pair[0]), wait: (pair[1] >= 0).then(|| micros(pair[1])) };
    let quota = |pair: &[i64]| FoundQuota { used: u64::try_from(pair[0]).unwrap_or(0), refused: pair[1] != 0 };
    Ok(Found {
        admitted: *admitted != 0,
        rates: rates.chunks_exact(2).map(rate).collect(),
        quotas: quotas.chunks_exact(2).map(quota).collect(),
    })
}

/// Rounded up: a unit that takes longer to come back admits less.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, feature = "test-util"))]
mod tests;
