//! The login form's answer: a password (and a code), or the user's choice to go back without.

use actix_web::{HttpRequest, HttpResponse, web};

use super::Provider;
use super::authorize::{INTERACTION_LIFETIME, session_cookie};
use super::pages::{self, LoginPage};
use super::params::Params;
use super::random::same_secret;
use super::refusal::Refusal;
use super::sso::{BROWSER_COOKIE, SESSION_COOKIE};
use super::state::{Acr, Interaction};
use super::users::{MFA_CODE, User};

/// After that many wrong passwords the login has to begin anew at the client.
const MOST_FAILURES: u8 = 10;

/// Checks the form and sends the browser back to the client, or shows the form again.
pub(crate) async fn post_login(request: HttpRequest, body: web::Bytes, provider: web::Data<Provider>) -> HttpResponse {
    login(&provider, &request, &body).unwrap_or_else(|refusal| pages::error_page(&refusal))
}

fn login(provider: &Provider, request: &HttpRequest, body: &[u8]) -> Result<HttpResponse, Refusal> {
    let params = Params::from_form(request, body)?;
    let id = params.required("interaction")?;
    let csrf = params.required("csrf")?;
    let browser = request
        .cookie(BROWSER_COOKIE)
        .ok_or_else(|| Refusal::invalid_request("the login was begun in another browser, or cookies are off"))?;
    if !provider.form_key().opens(csrf, browser.value(), id) {
        return Err(Refusal::invalid_request("the login was begun in another browser"));
    }
    let now = provider.clock().now();
    // Taken out while it is worked on, so that a form sent twice gives one code.
    let Interaction { request: asked, failures } = provider
        .state(|state| state.interactions.remove(id, now))
        .ok_or_else(|| Refusal::invalid_request("this login is over; please begin again at the application"))?;
    if params.get("action") == Some("cancel") {
        provider.forget_pushed(&asked);
        let refusal = Refusal::bad_request("access_denied", "the user chose not to sign in");
        return Ok(provider.send_refusal(&asked.reply_to(), &refusal));
    }
    if let Some((user, acr)) = check_credentials(&params, asked.acr) {
        if asked.expected_sub.as_ref().is_some_and(|sub| *sub != user.sub) {
            provider.forget_pushed(&asked);
            let refusal = Refusal::bad_request("login_required", "another user signed in than the one expected");
            return Ok(provider.send_refusal(&asked.reply_to(), &refusal));
        }
        provider.counters().logins.count();
        let old_cookie = session_cookie(request);
        let (cookie, authentication) = provider.begin_session(&user, acr, old_cookie.as_deref())?;
        let mut response = provider.send_code(asked, authentication)?;
        response
            .add_cookie(&provider.cookie(SESSION_COOKIE, cookie))
            .map_err(|_| Refusal::invalid_request("the session cookie cannot be set"))?;
        return Ok(response);
    }
    if failures + 1 >= MOST_FAILURES {
        provider.forget_pushed(&asked);
        let refusal = Refusal::bad_request("access_denied", "too many wrong passwords");
        return Ok(provider.send_refusal(&asked.reply_to(), &refusal));
    }
    let client = provider.client(&asked.client_id);
    let response = pages::login_page(&LoginPage {
        interaction: id,
        csrf,
        client_name: client.as_ref().map_or("an application", |client| client.name.as_str()),
        redirect_uri: &asked.redirect_uri,
        username: params.get("username").unwrap_or_default(),
        acr: asked.acr,
        failed: true,
    });
    provider.state(|state| {
        let interaction = Interaction { request: asked, failures: failures + 1 };
        state.interactions.insert(id.to_owned(), interaction, now + INTERACTION_LIFETIME, now);
    });
    response
}

/// The user and how strongly they proved it, when all fields that are needed are right.
fn check_credentials(params: &Params, needed: Acr) -> Option<(User, Acr)> {
    let user = User::by_username(params.get("username")?.trim())?;
    if !user.has_password(params.get("password")?) {
        return None;
    }
    match needed {
        Acr::Password => Some((user, Acr::Password)),
        Acr::Mfa => same_secret(params.get("code")?.trim(), MFA_CODE).then_some((user, Acr::Mfa)),
    }
}
