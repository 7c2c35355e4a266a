//! The ends of sessions as the other replicas tell of them, by publish and subscribe.
//!
//! News can be lost while the connection is. So each time that it stands again, the sessions that something here hangs on
//! are looked up.

use std::time::Duration;

use futures_util::StreamExt;
use redis::{
    RedisError,
    aio::{PubSub, PubSubSink},
};
use tokio::time::{interval, sleep, timeout};

use super::{
    super::{SessionId, Sessions, StoreError},
    Connection,
};
use crate::auth::session_ends::EndReason;

/// How long it takes to notice that nothing comes any more, and to try again.
const BEAT: Duration = Duration::from_millis(250);

/// How long an answer to that may take.
const PATIENCE: Duration = Duration::from_millis(750);

/// Follows the news for as long as it is polled.
pub async fn follow(connection: Connection, sessions: Sessions) {
    let mut is_away = false;
    loop {
        match listen(&connection, &sessions, &mut is_away).await {
            Ok(()) => {}
            Err(error) if !is_away => {
                is_away = true;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the ends of sessions are not heard of for now"
                );
            }
            Err(_) => {}
        }
        sleep(BEAT).await;
    }
}

/// Listens until the connection is lost.
async fn listen(connection: &Connection, sessions: &Sessions, is_away: &mut bool) -> Result<(), StoreError> {
    let pubsub = soon(connection.client().get_async_pubsub()).await?;
    let (mut sink, mut news): (PubSubSink, _) = PubSub::split(pubsub);
    soon(sink.subscribe(connection.channel())).await?;
    sessions.look_up(sessions.ends().subscribed()).await?;
    if std::mem::take(is_away) {
        tracing::info!("the ends of sessions are heard of again");
    }
    let mut beat = interval(BEAT);
    loop {
        tokio::select! {
            message = news.next() => {
                let Some(message) = message else { return Ok(()) };
                let text = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                let parts = text.split_once(' ');
                if let Some((id, reason)) = parts.and_then(|(id, reason)| Some((SessionId::parse(id)?, reason))) {
                    sessions.ends().tell(&id, EndReason::from_name(reason));
                }
            }
            _ = beat.tick() => soon(sink.ping::<redis::Value>()).await.map(drop)?,
        }
    }
}

async fn soon<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
    let outcome = timeout(PATIENCE, call).await.map_err(|late| StoreError(late.into()))?;
    outcome.map_err(|error| StoreError(error.into()))
}
