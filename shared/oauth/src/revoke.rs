//! Withdrawing a grant. By hand: the `oauth2` crate revokes only over https, which a provider on loopback does not speak.

use postroom_providers::ClientAuth;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

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
        let Some(url) = &self.endpoints.revoke else {
            return Ok(Revocation::NotOffered);
        };
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut form = vec![
            ("token", refresh_token.expose_secret()),
            ("token_type_hint", "refresh_token"),
        ];
        let mut basic = None;
        match (&self.client_secret, self.client_auth) {
            (Some(secret), ClientAuth::Basic) => {
                basic = Some((encoded(&self.client_id), encoded(secret.expose_secret())));
            }
            (Some(secret), ClientAuth::Body) => {
                form.extend([
                    ("client_id", self.client_id.as_str()),
                    ("client_secret", secret.expose_secret()),
                ]);
            }
            (None, _) => form.push(("client_id", &self.client_id)),
        }
        let basic = basic.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str()));
        self.http
            .post_form(url, &form, basic)
            .await
            .map(|()| Revocation::Done)
            .map_err(|failure| TokenError::from_http(failure, &self.name))
    }
}
