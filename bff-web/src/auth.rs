//! How people get in: sign-in at an OpenID provider, a session in a cookie, and nothing else in the browser.
//!
//! The browser holds a session key and a CSRF token. Access and refresh tokens stay here (OAuth 2.0 for Browser-Based
//! Applications, section 6.1: the backend-for-frontend). [`login`] and [`callback`] are the two ends of the authorization
//! code grant with `transaction` between them; [`session_store`] keeps what comes of it; [`guard`] stands before every
//! route; [`tokens`] keeps access tokens fresh.

pub mod callback;
pub mod csrf;
pub mod guard;
mod keys;
pub mod login;
pub mod logout;
mod provider;
pub(crate) mod random;
pub mod return_to;
mod seal;
pub mod session_store;
pub mod session_view;
pub mod tokens;
mod transaction;

use std::{ops::Deref, sync::Arc, time::Duration};

use actix_session::{
    SessionMiddleware,
    config::{BrowserSession, CookieContentSecurity},
};
use actix_web::cookie::{Cookie, Key};
use hmac::{Hmac, Mac};
use shared_lib::{
    clock::Clock,
    downstream::Downstream,
    jwt::IdTokenVerifier,
    oauth::{ClientAuth, ProviderClient, ProviderSettings, ProviderShared},
};

use self::{
    csrf::Csrf,
    keys::Keys,
    logout::Tickets,
    seal::Seal,
    session_store::{Identity, MemoryRecords, Sessions},
    tokens::Refreshes,
    transaction::Transactions,
};
use crate::settings::{ClientAuthentication, SessionStoreKind, WebSettings};

/// How long after signing out the provider can still be told.
const LOGOUT_TICKET_LIFETIME: Duration = Duration::from_secs(300);

/// What all workers share.
pub struct Auth {
    settings: Arc<WebSettings>,
    clock: Clock,
    cookie_key: Key,
    csrf: Csrf,
    transactions: Transactions,
    logout_tickets: Tickets,
    sessions: Sessions,
    refreshes: Refreshes,
    provider: ProviderShared,
}

impl Auth {
    /// From the settings. Nothing is asked of the provider yet, so one that is away does not stop the start.
    ///
    /// # Errors
    /// Settings that name no provider that can be talked to.
    pub fn new(settings: Arc<WebSettings>, clock: Clock) -> anyhow::Result<Self> {
        let keys = Keys::new(&settings.session.key);
        let session = &settings.session;
        let (idle, absolute) = (session.idle_timeout(), session.absolute_timeout());
        let records = match session.store {
            SessionStoreKind::Memory => {
                Arc::new(MemoryRecords::new(clock.clone(), idle, absolute, session.max_sessions))
            }
        };
        let is_secure = settings.is_secure();
        let origin = settings.server.public_origin.origin().ascii_serialization();
        let login_seal = Seal::new(keys.derive("login")?, session.login_lifetime());
        Ok(Self {
            cookie_key: Key::from(&keys.derive::<64>("session cookie")?),
            csrf: Csrf::new(Hmac::new(&keys.derive::<64>("csrf")?.into()), origin, is_secure),
            transactions: Transactions::new(login_seal, is_secure, session.max_logins),
            logout_tickets: Seal::new(keys.derive("logout")?, LOGOUT_TICKET_LIFETIME),
            sessions: Sessions::new(records, idle, clock.clone()),
            refreshes: Refreshes::default(),
            provider: ProviderShared::new(provider_settings(&settings), clock.clone())?,
            settings,
            clock,
        })
    }

    /// The middleware that loads the session of a request.
    #[must_use]
    pub fn session_middleware(&self) -> SessionMiddleware<Sessions> {
        let session = &self.settings.session;
        let is_secure = self.settings.is_secure();
        // The prefix has browsers refuse the cookie unless it is Secure, of this host alone and for all its paths
        // (RFC 6265bis section 4.1.3.2).
        let prefix = if is_secure { "__Host-" } else { "" };
        SessionMiddleware::builder(self.sessions.clone(), self.cookie_key.clone())
            .cookie_name(format!("{prefix}{}", session.cookie_name))
            .cookie_secure(is_secure)
            .cookie_http_only(true)
            .cookie_same_site(session.cookie_same_site.into())
            .cookie_path("/".to_owned())
            .cookie_content_security(CookieContentSecurity::Signed)
            .session_lifecycle(BrowserSession::default())
            .build()
    }
}

fn provider_settings(settings: &WebSettings) -> ProviderSettings {
    let oidc = &settings.oidc;
    let secret = oidc.client_secret.clone();
    let client_auth = match oidc.client_authentication {
        ClientAuthentication::ClientSecretBasic => ClientAuth::SecretBasic(secret),
        ClientAuthentication::ClientSecretPost => ClientAuth::SecretPost(secret),
    };
    ProviderSettings::new(&oidc.issuer, &oidc.client_id, client_auth).in_environment(settings.environment)
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

impl Deref for WorkerAuth {
    type Target = Auth;

    fn deref(&self) -> &Auth {
        &self.shared
    }
}
