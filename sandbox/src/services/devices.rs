//! Devices that receive push messages. The push token goes in and never comes out.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{World, error, not_found};
use crate::access::Caller;

/// One owner's devices are at most this many.
const MAX_DEVICES: usize = 50;
const MAX_ID: usize = 128;

/// The devices by owner and id.
#[derive(Debug, Default)]
pub(super) struct Devices {
    devices: Mutex<HashMap<String, BTreeMap<String, Device>>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Platform {
    Ios,
    Android,
    Web,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    platform: Platform,
    push_token: String,
    app_version: String,
}

#[derive(Debug, Clone, Serialize)]
struct Device {
    id: String,
    platform: Platform,
    app_version: String,
    registered_at: jiff::Timestamp,
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/devices")
            .route("", web::get().to(list_devices))
            .route("/{id}", web::put().to(register_device))
            .route("/{id}", web::delete().to(remove_device))
            .default_service(web::to(not_found)),
    );
}

impl Devices {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeMap<String, Device>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn list_devices(world: web::Data<World>, caller: Caller) -> HttpResponse {
    let devices = world.devices.lock();
    let devices: Vec<&Device> = devices.get(&caller.owner()).into_iter().flat_map(BTreeMap::values).collect();
    HttpResponse::Ok().json(json!({ "devices": devices }))
}

async fn register_device(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    id: web::Path<String>,
    registration: web::Json<Registration>,
) -> HttpResponse {
    let id = id.into_inner();
    if id.len() > MAX_ID || registration.push_token.is_empty() || registration.app_version.is_empty() {
        let message = "id must have at most 128 characters; push_token and app_version must not be empty";
        return error(&request, StatusCode::UNPROCESSABLE_ENTITY, "invalid_device", message);
    }
    let registration = registration.into_inner();
    let device = Device {
        id: id.clone(),
        platform: registration.platform,
        app_version: registration.app_version,
        registered_at: world.now(),
    };
    let mut devices = world.devices.lock();
    let devices = devices.entry(caller.owner()).or_default();
    if devices.len() >= MAX_DEVICES && !devices.contains_key(&id) {
        return error(&request, StatusCode::CONFLICT, "too_many_devices", "50 devices are registered already");
    }
    match devices.insert(id, device.clone()) {
        None => HttpResponse::Created().json(device),
        Some(_) => HttpResponse::Ok().json(device),
    }
}

async fn remove_device(
    request: HttpRequest,
    world: web::Data<World>,
    caller: Caller,
    id: web::Path<String>,
) -> HttpResponse {
    let removed = world.devices.lock().get_mut(&caller.owner()).and_then(|devices| devices.remove(id.as_str()));
    match removed {
        Some(_) => HttpResponse::NoContent().finish(),
        None => error(&request, StatusCode::NOT_FOUND, "not_found", "there is no such device"),
    }
}
