//! The settings of this BFF. `config/default.toml` says what each key means.

mod dpop;
mod graphql;
mod jwt;
mod oidc;
mod rollout;

use serde::Deserialize;
use shared_lib::{
    downstream::{DownstreamSettings, DownstreamsSettings},
    service::ServiceSettings,
    settings::{Environment, Findings, ManagementSettings, ServerSettings, Settings, TelemetrySettings},
};
use url::Url;

pub use self::{
    dpop::DpopSettings,
    graphql::{Documents, GraphqlSettings},
    jwt::{JwtProfile, JwtSettings},
    oidc::OidcSettings,
    rollout::RolloutSettings,
};

/// The downstream that stands for the OpenID provider.
pub const PROVIDER: &str = "provider";
/// The downstream that stands for the host of `[jwt] jwks_url`.
pub const SIGNING_KEYS: &str = "signing_keys";

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MobileSettings {
    /// Where it runs.
    pub environment: Environment,
    /// The public listener.
    pub server: ServerSettings,
    /// The management listener.
    pub management: ManagementSettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
    /// The access tokens that are accepted.
    pub jwt: JwtSettings,
    /// This BFF as a client of the OpenID provider, where it exchanges its callers' tokens.
    pub oidc: OidcSettings,
    /// How proofs of possession are checked.
    pub dpop: DpopSettings,
    /// The graph.
    pub graphql: GraphqlSettings,
    /// Minimum versions of the app, and feature flags.
    pub rollout: RolloutSettings,
    /// The services behind it.
    pub downstreams: DownstreamsSettings,
}

impl MobileSettings {
    /// The issuer of the provider where tokens are exchanged.
    #[must_use]
    pub fn provider_issuer(&self) -> &str {
        self.oidc.issuer.as_deref().unwrap_or(&self.jwt.issuer)
    }
}

impl Settings for MobileSettings {
    const PREFIX: &'static str = "BFF_MOBILE";
    const DEFAULTS: &'static str = include_str!("../config/default.toml");
    const DEFAULTS_NAME: &'static str = "bff-mobile/config/default.toml";
    const SECRETS: &'static [&'static str] =
        &["downstreams.*.cache.shared_url", "management.operator_token", "oidc.client_secret", "dpop.nonce_key"];

    fn audit(&self, findings: &mut Findings) {
        self.server.audit("server", findings);
        self.management.audit("management", findings);
        self.telemetry.audit("telemetry", findings);
        self.jwt.audit("jwt", findings);
        self.oidc.audit("oidc", findings);
        self.dpop.audit("dpop", findings);
        self.graphql.audit("graphql", findings);
        self.rollout.audit("rollout", findings);
        for (name, downstream) in &self.downstreams {
            downstream.audit(&format!("downstreams.{name}"), findings);
        }
        findings.require(
            self.jwt.jwks_url.is_some() || self.provider_issuer() == self.jwt.issuer,
            "jwt.jwks_url",
            "must be set when [oidc] issuer and [jwt] issuer differ, because only the former's metadata is read",
        );
        if self.environment.is_production() {
            self.server.audit_production("server", findings);
            self.jwt.audit_production("jwt", findings);
            self.oidc.audit_production("oidc", findings);
        }
    }
}

impl ServiceSettings for MobileSettings {
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
        let mut stands_for = |name: &str, url: &Url| {
            downstreams.entry(name.to_owned()).or_insert_with(|| DownstreamSettings::for_address(url));
        };
        // An issuer that is no address does not get past the audit.
        if let Ok(issuer) = Url::parse(self.provider_issuer()) {
            stands_for(PROVIDER, &issuer);
        }
        if let Some(url) = &self.jwt.jwks_url {
            stands_for(SIGNING_KEYS, url);
        }
        downstreams
    }
}

/// Whether the text is an issuer identifier: an address without query and fragment (RFC 8414 section 2). Plain http is
/// for development.
fn is_issuer(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    })
}
