//! Signing in on another device (RFC 8628): for a terminal that has no browser.

use std::time::Duration;

use oauth2::{
    DeviceAuthorizationUrl, EmptyExtraDeviceAuthorizationFields, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse,
};

use crate::causes::METADATA_UNUSABLE;
use crate::identity_provider::IdentityProvider;
use crate::token_error::{RedirectError, TokenError};
use crate::tokens::{TokenAnswer, Tokens};
use crate::transport::{DeviceTransport, OAuthTransport};

/// What to show to the person, and what is needed to wait for them.
#[derive(Clone, Debug)]
pub struct DeviceAuthorization {
    answer: StandardDeviceAuthorizationResponse,
}

impl DeviceAuthorization {
    /// Where the person goes, on any device.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        self.answer.verification_uri()
    }

    /// What the person types there.
    #[must_use]
    pub fn user_code(&self) -> &str {
        self.answer.user_code().secret()
    }

    /// How long the person has.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        self.answer.expires_in()
    }
}

impl IdentityProvider {
    /// Asks for a code that a person types in at another device.
    ///
    /// # Errors
    /// [`TokenError`], also if the provider does not offer it.
    pub async fn begin_device(&self) -> Result<DeviceAuthorization, TokenError> {
        let url = self
            .endpoints
            .device
            .clone()
            .ok_or_else(|| self.error(METADATA_UNUSABLE))?;
        let client = self
            .client()
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url));
        let answer = client
            .exchange_device_code()
            .add_scopes(self.scopes().iter().cloned().map(Scope::new))
            .request_async::<_, EmptyExtraDeviceAuthorizationFields>(&OAuthTransport(&self.http))
            .await
            .map_err(|error| TokenError::from_request(error, self.name()))?;
        Ok(DeviceAuthorization { answer })
    }

    /// Waits until the person has signed in, at the pace that the provider asks for. There is no `id_token` check
    /// here: no request carried a nonce. Signing in to IMAP proves the mailbox.
    ///
    /// # Errors
    /// [`TokenError`] if they declined, ran out of time, or the provider failed.
    pub async fn finish_device(&self, device: &DeviceAuthorization) -> Result<Tokens, TokenError> {
        let client = self.client();
        let clock = self.http.clock();
        let answer: Result<TokenAnswer, _> = client
            .exchange_device_access_token(&device.answer)
            .set_time_fn(|| clock.now())
            .request_async(&DeviceTransport(&self.http), tokio::time::sleep, None)
            .await;
        match answer {
            Ok(answer) => self.tokens(&answer),
            Err(RequestTokenError::ServerResponse(answer)) => Err(self.redirect_error(&RedirectError {
                error: answer.error().as_ref(),
                ..RedirectError::default()
            })),
            Err(other) => Err(TokenError::from_request(other, self.name())),
        }
    }
}
