//! What can be set about the provider, with the defaults of the development environment.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;

use super::clients::Client;

/// Settings of a [`Provider`](super::Provider).
///
/// The durations and switches can be changed while the provider runs, see
/// [`ProviderHandle::change_settings`](super::ProviderHandle::change_settings).
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The issuer identifier, without a slash at the end. `None`: derived from the bound address.
    pub issuer: Option<String>,
    /// How long access tokens live.
    pub access_token_lifetime: Duration,
    /// How long a refresh token can be used; each rotation begins anew.
    pub refresh_token_lifetime: Duration,
    /// How long a login at the provider itself lasts.
    pub session_lifetime: Duration,
    /// Whether the metadata says that authorization requests can be pushed (RFC 9126). Without, clients send them through
    /// the browser, where the user can change them.
    pub par_offered: bool,
    /// Whether authorization requests must be pushed first.
    pub par_required: bool,
    /// Whether DPoP proofs must carry a nonce of the provider (RFC 9449, 8 and 9).
    pub dpop_nonce_required: bool,
    /// A file with the ES256 key (PKCS#8, PEM) to sign with. `None`: a fresh key at each start.
    pub signing_key_file: Option<PathBuf>,
    /// Origins beside the loopback ones at which the web client lives, for example `https://shop.example`.
    pub web_origins: Vec<String>,
    /// Where logout tokens go, by client id; in place of what the registry says.
    pub backchannel_logout_uris: HashMap<String, String>,
    /// Public keys for `private_key_jwt`, by client id. A client that has keys may use them.
    pub client_keys: HashMap<String, JwkSet>,
    /// Audiences of services that the web client may exchange its users' tokens for (RFC 8693).
    pub service_audiences: Vec<String>,
    /// Further clients; one with a known id replaces that client.
    pub extra_clients: Vec<Client>,
    /// How long the delivery of one logout token may take in all.
    pub backchannel_timeout: Duration,
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            issuer: None,
            access_token_lifetime: Duration::from_secs(300),
            refresh_token_lifetime: Duration::from_secs(8 * 3600),
            session_lifetime: Duration::from_secs(10 * 3600),
            par_offered: true,
            par_required: false,
            dpop_nonce_required: false,
            signing_key_file: None,
            web_origins: Vec::new(),
            backchannel_logout_uris: HashMap::new(),
            client_keys: HashMap::new(),
            service_audiences: ["services", "orders", "accounts", "support"]
                .iter()
                .map(|name| format!("trifront-{name}"))
                .collect(),
            extra_clients: Vec::new(),
            backchannel_timeout: Duration::from_secs(2),
        }
    }
}
