//! A stronger or more recent sign-in, when a service asks for one (RFC 9470).
//!
//! The service's demand reaches the browser as a problem with a ready sign-in address, or leads a navigation there at once.
//! The address carries the demand to the provider; the callback holds what comes of it to the demand, because the browser
//! could have changed it on the way. The new session takes the place of the old one under a new key. A sign-in that is
//! refused leaves the old session as it was.

use std::{error::Error, time::Duration};

use actix_session::SessionExt;
use actix_web::{
    HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderValue, LOCATION},
    middleware::Next,
    web,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use shared_lib::{
    downstream::{DownstreamError, Failure, StepUp},
    jwt::IdTokenClaims,
    pagination::QueryReader,
    problem::{FieldError, Problem},
};
use url::form_urlencoded;

use super::{
    WorkerAuth,
    guard::{SIGN_IN_FIRST, is_navigation},
    return_to::ReturnTo,
};

const LOGIN: &str = "/api/auth/login";

/// How long after a sign-in a navigation is not led to another.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(30);

/// What a sign-in has to be like. The default is any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUpDemand {
    /// Any of these authentication context class references; empty: whichever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) acr_values: Vec<String>,
    /// How long ago the user may have signed in, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_age: Option<u32>,
    /// Who was signed in and is asked to prove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<String>,
}

impl StepUpDemand {
    /// The parameters `acrValues` and `maxAge`.
    pub(super) fn from_query(query: &mut QueryReader<'_>) -> Self {
        let mut demand = Self::default();
        if let Some(text) = query.text("acrValues") {
            match StepUp::acr_values_from(&text).filter(|values| !values.is_empty()) {
                Some(values) => demand.acr_values = values,
                None => query.reject(FieldError::query("acrValues", "must be class references, separated by spaces")),
            }
        }
        if let Some(text) = query.text("maxAge") {
            match StepUp::max_age_from(&text) {
                Some(seconds) => demand.max_age = Some(seconds),
                None => query.reject(FieldError::query("maxAge", "must be a number of seconds")),
            }
        }
        demand
    }

    /// Whether it asks for anything.
    pub(super) fn is_some(&self) -> bool {
        !self.acr_values.is_empty() || self.max_age.is_some()
    }

    /// See [`StepUpDemand::max_age`].
    pub(super) fn max_age(&self) -> Option<Duration> {
        self.max_age.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Whether the sign-in is of a class that was asked for. That it is recent, the verifier of ID tokens has seen to. A
    /// provider may answer with less than was asked for, and say so (OpenID Connect Core section 5.5.1.1).
    pub(super) fn is_met_by(&self, claims: &IdTokenClaims) -> bool {
        self.acr_values.is_empty() || claims.acr.as_ref().is_some_and(|acr| self.acr_values.contains(acr))
    }
}

/// The address that a sign-in like this begins at.
fn login_address(step_up: &StepUp, return_to: Option<&ReturnTo>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !step_up.acr_values.is_empty() {
        query.append_pair("acrValues", &step_up.acr_values.join(" "));
    }
    if let Some(seconds) = step_up.max_age {
        query.append_pair("maxAge", &seconds.to_string());
    }
    if let Some(return_to) = return_to {
        query.append_pair("returnTo", return_to.as_str());
    }
    format!("{LOGIN}?{}", query.finish())
}

/// The middleware that gives a service's demand its address: a problem gets it as `login`, a navigation goes there.
///
/// # Errors
/// What the handler fails with.
pub async fn offer_login<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let navigates = is_navigation(request.method(), request.headers()) && !has_just_signed_in(&request);
    let target = navigates.then(|| ReturnTo::of_request(request.request()));
    let response = next.call(request).await?;
    let demanded = response.response().error().and_then(|error| error.as_error::<Problem>()).and_then(demand_in);
    let Some((step_up, problem)) = demanded else { return Ok(response.map_into_left_body()) };
    let address = login_address(&step_up, target.as_ref());
    let problem = match HeaderValue::try_from(address.as_str()) {
        Ok(location) if navigates => Problem::new(&SIGN_IN_FIRST).header(LOCATION, location),
        _ => problem.extension("login", address),
    };
    Ok(response.into_response(HttpResponse::from_error(problem)).map_into_right_body())
}

/// Whether the user has been where a demand would lead. A service that is not content even then is not led to again: that
/// would go round in circles with nobody looking.
fn has_just_signed_in(request: &ServiceRequest) -> bool {
    let Some(auth) = request.app_data::<web::Data<WorkerAuth>>() else { return false };
    let Ok(Some(session)) = auth.sessions.current(&request.get_session()) else { return false };
    auth.clock.wall().duration_since(session.identity.signed_in_at) < JUST_NOW
}

/// The demand behind a problem, and the problem anew.
fn demand_in(problem: &Problem) -> Option<(StepUp, Problem)> {
    let error = problem.source()?.downcast_ref::<DownstreamError>()?;
    let Failure::StepUp(step_up) = &error.failure else { return None };
    let anew = problem.extensions().iter().fold(step_up.problem(), |anew, (name, value)| anew.extension(name, value));
    Some((step_up.clone(), anew.caused_by(error.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows: W19
    #[test]
    fn the_address_carries_the_demand_and_nothing_else_that_it_may_hold() {
        let step_up =
            StepUp { acr_values: vec!["urn:a".to_owned(), "b&returnTo=//evil".to_owned()], max_age: Some(300) };
        let address = login_address(&step_up, None);
        assert_eq!(address, "/api/auth/login?acrValues=urn%3Aa+b%26returnTo%3D%2F%2Fevil&maxAge=300");
        let return_to = ReturnTo::parse("/api/files/a?b=c").expect("local");
        let step_up = StepUp { acr_values: Vec::new(), max_age: Some(0) };
        let address = login_address(&step_up, Some(&return_to));
        assert_eq!(address, "/api/auth/login?maxAge=0&returnTo=%2Fapi%2Ffiles%2Fa%3Fb%3Dc");
    }
}
