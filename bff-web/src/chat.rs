//! Chats: a WebSocket of a browser, bridged to one of the support service.
//!
//! The bridge looks into no message. It passes messages and close codes both ways and stands in between for everything
//! else: who may, how large, how fast, how many, and until when.
//!
//! # Nothing is queued
//! Each direction reads one message, passes it on, and reads the next when that is taken. A browser that does not read
//! fills its connection, then the bridge stops reading the service, and the service's connection fills; likewise the other
//! way. What is held meanwhile is bounded: 32 messages towards the browser, two buffers of 32 KiB, and the kernel's. The
//! two directions do not wait for each other. Who holds the other up for more than two pings is given up.
//!
//! # Close codes
//! What one side closes with, the other gets. The bridge closes by itself with:
//!
//! | code | reason | why |
//! |---|---|---|
//! | 4001 | the reason of the session's end, such as `signed-out` | the session has ended; sign in again |
//! | 1008 | `too-many-messages` | the browser sends faster than it may |
//! | 1009 | `message-too-large` | a message of the browser is larger than it may be |
//! | 1002, 1007 | `not-websocket`, `not-utf-8` | what the browser sent is none |
//! | 1011 | `support-failed` | the service broke off, or sent what it must not |
//! | 1012 | `draining` | this replica leaves; come back after a moment of your own choosing |
//! | 1013 | `too-many-chats`, `busy`, `support-unavailable` | not now; come back later |
//! | 1001 | `silent` | no sign of life came |

mod bridge;
mod ending;
mod places;
mod rate;

pub use bridge::{Bridge, Sides};
pub use ending::Ending;
pub use places::{ChatPlace, Chats, NoPlace};
