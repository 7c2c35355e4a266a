//! A provider on a free port, clients of it, and a browser that is already signed in there.

use std::{collections::BTreeMap, time::Duration};

use sandbox::{
    Sandbox,
    chaos::Rule,
    provider::{Acr, ProviderSettings as SandboxSettings},
};
use shared_lib::{
    clock::Clock,
    context::RequestContext,
    downstream::{Downstream, DownstreamSettings, Registry, budget::RequestBudget},
    oauth::{
        AuthorizationRequest, ClientAuth, CodeExchange, Pkce, ProviderClient, ProviderSettings, ProviderShared,
        TokenResponse,
    },
    settings::Secret,
};
use url::Url;

/// Where the web client's answers go.
pub const CALLBACK: &str = "http://127.0.0.1:8080/api/auth/callback";

/// A provider and nothing else.
pub async fn provider() -> Sandbox {
    provider_with(SandboxSettings::default()).await
}

/// A provider with these settings.
pub async fn provider_with(settings: SandboxSettings) -> Sandbox {
    Sandbox::builder().only(["provider"]).provider(settings).start().await.expect("a provider")
}

/// The address at which the provider listens, which need not be its issuer.
pub fn address(sandbox: &Sandbox) -> String {
    sandbox.chaos_url().trim_end_matches("/chaos").to_owned()
}

/// The downstreams of a process.
pub fn registry(sandbox: &Sandbox) -> Registry {
    let url = Url::parse(&address(sandbox)).expect("an address");
    let settings = BTreeMap::from([("provider".to_owned(), DownstreamSettings::for_address(&url))]);
    Registry::new(&settings, &Clock::system()).expect("a registry")
}

/// The provider's downstream on this worker.
pub fn downstream(registry: &Registry) -> Downstream {
    registry.for_worker().get("provider").expect("the provider")
}

/// What a process knows of the provider.
pub fn shared(sandbox: &Sandbox, client_id: &str, auth: ClientAuth, clock: Clock) -> ProviderShared {
    ProviderShared::new(ProviderSettings::new(sandbox.issuer(), client_id, auth), clock).expect("good settings")
}

/// A client with a secret by Basic authentication.
pub fn client(sandbox: &Sandbox, client_id: &str, clock: Clock) -> ProviderClient {
    let auth = ClientAuth::SecretBasic(Secret::from(format!("dev-only-{client_id}-secret")));
    ProviderClient::new(shared(sandbox, client_id, auth, clock), downstream(&registry(sandbox)))
}

/// A request with five seconds to live.
pub fn request() -> RequestContext {
    RequestContext::background(RequestBudget::starting_now(Duration::from_secs(5)))
}

/// How many calls the provider has had below this path.
pub fn calls(sandbox: &Sandbox, path: &str) -> usize {
    sandbox.chaos().calls("provider").iter().filter(|call| call.path.starts_with(path)).count()
}

/// Sets the provider's faults.
pub fn faults(sandbox: &Sandbox, rules: Vec<Rule>) {
    sandbox.chaos().set("provider", rules).expect("good rules");
}

/// What a login gave to the browser.
pub struct Answer {
    pub code: Secret,
    pub state: String,
    pub iss: Option<String>,
}

/// Sends a browser in which alice is signed in at the provider to `url`, and reads where it is sent back to.
pub async fn browse(sandbox: &Sandbox, url: &Url) -> Answer {
    let (name, value) = sandbox.provider().sign_in("alice", Acr::Password).expect("alice");
    let browser = awc::Client::builder().disable_redirects().finish();
    let response = browser.get(url.as_str()).insert_header(("cookie", format!("{name}={value}"))).send().await;
    let response = response.expect("an answer");
    let location = response.headers().get("location").and_then(|value| value.to_str().ok()).expect("a redirect");
    let location = Url::parse(location).expect("an address");
    assert!(location.as_str().starts_with(CALLBACK), "{location}");
    let parameter =
        |wanted: &str| location.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    Answer {
        code: Secret::from(parameter("code").expect("a code")),
        state: parameter("state").expect("the state"),
        iss: parameter("iss"),
    }
}

/// The scopes of a login with tokens.
pub fn login_scopes() -> Vec<String> {
    ["openid", "offline_access"].map(str::to_owned).to_vec()
}

/// Signs alice in and gives her tokens.
pub async fn sign_in(sandbox: &Sandbox, client: &ProviderClient, nonce: &str) -> TokenResponse {
    let (pkce, scopes) = (Pkce::generate(), login_scopes());
    let challenge = pkce.challenge();
    let asked = AuthorizationRequest::new(CALLBACK, &scopes, "state-1", nonce, &challenge);
    let url = client.authorization_url(&request(), &asked).await.expect("an address");
    let answer = browse(sandbox, &url).await;
    let exchange = CodeExchange { code: &answer.code, redirect_uri: CALLBACK, pkce: &pkce };
    client.exchange_code(&request(), &exchange).await.expect("tokens")
}
