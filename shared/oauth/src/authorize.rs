//! Sending a person to the provider.

use std::borrow::Cow;

use oauth2::{CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use secrecy::SecretString;
use url::Url;

use crate::identity_provider::IdentityProvider;
use crate::token_error::{RedirectError, TokenError};

/// What may be added to a request for authorization.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuthorizationOptions<'a> {
    /// The address that is to be connected, filled into the login page.
    pub login_hint: Option<&'a str>,
    /// A claims challenge from a [`TokenError`].
    pub claims: Option<&'a str>,
    /// In the place of the provider's `prompt`.
    pub prompt: Option<&'a str>,
}

/// Where to send the person, and what to keep until they come back. Each of the three secrets is used once; store
/// the state as a digest and the other two sealed, bound to the browser, the tenant and the provider.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// Where the person's browser goes.
    pub url: Url,
    /// What `state` must be when it comes back.
    pub csrf_state: SecretString,
    /// Proves at the token endpoint that the code is ours (RFC 7636).
    pub pkce_verifier: SecretString,
    /// What `nonce` of the `id_token` must be.
    pub nonce: SecretString,
}

impl IdentityProvider {
    /// Begins an authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636 with S256).
    ///
    /// # Errors
    /// [`KIND_UNFIT`](crate::causes::KIND_UNFIT) where nobody signs in.
    pub fn authorization_request(
        &self,
        redirect_url: &Url,
        options: AuthorizationOptions<'_>,
    ) -> Result<AuthorizationRequest, TokenError> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random_len(32);
        let mut params = self.authorize_params.clone();
        params.insert("nonce".to_owned(), nonce.secret().clone());
        for (name, value) in [
            ("login_hint", options.login_hint),
            ("claims", options.claims),
            ("prompt", options.prompt),
        ] {
            if let Some(value) = value {
                params.insert(name.to_owned(), value.to_owned());
            }
        }
        let client = self.oauth_client(self.delegated()?);
        let mut request = client
            .authorize_url(|| CsrfToken::new_random_len(32))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect_url.clone())))
            .add_scopes(self.scopes.iter().cloned().map(Scope::new));
        for (name, value) in params {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Ok(AuthorizationRequest {
            url,
            csrf_state: state.into_secret().into(),
            pkce_verifier: verifier.into_secret().into(),
            nonce: nonce.into_secret().into(),
        })
    }

    /// What it means that the provider sent the browser back with an error.
    #[must_use]
    pub fn redirect_error(&self, error: &RedirectError<'_>) -> TokenError {
        TokenError::from_redirect(error, &self.name)
    }
}
