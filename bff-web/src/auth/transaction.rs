//! An attempt to sign in that is under way, kept in the browser that began it.
//!
//! Each attempt has a cookie of its own, so several tabs can sign in at once. It is sealed, so the browser that carries the
//! PKCE verifier and the nonce cannot read them; it is Lax, because coming back from the provider is a navigation that
//! another site began; and it ends by itself, so that abandoned attempts do not pile up.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{random, return_to::ReturnTo, seal::Seal, session_store::SessionSecret, step_up::StepUpDemand};

/// How many characters of the state are in the cookie's name, to find it again.
const LABEL_CHARS: usize = 8;

/// What an attempt has to remember.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Transaction {
    /// Names the attempt in the provider's answer (RFC 6749 section 10.12).
    pub(super) state: String,
    /// Names the attempt in the ID token (OpenID Connect Core section 15.5.2).
    pub(super) nonce: String,
    /// The PKCE verifier (RFC 7636 section 4.1).
    pub(super) verifier: String,
    /// Where to go afterwards.
    pub(super) return_to: ReturnTo,
    /// The session that the browser had when it began. It ends when the new one begins; by then the browser does not send
    /// it, because a redirect of another site carries no Strict cookie.
    pub(super) replaces: Option<SessionSecret>,
    /// What the sign-in has to be like, where a service asked for that.
    #[serde(default)]
    pub(super) step_up: StepUpDemand,
}

impl Transaction {
    /// A new attempt.
    pub(super) fn begin(return_to: ReturnTo, replaces: Option<SessionSecret>) -> Self {
        Self {
            state: random::token(),
            nonce: random::token(),
            verifier: random::token(),
            return_to,
            replaces,
            step_up: StepUpDemand::default(),
        }
    }
}

/// Writes attempts to cookies and finds them again.
pub(super) struct Transactions {
    seal: Seal<Transaction>,
    prefix: String,
    secure: bool,
    max: usize,
}

impl Transactions {
    /// `max` attempts of one browser may be under way at once. `secure` says whether the public origin is https.
    pub(super) fn new(seal: Seal<Transaction>, secure: bool, max: usize) -> Self {
        let prefix = if secure { "__Host-login-" } else { "login-" };
        Self { seal, prefix: prefix.to_owned(), secure, max }
    }

    /// The cookies that begin an attempt: its own, and the removal of those that are one too many or of no use.
    pub(super) fn begin(
        &self,
        request: &HttpRequest,
        transaction: Transaction,
        now: Timestamp,
    ) -> Vec<Cookie<'static>> {
        let mut under_way = Vec::new();
        let mut cookies = Vec::new();
        for cookie in self.cookies(request) {
            match self.seal.open(cookie.value(), cookie.name(), now) {
                Some((_, expires_at)) => under_way.push((expires_at, cookie.name().to_owned())),
                None => cookies.push(self.removal(cookie.name().to_owned())),
            }
        }
        under_way.sort();
        let too_many = (under_way.len() + 1).saturating_sub(self.max);
        cookies.extend(under_way.into_iter().take(too_many).map(|(_, name)| self.removal(name)));

        let name = self.name(&transaction.state);
        if let Some(value) = self.seal.seal(transaction, &name, now) {
            let max_age = time::Duration::try_from(self.seal.lifetime()).unwrap_or(time::Duration::MAX);
            cookies.push(self.build(name, value).max_age(max_age).finish());
        }
        cookies
    }

    /// The attempt of this browser with this state, and the removal of its cookie. `None` when this browser did not begin
    /// it, or it took too long.
    pub(super) fn finish(
        &self,
        request: &HttpRequest,
        state: &str,
        now: Timestamp,
    ) -> Option<(Transaction, Cookie<'static>)> {
        let name = self.name(state);
        let cookie = self.cookies(request).into_iter().find(|cookie| cookie.name() == name)?;
        let (transaction, _) = self.seal.open(cookie.value(), &name, now)?;
        let same: bool = transaction.state.as_bytes().ct_eq(state.as_bytes()).into();
        same.then(|| (transaction, self.removal(name)))
    }

    fn cookies(&self, request: &HttpRequest) -> Vec<Cookie<'static>> {
        let cookies = request.cookies();
        let cookies = cookies.iter().flat_map(|cookies| cookies.iter());
        cookies.filter(|cookie| cookie.name().starts_with(&self.prefix)).cloned().collect()
    }

    fn name(&self, state: &str) -> String {
        let label: String = state.chars().take(LABEL_CHARS).collect();
        format!("{}{label}", self.prefix)
    }

    fn removal(&self, name: String) -> Cookie<'static> {
        let mut cookie = self.build(name, String::new()).finish();
        cookie.make_removal();
        cookie
    }

    fn build(&self, name: String, value: String) -> actix_web::cookie::CookieBuilder<'static> {
        Cookie::build(name, value).path("/").http_only(true).secure(self.secure).same_site(SameSite::Lax)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::test::TestRequest;
    use jiff::SignedDuration;

    use super::*;

    const NOON: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn transactions() -> Transactions {
        Transactions::new(Seal::new(&[[7; 32]], Duration::from_secs(600)), true, 3)
    }

    /// A browser's cookies after an answer.
    fn store(jar: &mut Vec<Cookie<'static>>, answer: Vec<Cookie<'static>>) {
        for cookie in answer {
            jar.retain(|known| known.name() != cookie.name());
            if !cookie.value().is_empty() {
                jar.push(cookie);
            }
        }
    }

    fn request(jar: &[Cookie<'static>]) -> HttpRequest {
        jar.iter().fold(TestRequest::default(), |request, cookie| request.cookie(cookie.clone())).to_http_request()
    }

    fn at(seconds: i64) -> Timestamp {
        NOON + SignedDuration::from_secs(seconds)
    }

    fn begin(jar: &mut Vec<Cookie<'static>>, now: Timestamp) -> Transaction {
        let transaction = Transaction::begin(ReturnTo::default(), None);
        let answer = transactions().begin(&request(jar), transaction.clone(), now);
        store(jar, answer);
        transaction
    }

    /// Shows: W1
    #[test]
    fn several_tabs_sign_in_at_once() {
        let mut jar = Vec::new();
        let (first, second) = (begin(&mut jar, NOON), begin(&mut jar, at(1)));
        for begun in [second, first] {
            let (found, removal) = transactions().finish(&request(&jar), &begun.state, at(2)).expect("it is under way");
            assert_eq!((found.verifier, found.nonce), (begun.verifier, begun.nonce));
            store(&mut jar, vec![removal]);
        }
        assert!(jar.is_empty());
    }

    /// Shows: W1
    #[test]
    fn abandoned_attempts_do_not_pile_up() {
        let mut jar = Vec::new();
        let begun: Vec<_> = (0..10).map(|second| begin(&mut jar, at(second))).collect();
        assert_eq!(jar.len(), 3);
        let found = begun.iter().map(|begun| transactions().finish(&request(&jar), &begun.state, at(10)).is_some());
        let expected: Vec<bool> = (0..10).map(|number| number >= 7).collect();
        assert_eq!(found.collect::<Vec<_>>(), expected, "the latest ones are left");
    }

    /// Shows: W1
    #[test]
    fn an_attempt_is_of_no_use_in_another_browser_or_after_its_time() {
        let mut jar = Vec::new();
        let begun = begin(&mut jar, NOON);
        assert!(transactions().finish(&request(&[]), &begun.state, NOON).is_none(), "another browser");
        assert!(transactions().finish(&request(&jar), &begun.state, at(600)).is_none(), "too late");
        let similar = format!("{}x", begun.state);
        assert!(transactions().finish(&request(&jar), &similar, NOON).is_none(), "another state");
    }

    #[test]
    fn the_cookie_is_kept_from_script_and_from_other_sites() {
        let cookies = transactions().begin(&request(&[]), Transaction::begin(ReturnTo::default(), None), NOON);
        let text = cookies[0].to_string();
        let name_and_value = text.split(';').next().unwrap_or_default();
        assert!(name_and_value.starts_with("__Host-login-"), "{text}");
        assert_eq!(text.strip_prefix(name_and_value), Some("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600"));
    }

    /// Shows: W4
    #[test]
    fn the_largest_attempt_fits_into_a_cookie() {
        // Quotation marks are the longest in JSON, and this is the longest address that is taken.
        let return_to = ReturnTo::parse(&format!("/{}", "\"".repeat(1023))).expect("it is local");
        let replaces = Some(SessionSecret::new(&random::token()));
        let cookies = transactions().begin(&request(&[]), Transaction::begin(return_to, replaces), NOON);
        let size = cookies[0].name().len() + cookies[0].value().len();
        assert!((3000..=4096).contains(&size), "browsers drop a cookie of {size} bytes");
    }

    proptest::proptest! {
        /// Shows: W1
        #[test]
        fn no_cookie_and_no_state_that_were_made_up_are_an_attempt(
            value in "[A-Za-z0-9_-]{0,300}|[\\x21-\\x7e&&[^;,\"\\\\]]{0,60}",
            state in "\\PC{0,60}|[A-Za-z0-9_-]{43}",
        ) {
            let mut jar = Vec::new();
            let begun = begin(&mut jar, NOON);
            proptest::prop_assert!(transactions().finish(&request(&jar), &state, NOON).is_none());
            let name = jar[0].name().to_owned();
            let jar = [Cookie::new(name, value)];
            proptest::prop_assert!(transactions().finish(&request(&jar), &begun.state, NOON).is_none());
        }
    }
}
