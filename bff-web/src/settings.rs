//! The settings of `bff-web`; `config/default.toml` explains each key and is the built-in layer.

mod api_docs;
mod chat;
mod cors;
mod http_cache;
mod oidc;
mod proxy;
mod redis;
mod session;
mod spa;

use serde::Deserialize;
use shared_lib::{
    downstream::{DownstreamSettings, DownstreamsSettings},
    service::ServiceSettings,
    settings::{Environment, Findings, ManagementSettings, ServerSettings, Settings, TelemetrySettings},
    stream::StreamSettings,
    versioning::VersionSettings,
};
use url::Url;

pub use api_docs::ApiDocsSettings;
pub use chat::ChatSettings;
pub use cors::CorsSettings;
pub use http_cache::HttpCacheSettings;
pub use oidc::{ClientAssertionAudience, ClientAuthentication, OidcSettings};
pub use proxy::{ProxiedSettings, ProxyAccess, ProxySettings};
pub use redis::{RedisClientError, RedisSettings};
pub use session::{SameSiteSetting, SessionSettings, SessionStoreKind};
pub use spa::SpaSettings;

/// The name of the downstream that is the OpenID provider.
pub(crate) const PROVIDER: &str = "provider";

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSettings {
    /// Development or production.
    pub environment: Environment,
    /// The public listener.
    pub server: ServerSettings,
    /// The management listener.
    pub management: ManagementSettings,
    /// The OpenID provider.
    pub oidc: OidcSettings,
    /// Sessions and their cookies.
    pub session: SessionSettings,
    /// Where sessions are when more than one replica keeps them.
    pub redis: RedisSettings,
    /// What others may keep of public answers.
    pub http_cache: HttpCacheSettings,
    /// Streams of server-sent events.
    pub streams: StreamSettings,
    /// Support chats.
    pub chat: ChatSettings,
    /// The application and its pages.
    pub spa: SpaSettings,
    /// Pages of other origins, in development.
    pub cors: CorsSettings,
    /// Whether the contract is shown.
    pub api_docs: ApiDocsSettings,
    /// The end of version 1.
    pub api_v1: VersionSettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
    /// The services behind.
    pub downstreams: DownstreamsSettings,
    /// Addresses that lead to one of them as it is.
    #[serde(default)]
    pub proxy: ProxySettings,
}

impl WebSettings {
    /// Whether browsers reach this service over TLS, so that cookies are Secure and have the `__Host-` prefix.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.server.public_origin.scheme() == "https"
    }

    /// The session cookie's name with its prefix, which has browsers refuse the cookie unless it is Secure, of this host
    /// alone and for all its paths (RFC 6265bis section 4.1.3.2).
    #[must_use]
    pub fn session_cookie_name(&self) -> String {
        let prefix = if self.is_secure() { "__Host-" } else { "" };
        format!("{prefix}{}", self.session.cookie_name)
    }
}

impl Settings for WebSettings {
    const PREFIX: &'static str = "BFF_WEB";
    const DEFAULTS: &'static str = include_str!("../config/default.toml");
    const DEFAULTS_NAME: &'static str = "bff-web/config/default.toml";
    const SECRETS: &'static [&'static str] = &[
        "downstreams.*.cache.shared_url",
        "management.operator_token",
        "oidc.client_secret",
        "oidc.client_key",
        "session.key",
        "session.previous_keys",
        "redis.url",
    ];

    fn audit(&self, findings: &mut Findings) {
        self.server.audit("server", findings);
        self.management.audit("management", findings);
        self.telemetry.audit("telemetry", findings);
        self.oidc.audit("oidc", findings);
        self.oidc.audit_audiences("oidc", &self.downstreams, findings);
        if !self.proxy.is_empty() {
            proxy::audit(&self.proxy, crate::views::routes().routes(), &self.downstreams, findings);
        }
        self.session.audit("session", findings);
        self.http_cache.audit("http_cache", findings);
        self.streams.audit("streams", findings);
        self.chat.audit(self.environment, findings);
        self.spa.audit("spa", findings);
        self.cors.audit("cors", findings);
        self.api_v1.audit("api_v1", findings);
        self.redis.audit("redis", findings);
        for (name, downstream) in &self.downstreams {
            downstream.audit(&format!("downstreams.{name}"), findings);
        }
        if self.environment.is_production() {
            self.server.audit_production("server", findings);
            self.oidc.audit_production("oidc", findings);
            if self.session.store == SessionStoreKind::Redis {
                self.redis.audit_production("redis", findings);
            }
            if let Some(provider) = self.downstreams.get(PROVIDER) {
                let is_https = provider.urls.iter().all(|url| url.starts_with("https://"));
                let message = "must be https in production: this service's credentials and the users' tokens go there";
                findings.require(is_https, format!("downstreams.{PROVIDER}.urls"), message);
            }
            self.spa.audit_production("spa", findings);
            self.cors.audit_production("cors", findings);
        }
    }
}

impl ServiceSettings for WebSettings {
    fn environment(&self) -> Environment {
        self.environment
    }

    fn server(&self) -> &ServerSettings {
        &self.server
    }

    fn management(&self) -> &ManagementSettings {
        &self.management
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }

    fn downstreams(&self) -> DownstreamsSettings {
        let mut downstreams = self.downstreams.clone();
        // The audit has found that the issuer is an address; without one there is no provider to call.
        if let Ok(issuer) = Url::parse(&self.oidc.issuer) {
            downstreams.entry(PROVIDER.to_owned()).or_insert_with(|| DownstreamSettings::for_address(&issuer));
        }
        downstreams
    }
}
