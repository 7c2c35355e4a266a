//! The real service on free ports, as a process would run it: same start, same listeners, same middleware.

use std::{sync::Arc, time::Duration};

use actix_rt::Arbiter;
use awc::{Client, SendClientRequest};

use super::received::{Received, receive};
use crate::{
    clock::Clock,
    service::{Bff, Running, ServiceSettings, StartError, launch},
};

/// How long a test waits for one answer. It only ends tests that hang, so it is generous.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A BFF that runs within the test's actix system (`#[actix_web::test]`) until this is dropped.
///
/// The settings say port 0 for both listeners; the ports that were found are in [`url`](Self::url) and
/// [`management_url`](Self::management_url).
pub struct TestService {
    running: Option<Running>,
    public: String,
    management: String,
    client: Client,
}

impl TestService {
    /// Starts it with the system's clock.
    ///
    /// # Panics
    /// When it does not start; the message says why.
    pub async fn start<B: Bff>(settings: B::Settings) -> Self {
        Self::start_with_clock::<B>(settings, Clock::system()).await
    }

    /// Starts it with a clock of the test's own.
    ///
    /// # Panics
    /// When it does not start; the message says why.
    pub async fn start_with_clock<B: Bff>(settings: B::Settings, clock: Clock) -> Self {
        match Self::try_start::<B>(settings, clock).await {
            Ok(service) => service,
            Err(error) => panic!("{} does not start: {error}", B::NAME),
        }
    }

    /// Starts it, for tests of what keeps it from starting.
    ///
    /// # Errors
    /// As [`launch`].
    ///
    /// # Panics
    /// When the settings name fixed ports.
    pub async fn try_start<B: Bff>(settings: B::Settings, clock: Clock) -> Result<Self, StartError> {
        let fixed = settings.server().port != 0 || settings.management().port != 0;
        assert!(!fixed, "a test sets [server] port and [management] port to 0");
        let running = launch::<B>(Arc::new(settings), clock, None).await?;
        Ok(Self {
            public: format!("http://{}", running.public),
            management: format!("http://{}", running.management),
            running: Some(running),
            client: Client::builder().timeout(ANSWER_TIMEOUT).disable_redirects().finish(),
        })
    }

    /// An address of the public listener; `path` begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public)
    }

    /// An address of the management listener; `path` begins with a slash.
    #[must_use]
    pub fn management_url(&self, path: &str) -> String {
        format!("{}{path}", self.management)
    }

    /// A client that follows no redirects and keeps no cookies.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks the public listener without credentials and reads the whole answer.
    ///
    /// # Panics
    /// As [`receive`].
    pub async fn get(&self, path: &str) -> Received {
        receive(self.sending(&self.url(path))).await
    }

    /// Asks the management listener and reads the whole answer.
    ///
    /// # Panics
    /// As [`receive`].
    pub async fn get_management(&self, path: &str) -> Received {
        receive(self.sending(&self.management_url(path))).await
    }

    fn sending(&self, url: &str) -> SendClientRequest {
        self.client.get(url).send()
    }

    /// Drains it as SIGTERM would, and returns when it has stopped.
    pub async fn drain(mut self) {
        if let Some(running) = self.running.take() {
            running.drain().await;
        }
    }
}

impl Drop for TestService {
    /// Has the system stop it. When the system ends with the test, that stops it too.
    fn drop(&mut self) {
        if let (Some(running), Some(arbiter)) = (self.running.take(), Arbiter::try_current()) {
            arbiter.spawn(running.drain());
        }
    }
}
