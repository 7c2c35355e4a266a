//! A running provider and the requests that clients make of it.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::{App, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::clock::ManualClock;
use sandbox::provider::{self, Provider, ProviderHandle, ProviderSettings};
use serde_json::Value;

use crate::browser::Browser;

/// The verifier of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Where codes for the web client go.
pub const WEB_REDIRECT: &str = "http://localhost:8080/api/auth/callback";
/// Where codes for the mobile app go.
pub const MOBILE_REDIRECT: &str = "com.trifront.app:/callback";
/// The web client's credentials.
pub const WEB: (&str, &str) = ("bff-web", "dev-only-bff-web-secret");
/// The mobile backend's credentials.
pub const MOBILE: (&str, &str) = ("bff-mobile", "dev-only-bff-mobile-secret");
/// The partner backend's credentials.
pub const PARTNER: (&str, &str) = ("bff-partner", "dev-only-bff-partner-secret");

/// What came back, read to the end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// A member of the JSON body that is a text.
    pub fn text(&self, member: &str) -> String {
        let json = self.json();
        json[member].as_str().unwrap_or_else(|| panic!("no {member} in {json}")).to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The query of the address that a redirect leads to.
    pub fn redirect_query(&self) -> BTreeMap<String, String> {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        let location = url::Url::parse(self.header("location")).expect("an absolute location");
        location.query_pairs().into_owned().collect()
    }

    /// Asserts a refusal in the form of RFC 6749, 5.2.
    pub fn assert_refused(&self, status: u16, error: &str) {
        assert_eq!((self.status.as_u16(), self.text("error").as_str()), (status, error), "{}", self.body);
        assert_eq!(self.header("cache-control"), "no-store");
    }
}

/// A provider that listens on a free port until it is dropped.
pub struct Running {
    pub issuer: String,
    pub clock: ManualClock,
    pub handle: ProviderHandle,
    server: ServerHandle,
    http: awc::Client,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without waiting: the future only reports when the workers are gone.
        drop(self.server.stop(false));
    }
}

impl Running {
    /// With default settings.
    pub async fn start() -> Self {
        Self::with(ProviderSettings::default()).await
    }

    /// With these settings.
    pub async fn with(settings: ProviderSettings) -> Self {
        let clock = ManualClock::new(UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let provider = Provider::new(settings, clock.clock()).expect("a provider");
        let routes = provider::configure(provider.clone());
        let server = HttpServer::new(move || App::new().configure(routes.clone()))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
        let issuer = format!("http://{}", server.addrs()[0]);
        provider.set_issuer(&issuer);
        let server = server.run();
        let server_handle = server.handle();
        actix_web::rt::spawn(server);
        let http = awc::Client::builder().disable_redirects().timeout(Duration::from_secs(10)).finish();
        Self { issuer, clock, handle: provider.handle(), server: server_handle, http }
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// The present moment in seconds since the epoch.
    pub fn now(&self) -> u64 {
        self.clock.clock().unix_seconds()
    }

    /// Sends a GET with headers.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.get(format!("{}{path}", self.issuer));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        read(request.send().await.expect("an answer")).await
    }

    /// Sends a form with headers.
    pub async fn post(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.issuer));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        read(request.send_form(&form).await.expect("an answer")).await
    }

    /// Sends a form to `/token` as a client with a secret in the form.
    pub async fn token(&self, client: (&str, &str), form: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", client.0), ("client_secret", client.1)];
        all.extend_from_slice(form);
        self.post("/token", &all, &[]).await
    }

    /// Redeems a code of the web client.
    pub async fn redeem(&self, code: &str) -> Answer {
        self.token(
            WEB,
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", WEB_REDIRECT),
                ("code_verifier", VERIFIER),
            ],
        )
        .await
    }

    /// Signs alice in at the web client, by the form, and returns the answer with the tokens.
    pub async fn web_tokens(&self) -> Answer {
        let mut browser = self.browser();
        let code = browser.code_for("alice", &web_request(&[])).await;
        let answer = self.redeem(&code).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer
    }

    /// Refreshes the web client's tokens.
    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token(WEB, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Asks for the userinfo with a bearer token.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        self.get("/userinfo", &[("authorization", &format!("Bearer {access_token}"))]).await
    }
}

async fn read<S>(mut response: awc::ClientResponse<S>) -> Answer
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>> + Unpin,
{
    let body = response.body().await.expect("a body");
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: String::from_utf8(body.to_vec()).expect("a text"),
    }
}

/// An authorization request of the web client, with parameters added or replaced. An empty value leaves one out.
pub fn web_request(changes: &[(&str, &str)]) -> String {
    request_with(
        &[
            ("client_id", "bff-web"),
            ("redirect_uri", WEB_REDIRECT),
            ("response_type", "code"),
            ("scope", "openid profile email orders:read"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ],
        changes,
    )
}

/// An authorization request of the mobile app, changed in the same way.
pub fn mobile_request(changes: &[(&str, &str)]) -> String {
    let mut all = vec![("client_id", "mobile-app"), ("redirect_uri", MOBILE_REDIRECT)];
    all.extend_from_slice(changes);
    web_request(&all)
}

fn request_with(defaults: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let params: BTreeMap<&str, &str> = defaults.iter().chain(changes).copied().collect();
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params.into_iter().filter(|(_, value)| !value.is_empty()))
        .finish()
}

/// Header and claims of a JWT, unverified.
pub fn jwt_parts(jwt: &str) -> (Value, Value) {
    let part = |index: usize| {
        let encoded = jwt.split('.').nth(index).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).expect("base64url")).expect("JSON")
    };
    (part(0), part(1))
}

/// The claims of a JWT, unverified.
pub fn claims(jwt: &str) -> Value {
    jwt_parts(jwt).1
}
