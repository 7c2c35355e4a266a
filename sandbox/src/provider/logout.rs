//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Who can show that it belongs to the session is believed: by an ID token of it, or by its `sid` as `logout_hint`
//! together with the client id (the `sid` cannot be guessed and only the session's clients know it). For everyone
//! else the user is asked, so that a link on a foreign page signs nobody out.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use url::Url;

use super::Provider;
use super::authorize::session_cookie;
use super::pages;
use super::params::Params;
use super::random::sha256;
use super::refusal::Refusal;
use super::tokens::Audience;

/// What an ID token tells when it comes back as a hint. It may have expired.
#[derive(Deserialize)]
pub(crate) struct IdTokenHint {
    iss: String,
    pub(crate) sub: String,
    aud: Audience,
    sid: Option<String>,
}

/// A checked logout request.
struct LogoutRequest {
    client_id: Option<String>,
    hint: Option<IdTokenHint>,
    logout_hint: Option<String>,
    /// Where to go afterwards; registered for the client.
    target: Option<String>,
    state: Option<String>,
}

/// Ends the session, with the parameters in the query.
pub(crate) async fn get_logout(request: HttpRequest, provider: web::Data<Provider>) -> HttpResponse {
    Params::parse(request.query_string().as_bytes())
        .and_then(|params| logout(&provider, &request, &params))
        .unwrap_or_else(|refusal| pages::error_page(&refusal))
}

/// Ends the session, with the parameters in a form, which keeps them out of the address.
pub(crate) async fn post_logout(request: HttpRequest, body: web::Bytes, provider: web::Data<Provider>) -> HttpResponse {
    Params::from_form(&request, &body)
        .and_then(|params| logout(&provider, &request, &params))
        .unwrap_or_else(|refusal| pages::error_page(&refusal))
}

/// Takes the user's answer to the question.
pub(crate) async fn post_confirm(
    request: HttpRequest,
    body: web::Bytes,
    provider: web::Data<Provider>,
) -> HttpResponse {
    Params::from_form(&request, &body)
        .and_then(|params| confirm(&provider, &request, &params))
        .unwrap_or_else(|refusal| pages::error_page(&refusal))
}

fn logout(provider: &Provider, request: &HttpRequest, params: &Params) -> Result<HttpResponse, Refusal> {
    let asked = read_request(provider, params)?;
    let hinted_sid = asked.hint.as_ref().and_then(|hint| hint.sid.as_deref());
    let Some(session) = provider.browser_session(request) else {
        // A form from another site comes without the cookie (SameSite); the ID token still names the session.
        if let Some(sid) = hinted_sid {
            provider.end_sessions(|session| session.authentication.sid == sid);
        }
        return finish(provider, &asked);
    };
    let sid = session.authentication.sid.as_str();
    let vouched = hinted_sid == Some(sid) || (asked.client_id.is_some() && asked.logout_hint.as_deref() == Some(sid));
    if !vouched {
        return ask(provider, request, &asked);
    }
    end_in_browser(provider, request);
    finish(provider, &asked)
}

fn read_request(provider: &Provider, params: &Params) -> Result<LogoutRequest, Refusal> {
    let hint = params
        .get("id_token_hint")
        .map(|jwt| {
            provider
                .id_token_hint(jwt)
                .ok_or_else(|| Refusal::invalid_request("the id_token_hint is not an ID token of this provider"))
        })
        .transpose()?;
    let named = params.get("client_id");
    if let (Some(named), Some(hint)) = (named, &hint)
        && !hint.aud.contains(named)
    {
        return Err(Refusal::invalid_request("the id_token_hint was made for another client"));
    }
    let client_id = named.map(str::to_owned).or_else(|| match hint.as_ref().map(|hint| &hint.aud) {
        Some(Audience::One(only)) => Some(only.clone()),
        _ => None,
    });
    let target = params.owned("post_logout_redirect_uri");
    if let Some(target) = &target {
        let registered = client_id
            .as_deref()
            .and_then(|id| provider.client(id))
            .is_some_and(|client| client.has_post_logout_redirect(target));
        if !registered {
            return Err(Refusal::invalid_request("the post_logout_redirect_uri is not registered for the client"));
        }
    }
    Ok(LogoutRequest {
        client_id,
        hint,
        logout_hint: params.owned("logout_hint"),
        target,
        state: params.owned("state"),
    })
}

fn ask(provider: &Provider, request: &HttpRequest, asked: &LogoutRequest) -> Result<HttpResponse, Refusal> {
    let cookie = session_cookie(request).unwrap_or_default();
    let seal = provider.form_key().seal(&cookie, "logout");
    let mut fields = vec![("csrf", seal.as_str())];
    fields.extend(asked.client_id.as_deref().map(|id| ("client_id", id)));
    fields.extend(asked.target.as_deref().map(|target| ("post_logout_redirect_uri", target)));
    fields.extend(asked.state.as_deref().map(|state| ("state", state)));
    pages::logout_page(&fields, asked.target.as_deref())
}

fn confirm(provider: &Provider, request: &HttpRequest, params: &Params) -> Result<HttpResponse, Refusal> {
    let asked = read_request(provider, params)?;
    let cookie = session_cookie(request).unwrap_or_default();
    if !provider.form_key().opens(params.required("csrf")?, &cookie, "logout") {
        return Err(Refusal::invalid_request("the question was asked in another browser or session"));
    }
    if params.get("action") != Some("logout") {
        return pages::notice_page("Still signed in", "Nothing was changed. You can close this page.");
    }
    end_in_browser(provider, request);
    finish(provider, &asked)
}

fn end_in_browser(provider: &Provider, request: &HttpRequest) {
    let now = provider.clock().now();
    let ended =
        session_cookie(request).and_then(|cookie| provider.state(|state| state.end_session(&sha256(&cookie), now)));
    if let Some(session) = ended {
        // The browser does not wait for the other clients.
        provider.announce_end(&session);
    }
}

fn finish(provider: &Provider, asked: &LogoutRequest) -> Result<HttpResponse, Refusal> {
    let mut response = match &asked.target {
        None => pages::notice_page("Signed out", "You are signed out. You can close this page.")?,
        Some(target) => {
            let mut location = Url::parse(target)
                .map_err(|_| Refusal::invalid_request("the post_logout_redirect_uri is not a URI"))?;
            if let Some(state) = &asked.state {
                location.query_pairs_mut().append_pair("state", state);
            }
            HttpResponse::SeeOther()
                .insert_header((header::LOCATION, location.as_str()))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .finish()
        }
    };
    response
        .add_cookie(&provider.no_session_cookie())
        .map_err(|_| Refusal::invalid_request("the session cookie cannot be removed"))?;
    Ok(response)
}

impl Provider {
    /// Reads an ID token that this provider made; expired ones, too.
    pub(crate) fn id_token_hint(&self, jwt: &str) -> Option<IdTokenHint> {
        let token = self.keys(|keys| keys.verify::<IdTokenHint>(jwt))?;
        (token.header.typ.as_deref() == Some("JWT") && token.claims.iss == self.issuer()).then_some(token.claims)
    }
}
