//! The end: revoked tokens (RFC 7009) and the provider's own session (OpenID Connect RP-Initiated Logout).

use url::Url;

use super::{OAuthError, client::ProviderClient};
use crate::{context::RequestContext, settings::Secret};

/// Where the provider sends the browser after a logout, and who logs out.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndSession<'a> {
    /// Who logs out, as the provider knows it: usually the session id.
    pub logout_hint: Option<&'a str>,
    /// Where the browser goes then. The provider must know it.
    pub post_logout_redirect_uri: Option<&'a str>,
    /// Comes back with the browser.
    pub state: Option<&'a str>,
}

impl ProviderClient {
    /// Revokes a refresh token, and with it its grant. A provider that offers no revocation is no error: the token
    /// ends by itself. Revoking twice has the effect of once, so this is repeated where our credentials can be.
    ///
    /// # Errors
    /// When the provider refuses or cannot be asked.
    pub async fn revoke(&self, context: &RequestContext, refresh_token: &Secret) -> Result<(), OAuthError> {
        let metadata = self.metadata(context).await?;
        let Some(endpoint) = metadata.revocation_endpoint.clone() else { return Ok(()) };
        let parameters =
            [("token", refresh_token.expose().to_owned()), ("token_type_hint", "refresh_token".to_owned())];
        let call = self.form_call(context, endpoint, &metadata, &parameters)?;
        let call = if self.settings().client_auth.can_repeat() { call.idempotent() } else { call };
        call.send().await?;
        Ok(())
    }

    /// The address at which the browser ends the provider's session, or nothing where the provider has none. It names
    /// us and hints at who logs out, but carries no ID token: addresses are logged and kept in histories.
    ///
    /// # Errors
    /// When there is no metadata yet and the provider cannot be asked.
    pub async fn end_session_url(
        &self,
        context: &RequestContext,
        end: &EndSession<'_>,
    ) -> Result<Option<Url>, OAuthError> {
        let metadata = self.metadata(context).await?;
        let Some(mut url) = metadata.end_session_endpoint.clone() else { return Ok(None) };
        let parameters = [
            ("client_id", Some(self.settings().client_id.as_str())),
            ("logout_hint", end.logout_hint),
            ("post_logout_redirect_uri", end.post_logout_redirect_uri),
            ("state", end.state),
        ];
        url.query_pairs_mut().extend_pairs(parameters.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Ok(Some(url))
    }
}
