//! The settings of this BFF. `config/default.toml` says what each key means.

mod idempotency;
mod keys;
mod oidc;
mod plans;
mod redis;
mod versions;

use serde::Deserialize;
use shared_lib::{
    downstream::{DownstreamSettings, DownstreamsSettings},
    service::ServiceSettings,
    settings::{Environment, Findings, ManagementSettings, ServerSettings, Settings, TelemetrySettings},
};
use url::Url;

pub use self::{
    idempotency::IdempotencySettings,
    keys::KeysSettings,
    oidc::OidcSettings,
    plans::{
        LimitsSettings, PartnerLimitsSettings, PartnersSettings, PlanSettings, PlansSettings, QuotaSettings,
        RateSettings,
    },
    redis::RedisSettings,
    versions::VersionsSettings,
};

/// The downstream that stands for the OpenID provider.
pub const PROVIDER: &str = "provider";

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerSettings {
    /// Where it runs.
    pub environment: Environment,
    /// The public listener.
    pub server: ServerSettings,
    /// The management listener.
    pub management: ManagementSettings,
    /// Logs and traces.
    pub telemetry: TelemetrySettings,
    /// The API keys.
    pub keys: KeysSettings,
    /// How long operations are remembered.
    pub idempotency: IdempotencySettings,
    /// Where replicas count together.
    pub redis: RedisSettings,
    /// What all plans share.
    pub limits: LimitsSettings,
    /// The plans by name.
    pub plans: PlansSettings,
    /// What partners have other than their plans say.
    #[serde(default)]
    pub partners: PartnersSettings,
    /// The ends of the versions of the API.
    #[serde(default)]
    pub versions: VersionsSettings,
    /// This BFF as a client of the OpenID provider, where it gets its own tokens.
    pub oidc: OidcSettings,
    /// The services behind it.
    pub downstreams: DownstreamsSettings,
}

impl Settings for PartnerSettings {
    const PREFIX: &'static str = "BFF_PARTNER";
    const DEFAULTS: &'static str = include_str!("../config/default.toml");
    const DEFAULTS_NAME: &'static str = "bff-partner/config/default.toml";
    const SECRETS: &'static [&'static str] = &[
        "downstreams.*.cache.shared_url",
        "management.operator_token",
        "keys.checksum_key",
        "keys.database_url",
        "oidc.client_secret",
        "redis.url",
    ];

    fn audit(&self, findings: &mut Findings) {
        self.server.audit("server", findings);
        self.management.audit("management", findings);
        self.telemetry.audit("telemetry", findings);
        self.keys.audit("keys", findings);
        let longest = self.server.request_timeout_ms;
        self.idempotency.audit("idempotency", longest, findings);
        self.redis.audit("redis", findings);
        self.limits.audit("limits", findings);
        plans::audit(&self.plans, "plans", findings);
        plans::audit_partners(&self.partners, "partners", findings);
        self.versions.audit("versions", findings);
        self.oidc.audit("oidc", findings);
        for (name, downstream) in &self.downstreams {
            downstream.audit(&format!("downstreams.{name}"), findings);
        }
        if self.environment.is_production() {
            self.server.audit_production("server", findings);
            self.keys.audit_production("keys", findings);
            self.oidc.audit_production("oidc", findings);
        }
    }
}

impl ServiceSettings for PartnerSettings {
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
        // An issuer that is no address does not get past the audit.
        if let Ok(issuer) = Url::parse(&self.oidc.issuer) {
            downstreams.entry(PROVIDER.to_owned()).or_insert_with(|| DownstreamSettings::for_address(&issuer));
        }
        downstreams
    }
}
