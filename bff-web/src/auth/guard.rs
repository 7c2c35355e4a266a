//! What stands before every route: is somebody signed in, did our own page make the request, and is the access token good
//! for the calls to come.

use actix_session::SessionExt;
use actix_web::{
    dev::ServiceRequest,
    http::{
        Method, StatusCode,
        header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, LOCATION},
    },
    web,
};
use futures_util::future::LocalBoxFuture;
use shared_lib::{
    context::{Caller, Credentials},
    problem::{Problem, ProblemKind, kinds},
    server::{Access, Admission, CsrfCheck, Guard, Route, TokenOwner},
    stream::Resume,
};
use url::form_urlencoded;

use super::{WorkerAuth, return_to::ReturnTo};
use crate::live::store_away::takes_events;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Routes that are about sessions. They neither prolong the present one nor need an access token: asking how long it lasts
/// must not change the answer, and signing out must be possible while the provider is away.
const ABOUT_SESSIONS: &str = "/api/auth/";

/// See other: a person has to sign in first.
pub static SIGN_IN_FIRST: ProblemKind = ProblemKind {
    code: "sign-in-first",
    status: StatusCode::SEE_OTHER,
    title: "Sign in first",
    remedy: "Follow `Location`; it leads back here afterwards.",
};

/// No content: the session of this stream has ended. It is what makes a browser's `EventSource` stop for good (WHATWG HTML
/// 9.2.3).
pub static NO_MORE_EVENTS: ProblemKind = ProblemKind {
    code: "no-more-events",
    status: StatusCode::NO_CONTENT,
    title: "The session of this stream has ended",
    remedy: "Sign in, and open a new stream.",
};

/// Lets requests in by their session.
pub struct WebGuard {
    auth: web::Data<WorkerAuth>,
}

impl WebGuard {
    /// For the worker with this.
    #[must_use]
    pub fn new(auth: web::Data<WorkerAuth>) -> Self {
        Self { auth }
    }

    async fn decide(&self, request: &ServiceRequest, route: &Route) -> Result<Admission, Problem> {
        let is_public = route.policy.access == Access::Public;
        let checks_csrf = route.policy.csrf == CsrfCheck::ByMethod && !route.method.is_safe();
        let session = match self.auth.sessions.current(&request.get_session()) {
            Ok(Some(session)) => session,
            Ok(None) if is_public => return Ok(without_user(route)),
            Ok(None) => return Err(Problem::new(&kinds::UNAUTHENTICATED)),
            // What needs no session goes on while the store is away.
            Err(_) if is_public && !checks_csrf => return Ok(without_user(route)),
            Err(error) => return Err(error.into()),
        };
        if checks_csrf {
            self.auth.csrf.check(request.headers(), &session.identity.handle)?;
        }
        let owner = token_owner(route);
        if is_public && owner != TokenOwner::UserOrClient {
            return Ok(without_user(route));
        }
        if let Access::Scopes(needed) = route.policy.access
            && !needed.iter().all(|scope| session.tokens.has_scope(scope))
        {
            return Err(Problem::new(&kinds::FORBIDDEN).detail("The user has not been granted what this needs."));
        }
        let credentials = match owner {
            // What is passive may outlive any token, and asks for one when it needs it.
            _ if route.policy.passive.is_some() => Credentials::None,
            TokenOwner::None => Credentials::None,
            TokenOwner::Client => Credentials::Client,
            TokenOwner::User | TokenOwner::UserOrClient => match self.auth.user_token(&session).await {
                Ok(token) => Credentials::User(token),
                // Whose session ends here is as anyone else on a route for anyone.
                Err(problem) if is_public && *problem.kind() == kinds::UNAUTHENTICATED => {
                    return Ok(without_user(route));
                }
                Err(problem) => return Err(problem),
            },
        };
        if !route.path.starts_with(ABOUT_SESSIONS) && route.policy.passive.is_none() {
            self.auth.sessions.prolong(&session).await?;
        }
        let token = match &credentials {
            Credentials::User(user) => Some(user.token.clone()),
            Credentials::None | Credentials::Client => None,
        };
        let scopes = session.tokens.scopes().collect();
        let caller = Caller { subject: session.identity.subject, scopes, token };
        Ok(Admission { caller: Some(caller), credentials: Some(credentials), ..Admission::default() })
    }
}

/// Whose token a route's calls carry when its policy does not say: that of whoever has to be signed in for it.
#[must_use]
pub fn token_owner(route: &Route) -> TokenOwner {
    let is_about_sessions = route.path.starts_with(ABOUT_SESSIONS);
    route.policy.token.unwrap_or(match route.policy.access {
        Access::Caller | Access::Scopes(_) if !is_about_sessions => TokenOwner::User,
        _ => TokenOwner::None,
    })
}

/// Lets a request in of which it does not matter who makes it.
fn without_user(route: &Route) -> Admission {
    let credentials = match token_owner(route) {
        TokenOwner::Client | TokenOwner::UserOrClient => Credentials::Client,
        TokenOwner::None | TokenOwner::User => Credentials::None,
    };
    Admission { credentials: Some(credentials), ..Admission::default() }
}

impl Guard for WebGuard {
    fn admit<'a>(
        &'a self,
        request: &'a ServiceRequest,
        route: &'a Route,
    ) -> LocalBoxFuture<'a, Result<Admission, Problem>> {
        Box::pin(async move {
            self.decide(request, route).await.map_err(|problem| {
                let nobody = *problem.kind() == kinds::UNAUTHENTICATED;
                let navigates = is_navigation(request.method(), request.headers());
                match nobody {
                    true if navigates => redirect_to_sign_in(request),
                    true if is_returning_stream(request) => Problem::new(&NO_MORE_EVENTS),
                    _ => problem,
                }
            })
        })
    }
}

/// Where a person who navigates to a page of the signed-in goes instead. A call from script gets the 401: following a
/// redirect to the provider would end in a CORS error that says nothing.
fn redirect_to_sign_in(request: &ServiceRequest) -> Problem {
    let target = ReturnTo::of_request(request.request());
    let target: String = form_urlencoded::byte_serialize(target.as_str().as_bytes()).collect();
    let problem = Problem::new(&SIGN_IN_FIRST);
    match HeaderValue::try_from(format!("/api/auth/login?returnTo={target}")) {
        Ok(location) => problem.header(LOCATION, location),
        Err(error) => Problem::new(&kinds::UNAUTHENTICATED).caused_by(error),
    }
}

/// Whether a person goes to this address, as browsers say it (Fetch Metadata), or as older ones let it be known.
pub(crate) fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    if *method != Method::GET {
        return false;
    }
    match headers.get(SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate",
        None => headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html")),
    }
}

/// Whether an `EventSource` that had a stream comes back.
fn is_returning_stream(request: &ServiceRequest) -> bool {
    takes_events(request.headers()) && Resume::from_request(request.request()) != Resume::Now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn navigates(method: &Method, fields: &[(HeaderName, &'static str)]) -> bool {
        let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        is_navigation(method, &fields.collect())
    }

    /// Shows: W8
    #[test]
    fn a_navigation_is_told_from_a_call_of_script() {
        const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert!(navigates(&Method::GET, &[(SEC_FETCH_MODE, "navigate"), (ACCEPT, HTML)]));
        assert!(navigates(&Method::GET, &[(ACCEPT, HTML)]), "a browser without Fetch Metadata");
        assert!(!navigates(&Method::GET, &[(SEC_FETCH_MODE, "cors"), (ACCEPT, HTML)]));
        assert!(!navigates(&Method::GET, &[(ACCEPT, "application/json")]));
        assert!(!navigates(&Method::GET, &[]));
        assert!(!navigates(&Method::POST, &[(SEC_FETCH_MODE, "navigate"), (ACCEPT, HTML)]));
    }
}
