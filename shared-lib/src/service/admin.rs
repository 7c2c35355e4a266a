//! What operators can do to every BFF, under `/admin` of the management listener: look at and set circuit breakers, and
//! read and set the log level. The listener has asked for the operator token by then, and logs each call; what was set
//! is logged here.
//!
//! Nothing here outlives the process: a restart goes back to the settings.

use actix_web::{
    HttpResponse, Responder,
    web::{self, Data, Json, JsonConfig, Path, ServiceConfig},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    circuit_breaker::CircuitBreaker,
    downstream::Registry,
    problem::{FieldError, Problem, kinds},
    telemetry::{LogLevelError, TelemetryGuard},
};

/// The largest body of an administrative call, in bytes.
const MAX_BODY_BYTES: usize = 4096;

/// A state by the name that operators give it, and how a breaker is put into it.
type Settable = (&'static str, fn(&CircuitBreaker));

/// What an operator can set a breaker to.
const STATES: [Settable; 4] = [
    ("closed", CircuitBreaker::reset),
    ("forced_open", CircuitBreaker::force_open),
    ("disabled", CircuitBreaker::disable),
    ("metrics_only", CircuitBreaker::metrics_only),
];

/// What the handlers work on.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) registry: Registry,
    /// Absent where logging belongs to somebody else, as in tests.
    pub(super) telemetry: Option<TelemetryGuard>,
}

impl Admin {
    /// Adds the routes; paths are relative to `/admin`.
    pub(super) fn configure(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .app_data(JsonConfig::default().limit(MAX_BODY_BYTES))
            .route("/circuit-breakers", web::get().to(list_circuit_breakers))
            .route("/circuit-breakers/{name}", web::put().to(put_circuit_breaker))
            .service(
                web::resource("/log-level").route(web::get().to(get_log_level)).route(web::put().to(put_log_level)),
            );
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerOrder {
    state: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevelOrder {
    level: String,
}

async fn list_circuit_breakers(admin: Data<Admin>) -> impl Responder {
    HttpResponse::Ok().json(admin.registry.breakers())
}

async fn put_circuit_breaker(
    admin: Data<Admin>,
    name: Path<String>,
    order: Json<BreakerOrder>,
) -> Result<impl Responder, Problem> {
    let breaker = admin.registry.breaker(&name);
    let breaker = breaker.ok_or_else(|| Problem::new(&kinds::NOT_FOUND).detail("There is no such downstream."))?;
    let Some((state, set)) = STATES.iter().find(|(state, _)| *state == order.state) else {
        let wrong = FieldError::body("/state", "not a state that an operator can set");
        return Err(Problem::validation(&[wrong.allowing(STATES.map(|(state, _)| state))]));
    };
    set(breaker);
    tracing::info!(audit = true, breaker = breaker.name(), state, "an operator set a circuit breaker");
    Ok(HttpResponse::Ok().json(breaker.snapshot()))
}

async fn get_log_level(admin: Data<Admin>) -> Result<impl Responder, Problem> {
    Ok(HttpResponse::Ok().json(json!({"level": telemetry(&admin)?.log_level()})))
}

async fn put_log_level(admin: Data<Admin>, order: Json<LogLevelOrder>) -> Result<impl Responder, Problem> {
    let telemetry = telemetry(&admin)?;
    telemetry.set_log_level(&order.level).map_err(|error| match error {
        LogLevelError::Syntax(_) => Problem::validation(&[FieldError::body("/level", error.to_string())]),
        LogLevelError::Gone(_) => Problem::new(&kinds::INTERNAL_ERROR).caused_by(error),
    })?;
    let level = telemetry.log_level();
    tracing::info!(audit = true, level, "an operator set the log level");
    Ok(HttpResponse::Ok().json(json!({"level": level})))
}

fn telemetry(admin: &Admin) -> Result<&TelemetryGuard, Problem> {
    let missing = || Problem::new(&kinds::NOT_FOUND).detail("The log level of this process is not ours to set.");
    admin.telemetry.as_ref().ok_or_else(missing)
}
