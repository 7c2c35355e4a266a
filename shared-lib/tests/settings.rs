//! How settings are layered, typed and refused, seen from a service.

#[path = "settings/secrets.rs"]
mod secrets;

use std::collections::BTreeMap;
use std::io::Write;

use serde::Deserialize;
use shared_lib::settings::{
    Environment, Findings, ManagementSettings, Secret, ServerSettings, Settings, SettingsError, Sources,
    TelemetrySettings, load,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    environment: Environment,
    server: ServerSettings,
    management: ManagementSettings,
    telemetry: TelemetrySettings,
    oidc: Oidc,
    redis: Redis,
    downstreams: BTreeMap<String, Downstream>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oidc {
    client_id: String,
    client_secret: Secret,
    scopes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Redis {
    url: url::Url,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Downstream {
    urls: Vec<url::Url>,
    timeout_ms: u32,
    token: Option<Secret>,
}

impl Settings for Sample {
    const PREFIX: &'static str = "BFF_WEB";
    const DEFAULTS: &'static str = r#"
environment = "development"

[server]
host = "127.0.0.1"
port = 8080
public_origin = "http://localhost:8080"
workers = 0
trusted_proxies = []
request_timeout_ms = 10000
header_timeout_ms = 5000
keep_alive_ms = 30000
max_body_bytes = 262144
max_header_bytes = 16384
max_connections = 10000
drain_delay_ms = 0
drain_timeout_ms = 10000

[management]
host = "127.0.0.1"
port = 8180
operator_token = "dev-only-operator-token"

[telemetry]
log_format = "pretty"
log_level = "info"
service_name = ""
otlp_endpoint = ""
continue_traces_of = "trusted_proxies"
trace_sample_ratio = 1.0
export_interval_ms = 5000
export_timeout_ms = 3000

[oidc]
client_id = "bff-web"
client_secret = "dev-only-secret"
scopes = ["openid", "profile"]

[redis]
url = "redis://localhost:6379"

[downstreams.catalog]
urls = ["http://localhost:9100/catalog"]
timeout_ms = 800
"#;
    const DEFAULTS_NAME: &'static str = "bff-web/config/default.toml";
    const SECRETS: &'static [&'static str] =
        &["management.operator_token", "oidc.client_secret", "redis.url", "downstreams.*.token"];

    fn audit(&self, findings: &mut Findings) {
        self.server.audit("server", findings);
        self.management.audit("management", findings);
        self.telemetry.audit("telemetry", findings);
        for (name, downstream) in &self.downstreams {
            findings.require(
                downstream.timeout_ms <= 60_000,
                format!("downstreams.{name}.timeout_ms"),
                "must be at most 60000",
            );
        }
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("room on the disk");
    file
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn from_env(pairs: &[(&str, &str)]) -> Result<Sample, SettingsError> {
    load(&Sources { file: None, env: variables(pairs) })
}

fn from_file(text: &str) -> (String, Result<Sample, SettingsError>) {
    let file = file(text);
    let result = load(&Sources { file: Some(file.path().to_owned()), env: Vec::new() });
    (file.path().display().to_string(), result)
}

/// The message of a load that must fail, after a check that neither it nor its debug text shows a secret.
fn refused(result: Result<Sample, SettingsError>) -> String {
    let fault = result.expect_err("the settings are wrong");
    let (shown, debug) = (fault.to_string(), format!("{fault:?}"));
    assert!(!shown.contains("s3cr3t") && !debug.contains("s3cr3t"), "a secret is shown: {shown}");
    shown
}

fn lines(message: &str) -> Vec<&str> {
    message.lines().skip(1).map(str::trim).collect()
}

#[test]
fn the_defaults_alone_are_valid() {
    let settings = from_env(&[]).expect("the defaults are valid");
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!(settings.server.port, 8080);
    assert_eq!(settings.server.request_timeout().as_secs(), 10);
    assert!(settings.server.worker_count() >= 1);
    assert_eq!(settings.telemetry.service_name, None);
    assert_eq!(settings.telemetry.otlp_endpoint, None);
    assert_eq!(settings.oidc.client_id, "bff-web");
    assert_eq!(settings.redis.url.as_str(), "redis://localhost:6379");
    assert!(settings.downstreams["catalog"].token.is_none());
}

#[test]
fn the_file_overrides_the_defaults_and_the_environment_overrides_the_file() {
    let file = file("[server]\nport = 1000\nmax_body_bytes = 1\n[downstreams.catalog]\ntimeout_ms = 5\n");
    let settings: Sample = load(&Sources {
        file: Some(file.path().to_owned()),
        env: variables(&[("BFF_WEB__SERVER__PORT", "2000"), ("BFF_WEB_SERVICE_HOST", "10.0.0.1")]),
    })
    .expect("valid settings");
    assert_eq!(settings.server.port, 2000);
    assert_eq!(settings.server.max_body_bytes, 1);
    assert_eq!(settings.server.max_header_bytes, 16384);
    assert_eq!(settings.downstreams["catalog"].timeout_ms, 5);
    assert_eq!(settings.downstreams["catalog"].urls.len(), 1);
}

#[test]
fn text_from_the_environment_is_read_as_the_type_asks() {
    let settings = from_env(&[
        ("BFF_WEB__SERVER__HOST", "0123"),
        ("BFF_WEB__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
        ("BFF_WEB__OIDC__SCOPES", ""),
        ("BFF_WEB__OIDC__CLIENT_SECRET", "42"),
        ("BFF_WEB__TELEMETRY__TRACE_SAMPLE_RATIO", "0.25"),
        ("BFF_WEB__TELEMETRY__LOG_FORMAT", "json"),
        ("BFF_WEB__MANAGEMENT__OPERATOR_TOKEN", ""),
        ("BFF_WEB__DOWNSTREAMS__ORDERS__URLS", "http://a:1/,http://b:2/"),
        ("BFF_WEB__DOWNSTREAMS__ORDERS__TIMEOUT_MS", "900"),
    ])
    .expect("valid settings");
    assert_eq!(settings.server.host, "0123");
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert!(settings.oidc.scopes.is_empty());
    assert_eq!(settings.oidc.client_secret.expose(), "42");
    assert!((settings.telemetry.trace_sample_ratio - 0.25).abs() < f64::EPSILON);
    assert!(settings.management.operator_token.is_none());
    assert_eq!(settings.downstreams["orders"].urls[1].as_str(), "http://b:2/");
}

#[test]
fn all_faults_of_all_layers_are_reported_at_once_with_path_origin_and_remedy() {
    let file = file("[server]\nprot = 1\nmax_connections = \"many\"\n[downstreams.orders]\nurls = [\"nonsense\"]\n");
    let message = refused(load(&Sources {
        file: Some(file.path().to_owned()),
        env: variables(&[
            ("BFF_WEB__SERVER__PORT", "70000"),
            ("BFF_WEB__TELEMETRY__LOG_FORMAT", "jason"),
            ("BFF_WEB__DOWNSTREAMS__CATALOG__TIMEOUT_MS", "90000"),
            ("BFF_WEB__OICD__CLIENT_ID", "x"),
        ]),
    }));
    let path = file.path().display();
    for wanted in [
        "server.port: expected an integer from 0 to 65535, found the text \"70000\" [environment variable BFF_WEB__SERVER__PORT]".to_owned(),
        format!("server.max_connections: expected an integer from 0 to 18446744073709551615, found the text \"many\" [file {path}]"),
        format!("downstreams.orders.timeout_ms: required, but no layer gives it [file {path}]"),
        "downstreams.catalog.timeout_ms: must be at most 60000 [environment variable BFF_WEB__DOWNSTREAMS__CATALOG__TIMEOUT_MS]".to_owned(),
        "telemetry.log_format: expected one of json, pretty, found the text \"jason\". Did you mean `json`? [environment variable BFF_WEB__TELEMETRY__LOG_FORMAT]".to_owned(),
    ] {
        assert!(lines(&message).contains(&wanted.as_str()), "{wanted}\nis not in\n{message}");
    }
    let starting = |start: &str| lines(&message).into_iter().find(|line| line.starts_with(start)).map(str::to_owned);
    let prot = starting("server.prot:").expect("the unknown key is reported");
    assert!(
        prot.contains("unknown key. Did you mean `port`? Known here: adaptive_limit, drain_delay_ms, ")
            && prot.ends_with(&format!("[file {path}]")),
        "{prot}"
    );
    let oicd = starting("oicd:").expect("the unknown section is reported");
    assert!(
        oicd.contains("Did you mean `oidc`?") && oicd.ends_with("[environment variable BFF_WEB__OICD__CLIENT_ID]"),
        "{oicd}"
    );
    assert!(starting("downstreams.orders.urls[0]:").is_some_and(|line| line.contains("\"nonsense\"")), "{message}");
    assert!(message.starts_with("the settings have 8 fault(s):"), "{message}");
}

#[test]
fn a_wrong_type_in_the_file_is_not_converted_silently() {
    let (_, result) = from_file("[server]\nport = 8080.6\nhost = 5\n[oidc]\nscopes = \"openid profile\"\n");
    let message = refused(result);
    assert_eq!(lines(&message).len(), 3, "{message}");
    assert!(message.contains("server.port: expected an integer from 0 to 65535, found the number 8080.6"), "{message}");
    assert!(message.contains("server.host: expected text, found the number 5"), "{message}");
    assert!(message.contains("oidc.scopes: expected a list"), "{message}");
}

#[test]
fn variables_that_name_no_key_are_refused() {
    let message = refused(from_env(&[
        ("BFF_WEB__SERVER____PORT", "1"),
        ("BFF_WEB__REDIS__URL__HOST", "x"),
        ("BFF_WEB__REDIS__URL", "redis://redis"),
        ("BFF_WEB__SERVER__HOST", "\u{fffd}"),
    ]));
    assert_eq!(lines(&message).len(), 3, "{message}");
    assert!(message.contains("[environment variable BFF_WEB__SERVER____PORT]"), "{message}");
    assert!(message.contains("another variable already gives the whole section"), "{message}");
    assert!(message.contains("server.host: the variable's value is not valid UTF-8"), "{message}");
}

#[test]
fn a_settings_file_that_is_away_is_named() {
    let result = load::<Sample>(&Sources { file: Some("/nowhere/at/all.toml".into()), env: Vec::new() });
    assert!(matches!(&result, Err(SettingsError::File { .. })), "{result:?}");
    assert_eq!(refused(result), "the settings file /nowhere/at/all.toml cannot be read");
}

#[test]
fn the_shared_sections_check_their_ranges() {
    let message = refused(from_env(&[
        ("BFF_WEB__SERVER__PUBLIC_ORIGIN", "https://shop.example/path"),
        ("BFF_WEB__SERVER__REQUEST_TIMEOUT_MS", "0"),
        ("BFF_WEB__SERVER__MAX_HEADER_BYTES", "10"),
        ("BFF_WEB__MANAGEMENT__OPERATOR_TOKEN", "s3cr3t"),
        ("BFF_WEB__TELEMETRY__LOG_LEVEL", "info,=/"),
        ("BFF_WEB__TELEMETRY__TRACE_SAMPLE_RATIO", "1.5"),
        ("BFF_WEB__TELEMETRY__OTLP_ENDPOINT", "ftp://collector"),
    ]));
    let found: Vec<&str> = lines(&message).iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        found,
        [
            "server.public_origin",
            "server.request_timeout_ms",
            "server.max_header_bytes",
            "management.operator_token",
            "telemetry.log_level",
            "telemetry.trace_sample_ratio",
            "telemetry.otlp_endpoint",
        ]
    );
}

#[test]
fn production_asks_for_https_and_for_named_proxies() {
    let settings = from_env(&[("BFF_WEB__SERVER__TRUSTED_PROXIES", "0.0.0.0/0")]).expect("valid in development");
    let mut findings = Findings::new();
    settings.server.audit_production("server", &mut findings);
    let found: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(found, ["server.public_origin", "server.public_origin", "server.trusted_proxies"]);
}
