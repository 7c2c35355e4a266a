//! The registry of clients: who may ask for what, and where answers may go.

use std::collections::HashMap;

use jsonwebtoken::jwk::JwkSet;

use super::redirects::same_redirect;
use super::settings::ProviderSettings;

/// A grant type that a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// `authorization_code`, always with PKCE.
    AuthorizationCode,
    /// `refresh_token`, always with rotation.
    RefreshToken,
    /// `client_credentials`.
    ClientCredentials,
    /// `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693).
    TokenExchange,
}

impl GrantType {
    /// All grant types, as discovery lists them.
    pub const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials, Self::TokenExchange];

    /// The value of the parameter `grant_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// Reads the parameter `grant_type`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

/// A rule about token exchange: whoever holds a token for `from` may have one for an audience in `to`.
#[derive(Clone, Debug)]
pub struct ExchangeRule {
    /// An audience that the subject token must have.
    pub from: String,
    /// The audiences that can be asked for.
    pub to: Vec<String>,
    /// Whether the subject token must have been issued to this client itself.
    pub own_tokens_only: bool,
}

/// One registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client id.
    pub id: String,
    /// The name that the login page shows.
    pub name: String,
    /// The shared secret. A client with neither secret nor keys is public.
    pub secret: Option<String>,
    /// Public keys for `private_key_jwt` (RFC 7523).
    pub keys: Option<JwkSet>,
    /// Whether the client has to authenticate.
    pub confidential: bool,
    /// The grant types that it may use.
    pub grants: Vec<GrantType>,
    /// Where authorization responses may go. The port of a loopback address is free (RFC 8252, 7.3).
    pub redirect_uris: Vec<String>,
    /// Where the browser may go after a logout; compared in the same way.
    pub post_logout_redirect_uris: Vec<String>,
    /// The audience of its access tokens.
    pub audience: String,
    /// What it may exchange, if anything.
    pub exchange: Option<ExchangeRule>,
    /// Where logout tokens for it go (OpenID Connect Back-Channel Logout).
    pub backchannel_logout_uri: Option<String>,
}

impl Client {
    /// A confidential client without redirects, for `grants`.
    fn confidential(id: &str, name: &str, secret: Option<&str>, grants: &[GrantType]) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            secret: secret.map(str::to_owned),
            keys: None,
            confidential: true,
            grants: grants.to_vec(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            audience: SERVICES.to_owned(),
            exchange: None,
            backchannel_logout_uri: None,
        }
    }

    fn web(id: &str, name: &str, secret: Option<&str>, settings: &ProviderSettings) -> Self {
        use GrantType::{AuthorizationCode, ClientCredentials, RefreshToken, TokenExchange};
        let grants = [AuthorizationCode, RefreshToken, ClientCredentials, TokenExchange];
        let mut origins: Vec<String> = ["http", "https"]
            .iter()
            .flat_map(|scheme| LOOPBACK_HOSTS.iter().map(move |host| format!("{scheme}://{host}")))
            .collect();
        origins.extend(settings.web_origins.iter().map(|origin| origin.trim_end_matches('/').to_owned()));
        Self {
            redirect_uris: origins.iter().map(|origin| format!("{origin}/api/auth/callback")).collect(),
            post_logout_redirect_uris: origins
                .iter()
                .flat_map(|origin| ["", "/", "/signed-out"].map(|path| format!("{origin}{path}")))
                .collect(),
            exchange: Some(ExchangeRule {
                from: SERVICES.to_owned(),
                to: settings.service_audiences.clone(),
                own_tokens_only: true,
            }),
            backchannel_logout_uri: Some("http://localhost:8080/api/auth/backchannel-logout".to_owned()),
            ..Self::confidential(id, name, secret, &grants)
        }
    }

    /// Whether the client may use `grant`.
    #[must_use]
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether an authorization response may go to `uri`.
    #[must_use]
    pub fn has_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| same_redirect(registered, uri))
    }

    /// Whether the browser may go to `uri` after a logout.
    #[must_use]
    pub fn has_post_logout_redirect(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|registered| same_redirect(registered, uri))
    }
}

/// The audience of all demo services.
pub const SERVICES: &str = "trifront-services";

const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// All registered clients by id.
#[derive(Clone, Debug)]
pub(crate) struct ClientRegistry(HashMap<String, Client>);

impl ClientRegistry {
    /// The clients of the demo system with what the settings add and replace.
    pub(crate) fn new(settings: &ProviderSettings) -> Self {
        use GrantType::{AuthorizationCode, ClientCredentials, RefreshToken, TokenExchange};
        let mobile_redirects = std::iter::once("com.trifront.app:/callback".to_owned())
            .chain(LOOPBACK_HOSTS.iter().map(|host| format!("http://{host}/callback")))
            .collect::<Vec<_>>();
        let mobile_app = Client {
            confidential: false,
            redirect_uris: mobile_redirects.clone(),
            post_logout_redirect_uris: mobile_redirects,
            audience: "bff-mobile".to_owned(),
            ..Client::confidential("mobile-app", "Trifront mobile app", None, &[AuthorizationCode, RefreshToken])
        };
        let bff_mobile = Client {
            exchange: Some(ExchangeRule {
                from: "bff-mobile".to_owned(),
                to: vec![SERVICES.to_owned()],
                own_tokens_only: false,
            }),
            ..Client::confidential(
                "bff-mobile",
                "Trifront mobile backend",
                Some("dev-only-bff-mobile-secret"),
                &[TokenExchange, ClientCredentials],
            )
        };
        let bff_partner = Client::confidential(
            "bff-partner",
            "Trifront partner backend",
            Some("dev-only-bff-partner-secret"),
            &[ClientCredentials],
        );
        let mut bff_web_jwt = Client::web("bff-web-jwt", "Trifront", None, settings);
        bff_web_jwt.backchannel_logout_uri = None;
        let mut clients: HashMap<String, Client> = [
            Client::web("bff-web", "Trifront", Some("dev-only-bff-web-secret"), settings),
            bff_web_jwt,
            mobile_app,
            bff_mobile,
            bff_partner,
        ]
        .into_iter()
        .chain(settings.extra_clients.iter().cloned())
        .map(|client| (client.id.clone(), client))
        .collect();
        for (id, client) in &mut clients {
            if let Some(keys) = settings.client_keys.get(id) {
                client.keys = Some(keys.clone());
            }
            if let Some(uri) = settings.backchannel_logout_uris.get(id) {
                client.backchannel_logout_uri = Some(uri.clone());
            }
        }
        Self(clients)
    }

    /// The client with that id.
    pub(crate) fn get(&self, id: &str) -> Option<&Client> {
        self.0.get(id)
    }

    /// The client with that id, to change its registration.
    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Client> {
        self.0.get_mut(id)
    }
}
