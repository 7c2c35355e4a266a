//! The management listener: probes, metrics and information, on a port of its own that is never public.
//!
//! Probes and metrics ask for nothing. What changes something stands under `/admin` and asks for the operator's token,
//! and each such call is logged.

use std::{net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpResponse, HttpServer, Responder,
    dev::{Server, ServiceRequest},
    get,
    http::header::{AUTHORIZATION, CONTENT_TYPE},
    middleware::from_fn,
    web,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::readiness::Readiness;
use crate::{
    problem::{Problem, RenderProblems, kinds},
    settings::Secret,
    telemetry,
};

/// Something that has a say in `/info`, such as the circuit breakers. Gives the name of its member and the value.
pub type InfoSource = Arc<dyn Fn() -> (&'static str, Value) + Send + Sync>;

/// What the management listener serves.
#[derive(Clone)]
pub struct Management {
    /// The service's name.
    pub name: &'static str,
    /// The service's version.
    pub version: &'static str,
    /// `development` or `production`.
    pub environment: &'static str,
    /// Whether the instance wants new work.
    pub readiness: Readiness,
    /// The members of `/info` beyond name, version and environment.
    pub info: Vec<InfoSource>,
    /// What operators show. Without it nobody gets to `/admin`.
    pub operator_token: Option<Secret>,
    /// Adds the routes under `/admin`; paths are relative to it.
    pub admin: Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>,
}

/// Serves it on one worker of its own, so that probes answer while the public workers are busy.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve_management(listener: TcpListener, management: Management) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        let management = management.clone();
        let admin = Arc::clone(&management.admin);
        let admin = web::scope("/admin").configure(|config| admin(config)).wrap(from_fn(operators_only));
        App::new()
            .wrap(RenderProblems)
            .app_data(web::Data::new(management))
            .service(get_livez)
            .service(get_readyz)
            .service(get_metrics)
            .service(get_info)
            .service(admin)
    });
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

#[get("/livez")]
async fn get_livez() -> impl Responder {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

#[get("/readyz")]
async fn get_readyz(management: web::Data<Management>) -> impl Responder {
    if management.readiness.is_draining() {
        HttpResponse::ServiceUnavailable().json(json!({"status": "draining"}))
    } else {
        HttpResponse::Ok().json(json!({"status": "ready"}))
    }
}

#[get("/metrics")]
async fn get_metrics() -> Result<impl Responder, Problem> {
    let text = telemetry::metrics::render().map_err(|error| Problem::new(&kinds::INTERNAL_ERROR).caused_by(error))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, telemetry::metrics::CONTENT_TYPE)).body(text))
}

#[get("/info")]
async fn get_info(management: web::Data<Management>) -> impl Responder {
    let mut info = Map::new();
    info.insert("name".into(), management.name.into());
    info.insert("version".into(), management.version.into());
    info.insert("environment".into(), management.environment.into());
    info.extend(management.info.iter().map(|source| source()).map(|(name, value)| (name.to_owned(), value)));
    HttpResponse::Ok().json(info)
}

async fn operators_only(
    request: ServiceRequest,
    next: actix_web::middleware::Next<impl actix_web::body::MessageBody>,
) -> Result<actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>, actix_web::Error> {
    let management = request.app_data::<web::Data<Management>>();
    let expected = management.and_then(|management| management.operator_token.as_ref());
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
    let allowed = matches!((expected, shown), (Some(expected), Some(shown)) if same(expected.expose(), shown));
    let (method, path) = (request.method().as_str().to_owned(), request.path().to_owned());
    if !allowed {
        tracing::warn!(audit = true, method, path, "an administrative call was refused");
        return Err(Problem::new(&kinds::UNAUTHENTICATED).detail("This needs the operator token.").into());
    }
    let response = next.call(request).await?;
    tracing::info!(audit = true, method, path, status = response.status().as_u16(), "an administrative call was made");
    Ok(response)
}

/// Compares in a time that depends on neither text.
fn same(expected: &str, shown: &str) -> bool {
    Sha256::digest(expected).ct_eq(&Sha256::digest(shown)).into()
}
