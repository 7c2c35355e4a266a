//! Sessions of many users, in Redis.

use std::{collections::HashMap, sync::Arc};

use actix_session::storage::SessionStore;
use actix_web::cookie::time;
use bff_web::{auth::Auth, settings::WebSettings};
use serde_json::json;
use shared_lib::{
    clock::Clock,
    settings::{Sources, load},
};

/// A user with a session.
#[derive(Clone)]
pub struct SignedIn {
    /// The subject.
    pub user: String,
    /// The `Cookie` header of the session.
    pub cookie: String,
}

/// What the service is told, with free ports and its sessions in this Redis.
pub fn variables(redis: &str, notifications: &str, issuer: &str) -> Vec<(String, String)> {
    let pairs = [
        ("BFF_WEB__SERVER__PORT", "0"),
        ("BFF_WEB__SERVER__HOST", "127.0.0.1"),
        ("BFF_WEB__SERVER__WORKERS", "2"),
        ("BFF_WEB__MANAGEMENT__PORT", "0"),
        ("BFF_WEB__SESSION__STORE", "redis"),
        ("BFF_WEB__REDIS__URL", redis),
        // The machine is at its limit while connections are made, Redis with it.
        ("BFF_WEB__REDIS__CONNECT_TIMEOUT_MS", "10000"),
        ("BFF_WEB__REDIS__RESPONSE_TIMEOUT_MS", "10000"),
        ("BFF_WEB__DOWNSTREAMS__NOTIFICATIONS__URLS", notifications),
        ("BFF_WEB__OIDC__ISSUER", issuer),
        ("BFF_WEB__TELEMETRY__LOG_FORMAT", "json"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Signs so many users in.
pub async fn sign_in(variables: &[(String, String)], count: usize) -> Vec<SignedIn> {
    let settings = load::<WebSettings>(&Sources { file: None, env: variables.to_vec() }).expect("valid settings");
    let auth = Auth::new(Arc::new(settings), Clock::system()).expect("valid settings");
    let mut signed_in = Vec::with_capacity(count);
    for number in 0..count {
        let user = format!("usr_{number}");
        let identity = json!({
            "handle": format!("handle-{number}"),
            "subject": user,
            "name": "Alice Example",
            "provider_session": format!("sid-{number}"),
            "signed_in_at": Clock::system().wall(),
            "device": "Firefox on Linux",
        });
        // The notification service of this measurement takes the token for the user's name.
        let tokens = json!({
            "access": user,
            "refresh": null,
            "scope": "openid notifications:read",
            "expires_at": "2200-01-01T00:00:00Z",
            "refresh_at": "2200-01-01T00:00:00Z",
        });
        let fields =
            HashMap::from([("identity".to_owned(), identity.to_string()), ("tokens".to_owned(), tokens.to_string())]);
        let key = auth.sessions().save(fields, &time::Duration::hours(1)).await.expect("Redis takes it");
        signed_in.push(SignedIn { user, cookie: auth.cookie_keys().pair(key.as_ref()) });
    }
    signed_in
}
