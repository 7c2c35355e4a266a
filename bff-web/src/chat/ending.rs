//! How a chat ends, and what each side is told.

use actix_http::ws::{CloseCode, CloseReason, ProtocolError};

use super::places::NoPlace;
use crate::auth::session_ends::EndReason;

/// The session has ended. Of the codes that are free for applications (RFC 6455 section 7.4.2).
const SESSION_ENDED: u16 = 4001;

/// Why a chat ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The session has ended.
    Session(EndReason),
    /// This process leaves.
    Draining,
    /// The browser closes; without a code when it said none.
    ByBrowser(Option<CloseReason>),
    /// The service closes.
    ByService(Option<CloseReason>),
    /// The browser has gone without a word.
    BrowserGone,
    /// The service has gone without a word, or sent what it must not.
    ServiceFailed,
    /// The service cannot be reached.
    ServiceUnavailable,
    /// There are enough chats.
    NoPlace(NoPlace),
    /// The browser sends faster than it may.
    TooFast,
    /// The browser sends something that is too large.
    TooLarge,
    /// What the browser sends is no WebSocket.
    Malformed,
    /// A text of the browser is none.
    NotText,
    /// One of the two gives no sign of life, or lets the other wait.
    Silent,
}

impl Ending {
    /// What a message of the browser that could not be read means.
    pub(super) fn of_browser(error: &ProtocolError) -> Self {
        match error {
            ProtocolError::Overflow => Self::TooLarge,
            ProtocolError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Self::NotText,
            ProtocolError::Io(_) => Self::BrowserGone,
            _ => Self::Malformed,
        }
    }

    /// What the browser is told.
    #[must_use]
    pub fn to_browser(&self) -> Option<CloseReason> {
        Some(match self {
            Self::ByBrowser(reason) | Self::ByService(reason) => return sendable(reason.clone()),
            Self::Session(reason) => close(CloseCode::Other(SESSION_ENDED), reason.as_str()),
            Self::Draining => close(CloseCode::Restart, "draining"),
            Self::BrowserGone | Self::Silent => close(CloseCode::Away, "silent"),
            Self::ServiceFailed => close(CloseCode::Error, "support-failed"),
            Self::ServiceUnavailable => close(CloseCode::Again, "support-unavailable"),
            Self::NoPlace(NoPlace::TooManyOfUser) => close(CloseCode::Again, "too-many-chats"),
            Self::NoPlace(NoPlace::TooMany) => close(CloseCode::Again, "busy"),
            Self::TooFast => close(CloseCode::Policy, "too-many-messages"),
            Self::TooLarge => close(CloseCode::Size, "message-too-large"),
            Self::Malformed => close(CloseCode::Protocol, "not-websocket"),
            Self::NotText => close(CloseCode::Invalid, "not-utf-8"),
        })
    }

    /// What the service is told: what the browser said, or that the browser has gone, which is all of its business.
    #[must_use]
    pub fn to_service(&self) -> Option<CloseReason> {
        match self {
            Self::ByBrowser(reason) | Self::ByService(reason) => sendable(reason.clone()),
            _ => Some(CloseCode::Away.into()),
        }
    }
}

fn close(code: CloseCode, reason: &str) -> CloseReason {
    CloseReason { code, description: Some(reason.to_owned()) }
}

/// A close frame carries no code that says that there was none (RFC 6455 section 7.4.1), and none that does not exist.
fn sendable(reason: Option<CloseReason>) -> Option<CloseReason> {
    reason.filter(|reason| matches!(u16::from(reason.code), 1000..=1003 | 1007..=1014 | 3000..=4999))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: W18
    #[test]
    fn codes_that_must_not_be_sent_are_not_passed_on() {
        for (code, passed) in [(1000, true), (1005, false), (1006, false), (1015, false), (999, false), (4321, true)] {
            let reason = Some(CloseReason { code: CloseCode::from(code), description: None });
            assert_eq!(Ending::ByService(reason.clone()).to_browser().is_some(), passed, "{code}");
            assert_eq!(Ending::ByBrowser(reason).to_service().is_some(), passed, "{code}");
        }
    }
}
