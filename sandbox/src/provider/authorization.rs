//! The authorization request: its parameters, read and checked (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2.1).
//!
//! The check has two halves. Who asks and where the answer goes is settled first; while that is open, an error
//! is shown and not sent anywhere (RFC 6749, 4.1.2.1). After that, errors go to the client.

use super::clients::{Client, GrantType};
use super::params::Params;
use super::refusal::Refusal;
use super::scopes::Scopes;
use super::state::{Acr, Authentication};
use super::{Provider, pkce};

/// What the client wants the user to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// What is needed.
    AsNeeded,
    /// Nothing; an error where something would be needed.
    None,
    /// The password, whatever session there is.
    Login,
}

/// A checked authorization request.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Scopes,
    pub(crate) nonce: Option<String>,
    pub(crate) code_challenge: String,
    pub(crate) prompt: Prompt,
    /// Seconds since the last login at most.
    pub(crate) max_age: Option<u64>,
    /// The weakest authentication that will do.
    pub(crate) acr: Acr,
    pub(crate) login_hint: Option<String>,
    /// The user that the client believes to be signed in.
    pub(crate) expected_sub: Option<String>,
    /// The key that the code is bound to (RFC 9449, 10).
    pub(crate) dpop_jkt: Option<String>,
    /// The request URI under which it was pushed.
    pub(crate) request_uri: Option<String>,
}

/// Where an answer or an error goes, known before the rest of a request is.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
}

impl AuthorizationRequest {
    /// Where the answer goes.
    pub(crate) fn reply_to(&self) -> ReplyTo {
        ReplyTo { redirect_uri: self.redirect_uri.clone(), state: self.state.clone() }
    }

    /// Whether a session will do as it is, without asking the user.
    pub(crate) fn is_met_by(&self, session: &Authentication, now: u64) -> bool {
        let fresh = self.max_age.is_none_or(|max_age| now.saturating_sub(session.auth_time) <= max_age);
        let same_user = self.expected_sub.as_ref().is_none_or(|sub| *sub == session.sub);
        self.prompt != Prompt::Login && fresh && same_user && session.acr >= self.acr
    }
}

impl Provider {
    /// The first half: who asks, and where the answer goes.
    ///
    /// # Errors
    /// A refusal that must not be redirected.
    pub(crate) fn reply_to(&self, params: &Params) -> Result<(Client, ReplyTo), Refusal> {
        let client = self
            .client(params.required("client_id")?)
            .ok_or_else(|| Refusal::invalid_request("the client is not known"))?;
        let redirect_uri = params.required("redirect_uri")?.to_owned();
        if !client.has_redirect(&redirect_uri) {
            return Err(Refusal::invalid_request("the redirect_uri is not registered for this client"));
        }
        Ok((client, ReplyTo { redirect_uri, state: params.owned("state") }))
    }

    /// The second half: what is asked for.
    ///
    /// # Errors
    /// A refusal for the client.
    pub(crate) fn authorization_request(
        &self,
        params: &Params,
        client: &Client,
        reply_to: ReplyTo,
    ) -> Result<AuthorizationRequest, Refusal> {
        if params.get("request").is_some() {
            return Err(Refusal::bad_request("request_not_supported", "request objects are not supported"));
        }
        if params.required("response_type")? != "code" {
            return Err(Refusal::bad_request("unsupported_response_type", "only the response type code is supported"));
        }
        if !client.may_use(GrantType::AuthorizationCode) {
            return Err(Refusal::unauthorized_client("the client may not use the authorization code grant"));
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(Refusal::invalid_request("only the response mode query is supported"));
        }
        // Without code_challenge_method RFC 7636 means "plain", which is not allowed here.
        if params.get("code_challenge_method") != Some("S256") {
            return Err(Refusal::invalid_request("PKCE with code_challenge_method S256 is required"));
        }
        let code_challenge = params.required("code_challenge")?;
        if !pkce::is_challenge(code_challenge) {
            return Err(Refusal::invalid_request("the code_challenge is no SHA-256 in base64url"));
        }
        let max_age = params
            .get("max_age")
            .map(|text| text.parse::<u64>().map_err(|_| Refusal::invalid_request("max_age is not a number of seconds")))
            .transpose()?;
        let expected_sub = params
            .get("id_token_hint")
            .map(|hint| {
                self.id_token_hint(hint)
                    .map(|hint| hint.sub)
                    .ok_or_else(|| Refusal::invalid_request("the id_token_hint is not an ID token of this provider"))
            })
            .transpose()?;
        Ok(AuthorizationRequest {
            client_id: client.id.clone(),
            redirect_uri: reply_to.redirect_uri,
            state: reply_to.state,
            scopes: Scopes::parse(params.get("scope").unwrap_or_default())?,
            nonce: params.owned("nonce"),
            code_challenge: code_challenge.to_owned(),
            prompt: prompt(params.get("prompt"))?,
            max_age,
            acr: weakest_acr(params.get("acr_values"))?,
            login_hint: params.owned("login_hint"),
            expected_sub,
            dpop_jkt: params.owned("dpop_jkt"),
            request_uri: None,
        })
    }
}

fn prompt(value: Option<&str>) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::AsNeeded;
    let words: Vec<&str> = value.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
    for word in &words {
        match *word {
            "none" if words.len() == 1 => prompt = Prompt::None,
            "none" => return Err(Refusal::invalid_request("prompt none cannot be combined")),
            // There is one page, and it asks for all that these could want.
            "login" | "select_account" | "consent" => prompt = Prompt::Login,
            _ => return Err(Refusal::invalid_request("a value of prompt is not known")),
        }
    }
    Ok(prompt)
}

/// The weakest of the classes that the client would accept. RFC 9470, 5 lets a provider that knows none of
/// them say so.
fn weakest_acr(values: Option<&str>) -> Result<Acr, Refusal> {
    let Some(values) = values else {
        return Ok(Acr::Password);
    };
    values
        .split(' ')
        .filter_map(Acr::from_name)
        .min()
        .ok_or_else(|| Refusal::bad_request("unmet_authentication_requirements", "none of the acr_values can be met"))
}
