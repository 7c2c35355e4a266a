//! Devices: where the caller's push messages go.

use actix_web::http::{Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    downstream::{Downstream, DownstreamError},
    problem::{Problem, ProblemKind, kinds},
};
use utoipa::ToSchema;

use crate::auth::OnBehalf;

/// Conflict: the caller has as many devices as there may be.
pub static TOO_MANY_DEVICES: ProblemKind = ProblemKind {
    code: "too-many-devices",
    status: StatusCode::CONFLICT,
    title: "There are too many devices",
    remedy: "Remove a device that is no longer used.",
};

/// The service that keeps the devices.
pub struct Devices {
    downstream: Downstream,
}

/// What a device runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// iOS.
    Ios,
    /// Android.
    Android,
}

/// What is to be known about a device.
#[derive(Serialize)]
pub struct Registration<'a> {
    /// What it runs.
    pub platform: Platform,
    /// Where push messages go. It goes in and never comes out.
    pub push_token: &'a str,
    /// The version of the app.
    pub app_version: &'a str,
}

/// A device.
#[derive(Clone, Deserialize)]
pub struct Device {
    /// Its id, which the app chose.
    pub id: String,
    /// What it runs, such as `ios`; other channels register devices of further kinds.
    pub platform: String,
    /// The version of the app.
    pub app_version: String,
    /// When it was last registered.
    pub registered_at: Timestamp,
}

#[derive(Clone, Deserialize)]
struct Envelope {
    devices: Vec<Device>,
}

impl Devices {
    /// The service behind this downstream.
    #[must_use]
    pub fn new(downstream: Downstream) -> Self {
        Self { downstream }
    }

    /// The caller's devices.
    ///
    /// # Errors
    /// As any call.
    pub async fn list(&self, user: &OnBehalf) -> Result<Vec<Device>, DownstreamError> {
        let fetched = self.downstream.get(user.context(), &[]).as_caller().json::<Envelope>().await?;
        Ok(fetched.value.devices)
    }

    /// Registers a device, or renews what is known about it.
    ///
    /// # Errors
    /// [`TOO_MANY_DEVICES`], a `validation-failed` for what the service finds wrong, or as any call.
    pub async fn put(&self, user: &OnBehalf, id: &str, registration: &Registration<'_>) -> Result<Device, Problem> {
        let call = self.downstream.call(user.context(), Method::PUT, &[id]).as_caller().body_json(registration);
        match call.json::<Device>().await {
            Ok(fetched) => Ok(fetched.value),
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
                Err(Problem::new(&TOO_MANY_DEVICES).caused_by(error))
            }
            Err(error) if error.status() == Some(StatusCode::UNPROCESSABLE_ENTITY) => {
                Err(Problem::new(&kinds::VALIDATION_FAILED).detail("The device was not accepted.").caused_by(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets a device. One that is not there is as good as forgotten, so a lost answer can be asked again.
    ///
    /// # Errors
    /// As any call.
    pub async fn delete(&self, user: &OnBehalf, id: &str) -> Result<(), DownstreamError> {
        match self.downstream.call(user.context(), Method::DELETE, &[id]).as_caller().send().await {
            Ok(_) => Ok(()),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
