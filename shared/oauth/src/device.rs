//! Signing in on another device (RFC 8628): for a terminal that has no browser.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oauth2::{
    DeviceAuthorizationUrl, EmptyExtraDeviceAuthorizationFields, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse,
};

use crate::causes::{ANSWER_NOT_UNDERSTOOD, CODE_USED_OR_EXPIRED, METADATA_UNUSABLE};
use crate::exchange_code::about_a_code;
use crate::identity_provider::IdentityProvider;
use crate::token_error::TokenError;
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

    /// Both are printed on a terminal, where a control character is a command.
    fn is_printable(&self) -> bool {
        let plain = |text: &str| text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        plain(self.verification_uri()) && plain(self.user_code())
    }
}

impl IdentityProvider {
    /// Asks for a code that a person types in at another device.
    ///
    /// # Errors
    /// [`TokenError`], also if the provider does not offer it.
    pub async fn begin_device(&self) -> Result<DeviceAuthorization, TokenError> {
        let client = self.delegated()?;
        let http = &self.http;
        let url = self
            .endpoints
            .device
            .clone()
            .ok_or_else(|| self.error(METADATA_UNUSABLE))?;
        let answer = self
            .oauth_client(client)
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url))
            .exchange_device_code()
            .add_scopes(self.scopes().iter().cloned().map(Scope::new))
            .request_async::<_, EmptyExtraDeviceAuthorizationFields>(&OAuthTransport { http, client })
            .await
            .map_err(|error| TokenError::from_request(error, self.name()))?;
        let device = DeviceAuthorization { answer };
        if device.is_printable() {
            Ok(device)
        } else {
            Err(self.error(ANSWER_NOT_UNDERSTOOD))
        }
    }

    /// Waits until the person has signed in, at the pace that the provider asks for. There is no `id_token` check
    /// here: no request carried a nonce. Signing in to IMAP proves the mailbox.
    ///
    /// # Errors
    /// [`TokenError`] if they declined, ran out of time, or the provider failed.
    pub async fn finish_device(&self, device: &DeviceAuthorization) -> Result<Tokens, TokenError> {
        let client = self.delegated()?;
        let (http, clock) = (&self.http, self.http.clock());
        let transport = DeviceTransport {
            inner: OAuthTransport { http, client },
            refusal: Mutex::new(None),
        };
        let answer: Result<TokenAnswer, _> = self
            .oauth_client(client)
            .exchange_device_access_token(&device.answer)
            .set_time_fn(|| clock.now())
            .request_async(&transport, tokio::time::sleep, None)
            .await;
        match answer {
            Ok(answer) => self.tokens(&answer),
            Err(RequestTokenError::ServerResponse(answer)) => {
                let refusal = transport
                    .refusal
                    .into_inner()
                    .unwrap_or_else(PoisonError::into_inner);
                Err(match refusal {
                    Some(failure) if answer.error().as_ref() != "expired_token" => {
                        about_a_code(TokenError::from_http(failure, self.name()))
                    }
                    // The provider has said so, or our own clock after a last "not yet".
                    _ => self.error(CODE_USED_OR_EXPIRED),
                })
            }
            Err(other) => Err(TokenError::from_request(other, self.name())),
        }
    }
}
