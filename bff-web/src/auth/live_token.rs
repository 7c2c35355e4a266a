//! The access token for what outlives its request: streams and chats.
//!
//! They keep the session's secret and no token. Each time that they open something they ask for a token that is good then,
//! and when it ends they ask again: so a service never has a stream open for longer than the token that it was shown, and
//! a session whose refresh the provider refuses ends though no request of it comes.

use std::time::Duration;

use shared_lib::{context::UserToken, problem::Problem};

use super::{WorkerAuth, refresh::session_ended, session_store::SessionSecret};

/// An access token, and how long it lasts.
#[derive(Debug, Clone)]
pub struct LiveToken {
    /// The token.
    pub user: UserToken,
    /// From now on.
    pub lasts: Duration,
}

impl WorkerAuth {
    /// A good access token of this session, fetched from the store and refreshed where it is due. The session is not
    /// prolonged by that.
    ///
    /// # Errors
    /// `unauthenticated` when the session has ended; the provider's or the store's failure when it is needed and away.
    pub async fn live_token(&self, secret: &SessionSecret) -> Result<LiveToken, Problem> {
        let Some(tokens) = self.sessions.tokens(secret).await? else { return Err(session_ended(None)) };
        let tokens = self.good_tokens(secret, &tokens).await?;
        Ok(LiveToken { user: tokens.user_token(secret), lasts: tokens.lasts(self.clock.wall()) })
    }
}
