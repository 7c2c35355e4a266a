//! The devices that push messages go to. To register one again changes nothing but what is known about it, so an app
//! does so at every start and after every lost answer.

use actix_web::{HttpResponse, delete, get, put, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared_lib::{
    pagination::{Direction, PageRequest, PageResponse, Sort},
    problem::{FieldError, FieldLocation, Problem},
};
use utoipa::ToSchema;

use crate::{
    auth::OnBehalf,
    openapi::Refusals,
    services::{
        Services,
        devices::{Device, Platform, Registration},
    },
};

/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// The longest push token, in bytes; those of APNs and FCM are far shorter.
const MAX_PUSH_TOKEN_BYTES: usize = 4096;
/// The longest version, in bytes.
const MAX_VERSION_BYTES: usize = 32;
/// The most devices of one user; all stand on one page.
const MAX_DEVICES: u32 = 50;

/// A device to register.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceParams {
    platform: Platform,
    /// The address that APNs or FCM gave the app. It is never given out again.
    #[schema(min_length = 1, max_length = 4096)]
    push_token: String,
    /// The version of the app.
    #[schema(min_length = 1, max_length = 32, example = "3.2.1")]
    app_version: String,
}

/// A device that is registered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    id: String,
    #[schema(example = "ios")]
    platform: String,
    #[schema(example = "3.2.1")]
    app_version: String,
    /// When it was last registered (RFC 3339, UTC).
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
}

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        let Device { id, platform, app_version, registered_at } = device;
        Self { id, platform, app_version, registered_at }
    }
}

/// The user's devices, all on one page.
#[utoipa::path(
    tag = "devices",
    responses((status = 200, description = "The devices", body = PageResponse<DeviceView>), Refusals)
)]
#[get("/devices")]
pub async fn list_devices(
    user: OnBehalf,
    services: web::Data<Services>,
) -> Result<web::Json<PageResponse<DeviceView>>, Problem> {
    let devices: Vec<_> = services.devices.list(&user).await?.into_iter().map(DeviceView::from).collect();
    let sort = Sort { field: "id", direction: Direction::Asc };
    let page = PageRequest { page: 0, size: MAX_DEVICES, sort, search: None };
    let total = devices.len() as u64;
    Ok(web::Json(PageResponse::new(devices, &page, total)))
}

/// Registers a device, or renews what is known about it.
///
/// The id is the app's own choice and stays the same for as long as it is installed.
#[utoipa::path(
    tag = "devices",
    params(("id" = String, Path, description = "The device: 1 to 128 letters, digits, dots, hyphens, underscores")),
    responses((status = 200, description = "The device as it is registered now", body = DeviceView), Refusals)
)]
#[put("/devices/{id}")]
pub async fn put_device(
    user: OnBehalf,
    services: web::Data<Services>,
    id: web::Path<String>,
    device: web::Json<DeviceParams>,
) -> Result<web::Json<DeviceView>, Problem> {
    let device = device.into_inner();
    check(&id, Some(&device))?;
    let registration =
        Registration { platform: device.platform, push_token: &device.push_token, app_version: &device.app_version };
    Ok(web::Json(services.devices.put(&user, &id, &registration).await?.into()))
}

/// Forgets a device; one that is not registered is as good as forgotten.
#[utoipa::path(
    tag = "devices",
    params(("id" = String, Path, description = "The device")),
    responses((status = 204, description = "The device is not registered (any more)"), Refusals)
)]
#[delete("/devices/{id}")]
pub async fn delete_device(
    user: OnBehalf,
    services: web::Data<Services>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    check(&id, None)?;
    services.devices.delete(&user, &id).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn check(id: &str, device: Option<&DeviceParams>) -> Result<(), Problem> {
    let mut errors = Vec::new();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    // A segment of dots alone would be taken for a step in the path.
    let dots = id.bytes().all(|byte| byte == b'.');
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(plain) || dots {
        let detail = "must be 1 to 128 letters, digits, dots, hyphens or underscores, not dots alone";
        errors.push(FieldError {
            location: FieldLocation::Path,
            field: "id".to_owned(),
            detail: detail.to_owned(),
            allowed: Vec::new(),
        });
    }
    if let Some(device) = device {
        if !(1..=MAX_PUSH_TOKEN_BYTES).contains(&device.push_token.len()) {
            errors.push(FieldError::body("/pushToken", "must have 1 to 4096 bytes"));
        }
        if !(1..=MAX_VERSION_BYTES).contains(&device.app_version.len()) {
            errors.push(FieldError::body("/appVersion", "must have 1 to 32 bytes"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::validation(&errors)) }
}
