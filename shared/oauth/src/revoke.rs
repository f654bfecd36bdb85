//! Withdrawing a grant. By hand: the `oauth2` crate revokes only over https, which a provider on loopback does not speak.

use secrecy::{ExposeSecret, SecretString};

use crate::http_client;
use crate::identity_provider::IdentityProvider;
use crate::token_error::TokenError;

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The provider has forgotten the token, or never knew it.
    Done,
    /// The provider has no endpoint for it: the person can withdraw access in the provider's own settings.
    NotOffered,
}

impl IdentityProvider {
    /// Withdraws a refresh token, and with it the grant (RFC 7009).
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn revoke(&self, refresh_token: &SecretString) -> Result<Revocation, TokenError> {
        let client = self.delegated()?;
        let Some(url) = &self.endpoints.revoke else {
            return Ok(Revocation::NotOffered);
        };
        let form = [
            ("token", refresh_token.expose_secret()),
            ("token_type_hint", "refresh_token"),
            ("client_id", &client.id),
        ];
        let failed = |failure| TokenError::from_http(failure, &self.name);
        let request = http_client::form(url, &form).map_err(failed)?;
        client.send(&self.http, request).await.map_err(failed)?;
        Ok(Revocation::Done)
    }
}
