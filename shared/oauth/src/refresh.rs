//! A new access token for an old grant.

use oauth2::{RefreshToken, Scope};
use secrecy::{ExposeSecret, SecretString};

use crate::causes::SCOPE_REFUSED;
use crate::identity_provider::IdentityProvider;
use crate::token_error::TokenError;
use crate::tokens::{TokenAnswer, Tokens};
use crate::transport::OAuthTransport;

impl IdentityProvider {
    /// Gets a new access token. A new refresh token, if there is one in the answer, must be on disk before anything
    /// uses the access token.
    ///
    /// # Errors
    /// [`TokenError`]; read the grant again before declaring it dead.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, TokenError> {
        match self.refresh_with(refresh_token, &self.scopes).await {
            // The grant is older than a scope that the operator added since: take what it was given for.
            Err(error) if error.cause == SCOPE_REFUSED => self.refresh_with(refresh_token, &[]).await,
            other => other,
        }
    }

    /// Microsoft gives a new refresh token only if the scopes, `offline_access` among them, are named again.
    async fn refresh_with(
        &self,
        refresh_token: &SecretString,
        scopes: &[String],
    ) -> Result<Tokens, TokenError> {
        let client = self.delegated()?;
        let http = &self.http;
        let refresh_token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let answer: TokenAnswer = self
            .oauth_client(client)
            .exchange_refresh_token(&refresh_token)
            .add_scopes(scopes.iter().cloned().map(Scope::new))
            .request_async(&OAuthTransport { http, client })
            .await
            .map_err(|error| TokenError::from_request(error, &self.name))?;
        self.tokens(&answer)
    }
}
