//! What goes on for as long as its client likes and its session lasts, of all workers together.

pub mod store_away;

use shared_lib::stream::Hub;

use crate::{
    chat::Chats,
    settings::{ChatSettings, WebSettings},
};

/// The streams and chats of this process. Built once.
#[derive(Debug)]
pub struct Live {
    /// Streams of notifications.
    pub notifications: Hub,
    /// Support chats.
    pub chats: Chats,
    /// Their bounds.
    pub chat: ChatSettings,
    /// Whose pages may open a chat.
    origins: Vec<String>,
}

impl Live {
    /// None yet.
    #[must_use]
    pub fn new(settings: &WebSettings) -> Self {
        let chat = settings.chat.clone();
        let mut origins = chat.allowed_origins.to_vec();
        origins.push(settings.server.public_origin.origin().ascii_serialization());
        Self {
            notifications: Hub::new("notifications", settings.streams.clone()),
            chats: Chats::new(chat.max_chats_per_user, chat.max_chats),
            chat,
            origins,
        }
    }

    /// Whether pages of this origin may open a WebSocket with the cookies of their visitor. Browsers do not keep other
    /// sites from that by themselves (ASVS 5.0 4.4.2). Who says no origin is no browser, or hides it.
    #[must_use]
    pub fn allows_origin(&self, origin: Option<&str>) -> bool {
        origin.is_some_and(|origin| self.origins.iter().any(|allowed| allowed == origin))
    }

    /// Ends them all; the process is on its way out.
    pub fn drain(&self) {
        self.notifications.drain();
        self.chats.drain();
    }
}
