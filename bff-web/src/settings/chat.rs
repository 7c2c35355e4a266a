//! `[chat]`: WebSockets of support chats.

use std::time::Duration;

use serde::Deserialize;
use shared_lib::settings::{Environment, Findings, StringList};
use url::Url;

/// The bounds of chats.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatSettings {
    /// Origins whose pages may open a chat, beside the public one.
    pub allowed_origins: StringList,
    /// Bytes of the largest message, either way.
    pub max_message_bytes: usize,
    /// Messages a second that a browser may send on the long run.
    pub messages_per_second: u32,
    /// Messages that it may send at once.
    pub burst_messages: u32,
    /// How often both sides are asked for a sign of life; one that is silent for twice as long is given up.
    pub ping_interval_ms: u64,
    /// Chats of one user.
    pub max_chats_per_user: usize,
    /// Chats of all users.
    pub max_chats: usize,
}

impl ChatSettings {
    /// See [`ChatSettings::ping_interval_ms`].
    #[must_use]
    pub fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval_ms)
    }

    pub(super) fn audit(&self, environment: Environment, findings: &mut Findings) {
        for origin in self.allowed_origins.iter() {
            let parsed = Url::parse(origin).ok().filter(|url| url.origin().ascii_serialization() == *origin);
            let message = "must be origins as browsers write them, such as https://shop.example";
            findings.require(parsed.is_some(), "chat.allowed_origins", message);
            let secure = parsed.is_none_or(|url| url.scheme() == "https");
            let message = "must be https origins in production";
            findings.require(secure || !environment.is_production(), "chat.allowed_origins", message);
        }
        let mut within = |name: &str, value: u64, least: u64, most: u64| {
            let holds = (least..=most).contains(&value);
            findings.require(holds, format!("chat.{name}"), format!("must be from {least} to {most}"));
        };
        within("max_message_bytes", self.max_message_bytes as u64, 128, 1_048_576);
        within("messages_per_second", self.messages_per_second.into(), 1, 1_000);
        within("burst_messages", self.burst_messages.into(), 1, 1_000);
        within("ping_interval_ms", self.ping_interval_ms, 100, 300_000);
        within("max_chats_per_user", self.max_chats_per_user as u64, 1, 1_000);
        within("max_chats", self.max_chats as u64, 1, 1_000_000);
    }
}
