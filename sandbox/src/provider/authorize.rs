//! The authorization endpoint: from a client's request to a code, by way of the login page where needed
//! (RFC 6749, 4.1; OpenID Connect Core, 3.1.2).

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use url::Url;

use super::Provider;
use super::authorization::{AuthorizationRequest, Prompt, ReplyTo};
use super::pages::{self, LoginPage};
use super::params::Params;
use super::random::{sha256, token};
use super::refusal::Refusal;
use super::sso::{BROWSER_COOKIE, SESSION_COOKIE};
use super::state::{Authentication, Code, Interaction};

/// How long a code can be redeemed (RFC 6749, 4.1.2 allows ten times as much).
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// For how long a code is remembered, to notice that it is used again.
const CODE_MEMORY: Duration = Duration::from_secs(600);

/// How long a user may look at the login page.
pub(crate) const INTERACTION_LIFETIME: Duration = Duration::from_secs(600);

/// Begins a login with the parameters in the query.
pub(crate) async fn get_authorize(request: HttpRequest, provider: web::Data<Provider>) -> HttpResponse {
    authorize(&provider, &request, Params::parse(request.query_string().as_bytes()))
}

/// Begins a login with the parameters in a form (OpenID Connect Core, 3.1.2.1).
pub(crate) async fn post_authorize(
    request: HttpRequest,
    body: web::Bytes,
    provider: web::Data<Provider>,
) -> HttpResponse {
    authorize(&provider, &request, Params::from_form(&request, &body))
}

fn authorize(provider: &Provider, request: &HttpRequest, params: Result<Params, Refusal>) -> HttpResponse {
    let asked = params.and_then(|params| read_request(provider, &params));
    match asked {
        Err(refusal) => pages::error_page(&refusal),
        Ok(Err((reply_to, refusal))) => provider.send_refusal(&reply_to, &refusal),
        Ok(Ok(asked)) => {
            let reply_to = asked.reply_to();
            proceed(provider, request, asked).unwrap_or_else(|refusal| provider.send_refusal(&reply_to, &refusal))
        }
    }
}

/// A request, or a refusal to send to the client.
type Asked = Result<AuthorizationRequest, (ReplyTo, Refusal)>;

/// Reads a request. The outer error is for the user's eyes: nobody is known to send it to.
fn read_request(provider: &Provider, params: &Params) -> Result<Asked, Refusal> {
    if let Some(request_uri) = params.get("request_uri") {
        let client_id = params.required("client_id")?;
        let now = provider.clock().now();
        return provider
            .state(|state| state.pushed.get(request_uri, now).cloned())
            .filter(|pushed| pushed.client_id == client_id)
            .map(Ok)
            .ok_or_else(|| Refusal::invalid_request("the request_uri is unknown, used up or expired"));
    }
    let (client, reply_to) = provider.reply_to(params)?;
    if provider.settings(|settings| settings.par_required) {
        let refusal = Refusal::invalid_request("the request must be pushed to the endpoint /par first");
        return Ok(Err((reply_to, refusal)));
    }
    Ok(provider.authorization_request(params, &client, reply_to.clone()).map_err(|refusal| (reply_to, refusal)))
}

fn proceed(provider: &Provider, request: &HttpRequest, asked: AuthorizationRequest) -> Result<HttpResponse, Refusal> {
    let now = provider.clock().unix_seconds();
    let session = provider.browser_session(request);
    if let Some(session) = &session
        && asked.is_met_by(&session.authentication, now)
    {
        return provider.send_code(asked, session.authentication.clone());
    }
    if asked.prompt == Prompt::None {
        provider.forget_pushed(&asked);
        return Err(Refusal::bad_request("login_required", "the user would have to sign in"));
    }
    show_login(provider, request, asked, session.map(|session| session.authentication.sub))
}

fn show_login(
    provider: &Provider,
    request: &HttpRequest,
    asked: AuthorizationRequest,
    signed_in: Option<String>,
) -> Result<HttpResponse, Refusal> {
    let id = token::<16>()?;
    let browser = match request.cookie(BROWSER_COOKIE) {
        Some(cookie) if cookie.value().len() >= 20 => cookie.value().to_owned(),
        _ => token::<16>()?,
    };
    let csrf = provider.form_key().seal(&browser, &id);
    let client = provider.client(&asked.client_id);
    let username = signed_in
        .and_then(|sub| super::users::User::by_sub(&sub))
        .map(|user| user.username)
        .or_else(|| asked.login_hint.clone());
    let mut response = pages::login_page(&LoginPage {
        interaction: &id,
        csrf: &csrf,
        client_name: client.as_ref().map_or("an application", |client| client.name.as_str()),
        redirect_uri: &asked.redirect_uri,
        username: username.as_deref().unwrap_or_default(),
        acr: asked.acr,
        failed: false,
    })?;
    response
        .add_cookie(&provider.cookie(BROWSER_COOKIE, browser))
        .map_err(|_| Refusal::invalid_request("the browser cookie cannot be set"))?;
    let now = provider.clock().now();
    provider.state(|state| {
        let interaction = Interaction { request: asked, failures: 0 };
        state.interactions.insert(id, interaction, now + INTERACTION_LIFETIME, now);
    });
    Ok(response)
}

impl Provider {
    /// Sends the browser back to the client with a code.
    pub(crate) fn send_code(
        &self,
        asked: AuthorizationRequest,
        authentication: Authentication,
    ) -> Result<HttpResponse, Refusal> {
        let code = token::<32>()?;
        let now = self.clock().now();
        let reply_to = asked.reply_to();
        self.forget_pushed(&asked);
        self.state(|state| {
            for session in state.sessions.values_mut(now) {
                if session.authentication.sid == authentication.sid {
                    session.clients.insert(asked.client_id.clone());
                }
            }
            let entry =
                Code { request: asked, authentication, expires_at: now + CODE_LIFETIME, redeemed: None, void: false };
            state.codes.insert(sha256(&code), entry, now + CODE_MEMORY, now);
        });
        Ok(self.send_back(&reply_to, &[("code", &code)]))
    }

    /// Sends the browser back to the client with an error.
    pub(crate) fn send_refusal(&self, reply_to: &ReplyTo, refusal: &Refusal) -> HttpResponse {
        self.send_back(reply_to, &[("error", refusal.code()), ("error_description", refusal.description())])
    }

    /// A pushed request is good for one answer (RFC 9126, 4); until then a reload of the page may read it again.
    pub(crate) fn forget_pushed(&self, asked: &AuthorizationRequest) {
        if let Some(request_uri) = &asked.request_uri {
            let now = self.clock().now();
            self.state(|state| state.pushed.remove(request_uri, now));
        }
    }

    /// Adds `state` and `iss` (RFC 9207) and redirects with 303, so that a form is never sent on (RFC 9700, 4.12).
    fn send_back(&self, reply_to: &ReplyTo, params: &[(&str, &str)]) -> HttpResponse {
        let Ok(mut location) = Url::parse(&reply_to.redirect_uri) else {
            return pages::error_page(&Refusal::invalid_request("the redirect_uri is not a URI"));
        };
        {
            let mut query = location.query_pairs_mut();
            query.extend_pairs(params);
            if let Some(state) = &reply_to.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", &self.issuer());
        }
        HttpResponse::SeeOther()
            .insert_header((header::LOCATION, location.as_str()))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .finish()
    }
}

/// The value of the session cookie that a request carries.
pub(crate) fn session_cookie(request: &HttpRequest) -> Option<String> {
    request.cookie(SESSION_COOKIE).map(|cookie| cookie.value().to_owned())
}
