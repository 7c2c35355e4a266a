//! The demo services over HTTP: what they share, and the application that serves them.
//!
//! Each service is a file of its own and speaks a dialect of its own, as services of several teams do.

mod accounts;
mod cart;
mod catalog;
mod categories;
mod devices;
mod dialect;
mod orders;
mod promotions;
mod support;
mod users;

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
    },
    middleware::Next,
    web,
};

pub(crate) use self::dialect::{error, failure};
use crate::{
    access::{Access, Caller, PARTNER_HEADER, Refusal},
    clock::Clock,
    notifications::{self, Notifications},
    part::Part,
    seed::Seed,
};

/// What the services of one sandbox know. What was ordered, put into carts and read is its own.
pub(crate) struct World {
    pub(crate) seed: Arc<Seed>,
    pub(crate) clock: Clock,
    pub(crate) access: Access,
    pub(crate) notifications: Arc<Notifications>,
    carts: cart::Carts,
    devices: devices::Devices,
    orders: orders::Orders,
}

impl World {
    /// A world in which nothing has happened yet.
    pub(crate) fn new(seed: Arc<Seed>, clock: Clock, access: Access, notifications: Arc<Notifications>) -> Self {
        let orders = orders::Orders::new(Arc::clone(&seed));
        Self {
            seed,
            clock,
            access,
            notifications,
            carts: cart::Carts::default(),
            devices: devices::Devices::default(),
            orders,
        }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::try_from(self.clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// The routes of the services that are served. They need a [`World`] as application data.
pub(crate) fn configure(config: &mut web::ServiceConfig, parts: &BTreeSet<Part>) {
    config
        .app_data(web::JsonConfig::default().error_handler(|cause, request| refuse_input(cause.into(), request)))
        .app_data(web::QueryConfig::default().error_handler(|cause, request| refuse_input(cause.into(), request)));
    for part in parts {
        match part {
            Part::Provider => {}
            Part::Users => users::configure(config),
            Part::Catalog => catalog::configure(config),
            Part::Categories => categories::configure(config),
            Part::Promotions => promotions::configure(config),
            Part::Orders => orders::configure(config),
            Part::Accounts => accounts::configure(config),
            Part::Notifications => notifications::configure_publishing(config),
            Part::Support => support::configure(config),
            Part::Devices => devices::configure(config),
            Part::Cart => cart::configure(config),
        }
    }
}

fn refuse_input(cause: Error, request: &HttpRequest) -> Error {
    let message = "the parameters or the body are not as this operation expects them";
    let response = error(request, StatusCode::BAD_REQUEST, "malformed_request", message);
    InternalError::from_response(cause, response).into()
}

/// The answer to a path that a service does not have.
async fn not_found(request: HttpRequest) -> HttpResponse {
    error(&request, StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

/// Middleware that checks the access token: one that is sent always, its presence where the service is not public.
///
/// # Errors
/// What the handler fails with.
pub(crate) async fn check_access(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(part) = Part::of_path(request.path()) else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    match authenticate(part, request.request()).await {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(refusal) => {
            let response = refuse(request.request(), &refusal);
            return Ok(request.into_response(response));
        }
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

async fn authenticate(part: Part, request: &HttpRequest) -> Result<Option<Caller>, Refusal> {
    let Some(world) = request.app_data::<web::Data<World>>() else { return Err(Refusal::Missing) };
    let text = |value: Option<&HeaderValue>| value.map(|value| value.to_str().unwrap_or_default().to_owned());
    let authorization = text(request.headers().get(AUTHORIZATION));
    let partner = text(request.headers().get(PARTNER_HEADER));
    if part.is_public() && authorization.is_none() {
        return if partner.is_some() { Err(Refusal::PartnerNotAllowed) } else { Ok(None) };
    }
    world.access.check(authorization.as_deref(), partner.as_deref()).await.map(Some)
}

fn refuse(request: &HttpRequest, refusal: &Refusal) -> HttpResponse {
    if let Refusal::KeysAway(cause) = refusal {
        tracing::warn!(%cause, "an access token cannot be checked");
    }
    let mut response = error(request, refusal.status(), refusal.code(), &refusal.to_string());
    if let Some(challenge) = refusal.challenge().and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    /// The caller that [`check_access`] found.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        std::future::ready(
            caller.ok_or_else(|| {
                InternalError::from_response(Refusal::Missing, refuse(request, &Refusal::Missing)).into()
            }),
        )
    }
}
