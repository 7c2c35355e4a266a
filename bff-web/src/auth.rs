//! How people get in: sign-in at an OpenID provider, a session in a cookie, and nothing else in the browser.
//!
//! The browser holds a session key and a CSRF token. Access and refresh tokens stay here (OAuth 2.0 for Browser-Based
//! Applications, section 6.1: the backend-for-frontend). [`login`] and [`callback`] are the two ends of the authorization
//! code grant with `transaction` between them; [`session_store`] keeps what comes of it; [`guard`] stands before every
//! route; `refresh` keeps access tokens fresh; [`session_ends`] is how all that hangs on a session learns of its end.

pub mod backchannel;
pub mod callback;
pub mod csrf;
pub mod guard;
mod keys;
pub mod live_token;
pub mod login;
pub mod logout;
pub mod operators;
pub mod own_sessions;
mod provider;
pub(crate) mod random;
mod refresh;
pub mod renew;
pub mod return_to;
mod seal;
pub mod service_tokens;
pub mod session_ends;
mod session_key;
pub mod session_store;
pub mod session_view;
pub mod step_up;
pub mod tokens;
mod transaction;

use std::{ops::Deref, sync::Arc, time::Duration};

use actix_session::{
    SessionMiddleware,
    config::{BrowserSession, CookieContentSecurity},
};
use actix_web::cookie::Cookie;
use anyhow::Context;
use shared_lib::{
    clock::Clock,
    downstream::Downstream,
    jwt::IdTokenVerifier,
    oauth::{ProviderClient, ProviderSettings, ProviderShared},
    problem::{Problem, kinds},
};
use tokio::task::JoinSet;

use self::{
    csrf::Csrf,
    keys::Keys,
    logout::Tickets,
    refresh::Refreshes,
    seal::Seal,
    session_key::CookieKeys,
    session_store::{
        CurrentSession, Identity, MemoryRecords, SessionRecords, Sessions, TokenSeals,
        redis::{Connection, RedisRecords, follow},
    },
    transaction::Transactions,
};
use crate::settings::{SessionStoreKind, WebSettings};

/// How long after signing out the provider can still be told.
const LOGOUT_TICKET_LIFETIME: Duration = Duration::from_secs(300);

/// What all workers share.
pub struct Auth {
    settings: Arc<WebSettings>,
    clock: Clock,
    cookie_keys: CookieKeys,
    csrf: Csrf,
    transactions: Transactions,
    logout_tickets: Tickets,
    sessions: Sessions,
    refreshes: Refreshes,
    provider: ProviderShared,
    /// What goes on beside the requests, for as long as this exists.
    _tasks: JoinSet<()>,
}

impl Auth {
    /// From the settings. Nothing is asked of the provider yet, so one that is away does not stop the start.
    ///
    /// # Errors
    /// Settings that name no provider that can be talked to.
    pub fn new(settings: Arc<WebSettings>, clock: Clock) -> anyhow::Result<Self> {
        let keys = Keys::new(&settings.session);
        let session = &settings.session;
        let (idle, absolute) = (session.idle_timeout(), session.absolute_timeout());
        let (records, redis): (Arc<dyn SessionRecords>, _) = match session.store {
            SessionStoreKind::Memory => {
                (Arc::new(MemoryRecords::new(clock.clone(), idle, absolute, session.max_sessions)), None)
            }
            SessionStoreKind::Redis => {
                let connection = Connection::new(&settings.redis)?;
                let records = RedisRecords::new(connection.clone(), clock.clone(), idle, absolute);
                (Arc::new(records), Some(connection))
            }
        };
        let is_secure = settings.is_secure();
        let origin = settings.server.public_origin.origin().ascii_serialization();
        let login_seal = Seal::new(&keys.derive("login")?, session.login_lifetime());
        let cookie_keys = CookieKeys::new(&keys.derive("session cookie")?, settings.session_cookie_name());
        let csrf = Csrf::new(&keys.derive("csrf")?, origin, settings.cors.allowed_origins.to_vec(), is_secure);
        let logout_tickets = Seal::new(&keys.derive("logout")?, LOGOUT_TICKET_LIFETIME);
        let sessions = Sessions::new(records, TokenSeals::new(keys), idle, clock.clone());
        let provider = ProviderShared::new(provider_settings(&settings)?, clock.clone())?;
        if !settings.oidc.audiences.is_empty() {
            let provider = provider.clone();
            sessions.ends().on_every_end(move |id| provider.forget_session(*id.as_bytes()));
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(sessions.clone().watch_time());
        if let Some(connection) = redis {
            tasks.spawn(follow(connection, sessions.clone()));
        }
        Ok(Self {
            cookie_keys,
            csrf,
            transactions: Transactions::new(login_seal, is_secure, session.max_logins),
            logout_tickets,
            sessions,
            refreshes: Refreshes::default(),
            provider,
            settings,
            clock,
            _tasks: tasks,
        })
    }

    /// What has the middleware take cookies that a former key has signed.
    #[must_use]
    pub fn cookie_keys(&self) -> CookieKeys {
        self.cookie_keys.clone()
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// How many tokens are kept at the moment that users' tokens were exchanged for.
    #[must_use]
    pub fn exchanged_tokens(&self) -> u64 {
        self.provider.exchanged_tokens()
    }

    /// The middleware that loads the session of a request.
    #[must_use]
    pub fn session_middleware(&self) -> SessionMiddleware<Sessions> {
        let session = &self.settings.session;
        let is_secure = self.settings.is_secure();
        SessionMiddleware::builder(self.sessions.clone(), self.cookie_keys.present())
            .cookie_name(self.settings.session_cookie_name())
            .cookie_secure(is_secure)
            .cookie_http_only(true)
            .cookie_same_site(session.cookie_same_site.into())
            .cookie_path("/".to_owned())
            .cookie_content_security(CookieContentSecurity::Signed)
            .session_lifecycle(BrowserSession::default())
            .build()
    }
}

fn provider_settings(settings: &WebSettings) -> anyhow::Result<ProviderSettings> {
    let oidc = &settings.oidc;
    let client_auth = oidc.client_auth().context("[oidc] client_key cannot be used")?;
    Ok(ProviderSettings::new(&oidc.issuer, &oidc.client_id, client_auth).in_environment(settings.environment))
}

/// What a worker has of it. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct WorkerAuth {
    shared: Arc<Auth>,
    provider: ProviderClient,
    id_tokens: IdTokenVerifier,
}

impl WorkerAuth {
    /// For the worker that calls this; `provider` is its downstream of that name.
    #[must_use]
    pub fn new(shared: Arc<Auth>, provider: Downstream) -> Self {
        let provider = ProviderClient::new(shared.provider.clone(), provider);
        let id_tokens = provider.id_token_verifier();
        Self { shared, provider, id_tokens }
    }

    /// A cookie with a fresh CSRF token for this session, or for someone who is not signed in.
    #[must_use]
    pub fn csrf_cookie(&self, identity: Option<&Identity>) -> Cookie<'static> {
        self.csrf.cookie(identity.map(|identity| identity.handle.as_str()))
    }
}

impl WorkerAuth {
    /// The session of this request.
    ///
    /// # Errors
    /// `unauthenticated` when nobody is signed in, `sessions-unavailable` when that cannot be said.
    pub fn require_session(&self, session: &actix_session::Session) -> Result<CurrentSession, Problem> {
        self.sessions.current(session)?.ok_or_else(|| Problem::new(&kinds::UNAUTHENTICATED))
    }
}

impl Deref for WorkerAuth {
    type Target = Auth;

    fn deref(&self) -> &Auth {
        &self.shared
    }
}
