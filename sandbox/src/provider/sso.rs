//! The provider's own session: the cookie that spares a second login.
//!
//! Cookies do not tell ports apart, so on one development machine the provider's cookies meet those of the
//! applications; hence their long names.

use std::collections::BTreeSet;

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};

use super::random::{sha256, token};
use super::state::{Acr, Authentication, Session};
use super::users::User;
use super::{Provider, ProviderError};

/// The cookie of the session.
pub(crate) const SESSION_COOKIE: &str = "sandbox_provider_session";

/// The cookie that binds forms to the browser that they were shown in.
pub(crate) const BROWSER_COOKIE: &str = "sandbox_provider_browser";

impl Provider {
    /// A cookie for the provider's pages. Lax, because people come here from other sites by navigation.
    pub(crate) fn cookie(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build(name, value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.issuer().starts_with("https://"))
            .finish()
    }

    /// The cookie that takes the session cookie away.
    pub(crate) fn no_session_cookie(&self) -> Cookie<'static> {
        let mut cookie = self.cookie(SESSION_COOKIE, String::new());
        cookie.make_removal();
        cookie
    }

    /// The live session of the browser that sent a request.
    pub(crate) fn browser_session(&self, request: &HttpRequest) -> Option<Session> {
        let cookie = request.cookie(SESSION_COOKIE)?;
        let now = self.clock().now();
        self.state(|state| state.sessions.get(&sha256(cookie.value()), now).cloned())
    }

    /// Begins a session for a user who has just proved to be that user, and returns the cookie's value with what
    /// tokens will say. An earlier session of the same user in that browser goes on under its old `sid`, but with a
    /// new cookie; one of another user ends.
    pub(crate) fn begin_session(
        &self,
        user: &User,
        acr: Acr,
        old_cookie: Option<&str>,
    ) -> Result<(String, Authentication), ProviderError> {
        let now = self.clock().now();
        let cookie = token::<32>()?;
        let fresh_sid = token::<16>()?;
        let expires_at = now + self.settings(|settings| settings.session_lifetime);
        let auth_time = self.clock().unix_seconds();
        let (authentication, ended) = self.state(|state| {
            let old_hash = old_cookie.map(sha256);
            let same_user = old_hash
                .as_deref()
                .and_then(|hash| state.sessions.get(hash, now))
                .is_some_and(|session| session.authentication.sub == user.sub);
            let (kept, ended) = match old_hash.as_deref() {
                Some(hash) if same_user => (state.sessions.remove(hash, now), None),
                Some(hash) => (None, state.end_session(hash, now)),
                None => (None, None),
            };
            let (sid, clients) =
                kept.map_or((fresh_sid, BTreeSet::new()), |session| (session.authentication.sid, session.clients));
            let authentication = Authentication { sub: user.sub.clone(), sid, auth_time, acr };
            let session = Session { authentication: authentication.clone(), clients };
            state.sessions.insert(sha256(&cookie), session, expires_at, now);
            (authentication, ended)
        });
        if let Some(session) = ended {
            self.announce_end(&session);
        }
        Ok((cookie, authentication))
    }
}
