//! A sandbox, and a client that calls it.

use std::time::Duration;

use actix_web::http::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use sandbox::{Sandbox, provider::SERVICES_AUDIENCE};
use serde_json::Value;

/// No answer in this test suite takes that long.
pub const LONG: Duration = Duration::from_secs(10);
/// Long enough to say that an answer does not come.
pub const SHORT: Duration = Duration::from_millis(150);

/// A sandbox with the provider and some services.
pub struct Harness {
    pub sandbox: Sandbox,
    pub client: awc::Client,
}

/// An answer with its body read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// A header field; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("visible characters")).unwrap_or_default()
    }
}

impl Harness {
    /// Starts the provider and these services.
    pub async fn with(services: &[&str]) -> Self {
        let parts = services.iter().copied().chain(["provider"]);
        Self::of(Sandbox::builder().only(parts).start().await.expect("a sandbox"))
    }

    pub fn of(sandbox: Sandbox) -> Self {
        Self { sandbox, client: awc::Client::builder().timeout(LONG).disable_redirects().finish() }
    }

    /// Alice's access token for the services, as the web BFF gets it.
    pub fn alice(&self) -> String {
        self.user("alice")
    }

    pub fn user(&self, name: &str) -> String {
        self.token(name, "bff-web", SERVICES_AUDIENCE)
    }

    /// A token for a user from a client and for an audience, valid for five minutes.
    pub fn token(&self, user: &str, client: &str, audience: &str) -> String {
        self.sandbox
            .provider()
            .access_token(user, client, audience, &["openid"], Duration::from_secs(300))
            .expect("a token")
    }

    pub async fn get(&self, service: &str, path: &str, token: Option<&str>) -> Answer {
        self.call(Method::GET, service, path, token, &[], None).await
    }

    /// Calls a service and reads the whole answer.
    pub async fn call(
        &self,
        method: Method,
        service: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.sandbox.url(service)));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).expect("a header name");
            request = request.insert_header((name, HeaderValue::try_from(*value).expect("a header value")));
        }
        let sent = match body {
            Some(body) => request.send_json(body).await,
            None => request.send().await,
        };
        let mut response = sent.expect("an answer");
        let body = response.body().limit(32 * 1024 * 1024).await.expect("a whole body").to_vec();
        Answer { status: response.status(), headers: response.headers().clone(), body }
    }
}
