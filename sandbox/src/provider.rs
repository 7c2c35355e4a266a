//! An OpenID provider for development and tests, as strict as the ones that people meet in production.
//!
//! It speaks OpenID Connect Core, Discovery, RP-Initiated and Back-Channel Logout; OAuth 2.0 with PKCE (RFC 7636),
//! pushed requests (RFC 9126), token exchange (RFC 8693), revocation (RFC 7009), DPoP (RFC 9449), the `iss` parameter
//! (RFC 9207) and JWT access tokens (RFC 9068). Refresh tokens rotate at each use, and reuse revokes the family, so
//! that a client which refreshes twice is found out here and not by its users.
//!
//! All of its state is in memory and bounded; a restart forgets it.

mod authorization;
mod authorize;
mod backchannel;
mod client_auth;
mod clients;
mod counters;
mod dev;
mod discovery;
mod dpop;
mod expiring;
mod handle;
mod keys;
mod login;
mod logout;
mod mint;
mod pages;
mod par;
mod params;
mod pkce;
mod random;
mod redirects;
mod refusal;
mod revocation;
mod scopes;
mod settings;
mod sso;
mod state;
mod token;
mod tokens;
mod userinfo;
mod users;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use actix_web::web;

use crate::clock::Clock;

pub use backchannel::{DeliveryOutcome, LogoutDelivery};
pub use clients::{Client, ExchangeRule, GrantType, SERVICES as SERVICES_AUDIENCE};
pub use counters::Counters;
pub use handle::{LiveSession, ProviderHandle, SessionSelector};
pub use mint::{JwtBuilder, SigningChoice};
pub use settings::ProviderSettings;
pub use state::Acr;
pub use users::{MFA_CODE, User};

use backchannel::Courier;
use clients::ClientRegistry;
use counters::LiveCounters;
use dpop::Nonces;
use keys::{KeyRing, SigningKey};
use pages::FormKey;
use state::State;

/// Why the provider cannot start, or cannot do its part of a request.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The operating system gave no random bytes.
    #[error("no random bytes to be had")]
    Random,
    /// The signing key cannot be made or used.
    #[error("signing key: {0}")]
    SigningKey(&'static str),
    /// The file with the signing key cannot be read.
    #[error("cannot read the signing key from {}", path.display())]
    SigningKeyFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A token cannot be signed.
    #[error("cannot sign a token")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// The thread that delivers logout tokens cannot be started.
    #[error("cannot start the thread that delivers logout tokens")]
    Courier(#[source] std::io::Error),
    /// There is no such user.
    #[error("there is no user {0:?}")]
    UnknownUser(String),
    /// There is no such client.
    #[error("there is no client {0:?}")]
    UnknownClient(String),
}

/// The provider: a cheap handle on state that all its clones share.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    clock: Clock,
    issuer: RwLock<String>,
    settings: RwLock<ProviderSettings>,
    clients: RwLock<ClientRegistry>,
    keys: RwLock<KeyRing>,
    state: Mutex<State>,
    counters: LiveCounters,
    nonces: Nonces,
    form_key: FormKey,
    courier: Courier,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is behind it are keys and tokens.
        f.debug_struct("Provider").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider with fresh state.
    ///
    /// # Errors
    /// When the signing key cannot be read or made, or there are no random bytes.
    pub fn new(settings: ProviderSettings, clock: Clock) -> Result<Self, ProviderError> {
        // Named, because a process with two cryptography back ends compiled in has no default one. An error means
        // that one is installed already, which is as good.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let key = match &settings.signing_key_file {
            Some(path) => SigningKey::read(path)?,
            None => SigningKey::generate()?,
        };
        let issuer = settings.issuer.as_deref().unwrap_or("http://localhost:9000");
        Ok(Self(Arc::new(Inner {
            clock,
            issuer: RwLock::new(issuer.trim_end_matches('/').to_owned()),
            clients: RwLock::new(ClientRegistry::new(&settings)),
            keys: RwLock::new(KeyRing::new(key)),
            state: Mutex::new(State::new()),
            counters: LiveCounters::default(),
            nonces: Nonces::new()?,
            form_key: FormKey::new()?,
            courier: Courier::start()?,
            settings: RwLock::new(settings),
        })))
    }

    /// Says at which address the provider can be reached, once that is known. An issuer that the settings name
    /// stays.
    pub fn set_issuer(&self, issuer: &str) {
        if self.settings(|settings| settings.issuer.is_none()) {
            issuer.trim_end_matches('/').clone_into(&mut self.0.issuer.write().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The issuer identifier, exactly as in discovery and in tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.0.issuer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What tests use in process.
    #[must_use]
    pub fn handle(&self) -> ProviderHandle {
        ProviderHandle::new(self.clone())
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn counters(&self) -> &LiveCounters {
        &self.0.counters
    }

    fn nonces(&self) -> &Nonces {
        &self.0.nonces
    }

    fn form_key(&self) -> &FormKey {
        &self.0.form_key
    }

    fn courier(&self) -> &Courier {
        &self.0.courier
    }

    fn client(&self, id: &str) -> Option<Client> {
        self.0.clients.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn settings<R>(&self, read: impl FnOnce(&ProviderSettings) -> R) -> R {
        read(&self.0.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn keys<R>(&self, read: impl FnOnce(&KeyRing) -> R) -> R {
        read(&self.0.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The one way to the state. `change` must not ask for the state again.
    fn state<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Registers all routes of the provider.
pub fn configure(provider: Provider) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    move |config| {
        config
            .app_data(web::Data::new(provider.clone()))
            .route("/.well-known/openid-configuration", web::get().to(discovery::get_metadata))
            .route("/.well-known/oauth-authorization-server", web::get().to(discovery::get_metadata))
            .route("/jwks", web::get().to(discovery::get_jwks))
            .route("/authorize", web::get().to(authorize::get_authorize))
            .route("/authorize", web::post().to(authorize::post_authorize))
            .route("/login", web::post().to(login::post_login))
            .route("/par", web::post().to(par::post_par))
            .route("/token", web::post().to(token::post_token))
            .route("/userinfo", web::get().to(userinfo::get_userinfo))
            .route("/userinfo", web::post().to(userinfo::get_userinfo))
            .route("/revoke", web::post().to(revocation::post_revoke))
            .route("/logout", web::get().to(logout::get_logout))
            .route("/logout", web::post().to(logout::post_logout))
            .route("/logout/confirm", web::post().to(logout::post_confirm))
            .route("/dev/token", web::post().to(dev::post_token))
            .route("/dev/rotate-keys", web::post().to(dev::post_rotate_keys))
            .route("/dev/end-session", web::post().to(dev::post_end_session))
            .route("/dev/sessions", web::get().to(dev::get_sessions))
            .route("/dev/counters", web::get().to(dev::get_counters));
    }
}
