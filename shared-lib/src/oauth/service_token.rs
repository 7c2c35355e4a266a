//! Our own tokens (client credentials, RFC 6749 section 4.4): one for each audience and set of scopes, for the whole
//! process.

use std::time::Duration;

use super::{OAuthError, client::ProviderClient};
use crate::{context::RequestContext, settings::Secret};

/// What a service token is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ServiceTokenKey {
    audience: Option<String>,
    /// Sorted, so that the same scopes in another order are the same token.
    scopes: String,
}

impl ServiceTokenKey {
    fn new(audience: Option<&str>, scopes: &[String]) -> Self {
        Self { audience: audience.map(str::to_owned), scopes: sorted(scopes) }
    }
}

/// Scopes as one text, in an order that does not depend on who wrote them down.
pub(super) fn sorted(scopes: &[String]) -> String {
    let mut scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes.join(" ")
}

/// The longest that a service token is kept, whatever its lifetime, so that a change of our rights at the provider
/// takes effect within the hour.
const LONGEST: Duration = Duration::from_secs(3600);

impl ProviderClient {
    /// Our own access token for this audience. It is kept until shortly before it ends, and asked for by one request
    /// at a time.
    ///
    /// # Errors
    /// When the provider refuses or cannot be asked.
    pub async fn client_credentials(
        &self,
        context: &RequestContext,
        audience: Option<&str>,
        scopes: &[String],
    ) -> Result<Secret, OAuthError> {
        let key = ServiceTokenKey::new(audience, scopes);
        let mut parameters = vec![("grant_type", "client_credentials".to_owned())];
        parameters.extend(key.audience.clone().map(|audience| ("audience", audience)));
        if !key.scopes.is_empty() {
            parameters.push(("scope", key.scopes.clone()));
        }
        let cache = &self.shared().parts().service_tokens;
        cache.get(context, &key, LONGEST, async || self.tokens(context, &parameters).await).await
    }

    /// Forgets our token for this audience, after a service has refused it.
    pub fn forget_client_credentials(&self, audience: Option<&str>, scopes: &[String]) {
        self.shared().parts().service_tokens.forget(&ServiceTokenKey::new(audience, scopes));
    }
}
