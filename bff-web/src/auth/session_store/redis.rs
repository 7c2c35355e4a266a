//! Sessions in Redis, for more than one replica.
//!
//! A session is a hash: the identity in one field, the sealed tokens in another, and beside them when it ends and who may
//! refresh. What changes a session is a script that first looks whether it has ended, so a write that was under way while
//! the user signed out cannot bring it back. Redis forgets a session at its end by itself.
//!
//! All keys share a hash tag, so the scripts work on a cluster as well, in one of its slots.

mod connection;
mod feed;
mod scripts;

use std::{collections::HashMap, time::Duration};

use futures_util::future::FutureExt;
use jiff::Timestamp;
use redis::FromRedisValue;
use shared_lib::clock::Clock;

pub use connection::{Connection, ConnectionError};
pub use feed::follow;

use self::scripts::Scripts;
use super::{Ends, Fields, Group, Lease, Record, SessionId, SessionRecords, Settled, StoreError, StoreFuture};
use crate::auth::session_ends::EndReason;

/// The members of a session's hash that are not its fields.
const IDLE_END: &str = "idle_end";
const ABSOLUTE_END: &str = "absolute_end";
const OWN: [&str; 5] = [IDLE_END, ABSOLUTE_END, "fence", "lease_end", "intent"];

/// How long Redis keeps what is past its end, so that replicas whose clocks differ agree.
const SLACK: Duration = Duration::from_secs(60);

/// Sessions in Redis. Cheap to clone.
#[derive(Clone)]
pub struct RedisRecords {
    connection: Connection,
    scripts: &'static Scripts,
    clock: Clock,
    idle_timeout: Duration,
    absolute_timeout: Duration,
}

impl RedisRecords {
    /// Sessions at the other end of this connection.
    #[must_use]
    pub fn new(connection: Connection, clock: Clock, idle_timeout: Duration, absolute_timeout: Duration) -> Self {
        Self { connection, scripts: Scripts::get(), clock, idle_timeout, absolute_timeout }
    }

    fn key(&self, id: &SessionId) -> String {
        format!("{}session:{id}", self.connection.prefix())
    }

    fn group_key(&self, group: &Group) -> String {
        format!("{}{}", self.connection.prefix(), group.as_str())
    }

    fn now(&self) -> i64 {
        self.clock.wall().as_millisecond()
    }

    async fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, StoreError> {
        self.connection.run(|mut connection| async move { command.query_async(&mut connection).await }).await
    }

    async fn run<T: FromRedisValue>(&self, call: &redis::ScriptInvocation<'_>) -> Result<T, StoreError> {
        self.connection.run(|mut connection| async move { call.invoke_async(&mut connection).await }).await
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What of a hash is a session that has not ended.
fn record(mut hash: HashMap<String, String>, now: i64) -> Option<Record> {
    let at = |name: &str| Timestamp::from_millisecond(hash.get(name)?.parse().ok()?).ok();
    let ends = Ends { idle: at(IDLE_END)?, absolute: at(ABSOLUTE_END)? };
    hash.retain(|name, _| !OWN.contains(&name.as_str()));
    (now < ends.first().as_millisecond()).then_some(Record { fields: hash, ends })
}

impl SessionRecords for RedisRecords {
    fn load<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, Option<Record>> {
        async move {
            let command = redis::cmd("HGETALL").arg(self.key(id)).to_owned();
            let hash = self.ask(&command).await?;
            Ok(record(hash, self.now()))
        }
        .boxed()
    }

    fn create(&self, id: SessionId, fields: Fields, groups: Vec<Group>) -> StoreFuture<'_, ()> {
        async move {
            let mut call = self.scripts.create.prepare_invoke();
            call.key(self.key(&id));
            for group in &groups {
                call.key(self.group_key(group));
            }
            call.arg(self.now()).arg(millis(self.idle_timeout)).arg(millis(self.absolute_timeout));
            call.arg(millis(SLACK)).arg(id.to_string());
            for (name, value) in &fields {
                call.arg(name).arg(value);
            }
            self.run::<i64>(&call).await.map(drop)
        }
        .boxed()
    }

    fn write<'a>(&'a self, id: &'a SessionId, fields: Fields) -> StoreFuture<'a, bool> {
        async move {
            let mut call = self.scripts.write.prepare_invoke();
            call.key(self.key(id)).arg(self.now());
            for (name, value) in &fields {
                call.arg(name).arg(value);
            }
            Ok(self.run::<i64>(&call).await? == 1)
        }
        .boxed()
    }

    fn prolong<'a>(&'a self, id: &'a SessionId) -> StoreFuture<'a, ()> {
        async move {
            let mut call = self.scripts.prolong.prepare_invoke();
            call.key(self.key(id)).arg(self.now()).arg(millis(self.idle_timeout)).arg(millis(SLACK));
            self.run::<i64>(&call).await.map(drop)
        }
        .boxed()
    }

    fn delete<'a>(&'a self, id: &'a SessionId, reason: EndReason) -> StoreFuture<'a, bool> {
        async move {
            let mut call = self.scripts.delete.prepare_invoke();
            call.key(self.key(id)).arg(self.now());
            call.arg(self.connection.channel()).arg(format!("{id} {reason}"));
            Ok(self.run::<i64>(&call).await? == 1)
        }
        .boxed()
    }

    fn members<'a>(&'a self, group: &'a Group) -> StoreFuture<'a, Vec<SessionId>> {
        async move {
            let command = redis::cmd("ZRANGE").arg(self.group_key(group)).arg(0).arg(-1).to_owned();
            let ids: Vec<String> = self.ask(&command).await?;
            Ok(ids.iter().filter_map(|id| SessionId::parse(id)).collect())
        }
        .boxed()
    }

    fn lease<'a>(&'a self, id: &'a SessionId, lifetime: Duration) -> StoreFuture<'a, Lease> {
        async move {
            let mut call = self.scripts.lease.prepare_invoke();
            call.key(self.key(id)).arg(self.now()).arg(millis(lifetime));
            let (fence, unsettled, hash) = self.run::<(i64, bool, HashMap<String, String>)>(&call).await?;
            Ok(match (u64::try_from(fence), record(hash, self.now())) {
                (Ok(0), _) => Lease::Held,
                (Ok(fence), Some(record)) => Lease::Granted { fence, record, unsettled },
                _ => Lease::Ended,
            })
        }
        .boxed()
    }

    fn renew_lease<'a>(&'a self, id: &'a SessionId, fence: u64, lifetime: Duration) -> StoreFuture<'a, bool> {
        async move {
            let mut call = self.scripts.renew.prepare_invoke();
            call.key(self.key(id)).arg(self.now()).arg(fence).arg(millis(lifetime));
            Ok(self.run::<i64>(&call).await? == 1)
        }
        .boxed()
    }

    fn intend<'a>(&'a self, id: &'a SessionId, fence: u64) -> StoreFuture<'a, bool> {
        async move {
            let mut call = self.scripts.intend.prepare_invoke();
            call.key(self.key(id)).arg(self.now()).arg(fence);
            Ok(self.run::<i64>(&call).await? == 1)
        }
        .boxed()
    }

    fn settle<'a>(&'a self, id: &'a SessionId, fence: u64, fields: Fields) -> StoreFuture<'a, Settled> {
        async move {
            let mut call = self.scripts.settle.prepare_invoke();
            call.key(self.key(id)).arg(self.now()).arg(fence);
            for (name, value) in &fields {
                call.arg(name).arg(value);
            }
            Ok(match self.run::<i64>(&call).await? {
                1 => Settled::Kept,
                0 => Settled::Fenced,
                _ => Settled::Ended,
            })
        }
        .boxed()
    }

    fn claim<'a>(&'a self, name: &'a str, lifetime: Duration) -> StoreFuture<'a, bool> {
        async move {
            let key = format!("{}claim:{name}", self.connection.prefix());
            let lifetime = millis(lifetime).max(1);
            let command = redis::cmd("SET").arg(key).arg(1).arg("NX").arg("PX").arg(lifetime).to_owned();
            let command = &command;
            // Said twice, the second time would find the first.
            let answer: Option<String> = self
                .connection
                .once(|mut connection| async move { command.query_async(&mut connection).await })
                .await?;
            Ok(answer.is_some())
        }
        .boxed()
    }
}
