//! A tab with an `EventSource`: it connects with the cookie, reads, remembers the last id, and comes back with it.

use actix_http::{Payload, encoding::Decoder};
use actix_web::http::header::{ACCEPT, HeaderName};
use awc::ClientResponse;
use futures_util::StreamExt;
use serde_json::Value;
use shared_lib::testing::{Dispatched, EventParser};
use tokio::time::timeout;

use super::{Browser, PATIENCE};

pub const STREAM: &str = "/api/v2/notifications/stream";

/// A tab of a browser.
pub struct Tab {
    browser: Browser,
    response: Option<ClientResponse<Decoder<Payload>>>,
    parser: EventParser,
}

impl Tab {
    /// A tab whose page was loaded at this id.
    pub fn at(browser: &Browser, last_event_id: &str) -> Self {
        let mut parser = EventParser::default();
        parser.feed(format!("id: {last_event_id}\n\n").as_bytes());
        Self { browser: browser.clone(), response: None, parser }
    }

    /// Leads the tab to another replica.
    pub fn lead_to(&mut self, service: &str) {
        self.browser = self.browser.led_to(service);
    }

    /// Connects, and gives the status. What was connected before is not any more.
    pub async fn connect(&mut self) -> u16 {
        self.try_connect().await.expect("the service answers")
    }

    /// Connects; `None` when nobody is there.
    pub async fn try_connect(&mut self) -> Option<u16> {
        self.disconnect();
        let id = self.parser.last_event_id.clone();
        let mut headers = vec![(ACCEPT, "text/event-stream".to_owned())];
        if !id.is_empty() {
            headers.push((HeaderName::from_static("last-event-id"), id));
        }
        // What was not finished is forgotten (WHATWG HTML 9.2.6).
        self.parser.begin_anew();
        let response = self.browser.open(STREAM, &headers).await?;
        let status = response.status().as_u16();
        self.response = (status == 200).then_some(response);
        Some(status)
    }

    /// Closes the connection.
    pub fn disconnect(&mut self) {
        self.response = None;
    }

    /// Reads until this holds of what was dispatched. False when the stream ended before.
    pub async fn read_until(&mut self, enough: impl Fn(&[Dispatched]) -> bool) -> bool {
        while !enough(&self.parser.dispatched) {
            let Some(response) = self.response.as_mut() else { return false };
            match timeout(PATIENCE, response.next()).await.expect("something comes, or the stream ends") {
                Some(Ok(bytes)) => self.parser.feed(&bytes),
                Some(Err(_)) | None => {
                    self.disconnect();
                    return false;
                }
            }
        }
        true
    }

    /// Reads until the last id is this one. False when the stream ended before.
    pub async fn read_to(&mut self, id: u64) -> bool {
        let id = id.to_string();
        self.read_until(|events| events.last().is_some_and(|event| event.last_event_id == id)).await
    }

    /// Reads until the stream ends.
    pub async fn read_to_end(&mut self) {
        assert!(!self.read_until(|_| false).await);
    }

    /// The ids of the notifications, in the order in which they came.
    pub fn ids(&self) -> Vec<u64> {
        let notifications = self.events().iter().filter(|event| event.name == "notification");
        notifications.map(|event| event.last_event_id.parse().expect("ids are numbers")).collect()
    }

    /// Everything that came.
    pub fn events(&self) -> &[Dispatched] {
        &self.parser.dispatched
    }

    /// The last event: its name and its data.
    pub fn last(&self) -> (&str, Value) {
        let last = self.events().last().expect("something came");
        (&last.name, serde_json::from_str(&last.data).expect("the data is JSON"))
    }

    /// When the server wants it to come back, in milliseconds.
    pub fn retry(&self) -> Option<u64> {
        self.parser.retry
    }
}
