//! What goes on for as long as its client likes and its session lasts, of all workers together.

use shared_lib::stream::Hub;

use crate::settings::WebSettings;

/// The streams of this process. Built once.
#[derive(Debug)]
pub struct Live {
    /// Streams of notifications.
    pub notifications: Hub,
}

impl Live {
    /// None yet.
    #[must_use]
    pub fn new(settings: &WebSettings) -> Self {
        Self { notifications: Hub::new("notifications", settings.streams.clone()) }
    }

    /// Ends them all; the process is on its way out.
    pub fn drain(&self) {
        self.notifications.drain();
    }
}
