//! An access token without a person at the provider: by our own right, or from somebody who holds the grant. There is
//! no refresh token with it: near its end, the next one is obtained the same way.

use oauth2::Scope;
use postroom_events::{AccountId, TenantId, WhoCanAct};
use secrecy::SecretString;

use crate::causes::{ADMIN_APPROVAL_REQUIRED, GRANT_EXPIRED, KIND_UNFIT, MAILBOX_NOT_COVERED};
use crate::client_auth::AuthenticatedClient;
use crate::identity_provider::{IdentityProvider, TokenSource};
use crate::service_account::about_a_service_account;
use crate::token_error::TokenError;
use crate::tokens::{TokenAnswer, Tokens};
use crate::transport::OAuthTransport;

/// The mailbox that a token is to open. It does not print: it holds an address.
#[derive(Clone, Copy)]
pub struct Mailbox<'a> {
    /// Whose mailbox it is in this Postroom.
    pub tenant_id: TenantId,
    /// The account, once there is one.
    pub account_id: Option<AccountId>,
    /// Its address.
    pub address: &'a str,
}

impl IdentityProvider {
    /// Gets an access token, by the way that the registration's kind names: client credentials, a service account, or
    /// a token service. An app-only token opens every mailbox of the organization; let accounts share it, for Microsoft
    /// takes many equal requests for a loop (AADSTS50196).
    ///
    /// # Errors
    /// [`TokenError`]; [`MAILBOX_NOT_COVERED`] if the registration is not for this mailbox, [`KIND_UNFIT`] where a
    /// person has to sign in.
    pub async fn obtain(&self, mailbox: Mailbox<'_>) -> Result<Tokens, TokenError> {
        if !self.reach.covers(mailbox.tenant_id, mailbox.address) {
            return Err(self.error(MAILBOX_NOT_COVERED));
        }
        match &self.source {
            TokenSource::Delegated(_) => Err(self.error(KIND_UNFIT)),
            TokenSource::AppOnly(client) => self.ask_as_ourselves(client).await,
            TokenSource::ServiceAccount(account) => {
                let answer = account.ask(&self.http, mailbox.address, &self.scopes).await;
                let answer = answer.map_err(|failure| TokenError::from_http(failure, &self.name));
                self.without_refresh_token(&answer.map_err(about_a_service_account)?)
            }
            TokenSource::TokenService(service) => service.ask(&self.http, mailbox, &self.name).await,
        }
    }

    /// The next access token, whatever the kind: by the refresh token where a person has signed in, else anew.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh) and [`obtain`](Self::obtain); [`GRANT_EXPIRED`] where a refresh token is needed
    /// and there is none.
    pub async fn renew(
        &self,
        refresh_token: Option<&SecretString>,
        mailbox: Mailbox<'_>,
    ) -> Result<Tokens, TokenError> {
        match (self.is_delegated(), refresh_token) {
            (true, Some(refresh_token)) => self.refresh(refresh_token).await,
            (true, None) => Err(self.error(GRANT_EXPIRED)),
            (false, _) => self.obtain(mailbox).await,
        }
    }

    /// Client credentials (RFC 6749 section 4.4).
    async fn ask_as_ourselves(&self, client: &AuthenticatedClient) -> Result<Tokens, TokenError> {
        let http = &self.http;
        let answer: TokenAnswer = self
            .oauth_client(client)
            .exchange_client_credentials()
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .request_async(&OAuthTransport { http, client })
            .await
            .map_err(|error| about_an_application(TokenError::from_request(error, &self.name)))?;
        self.without_refresh_token(&answer)
    }

    /// RFC 6749 section 4.4.3: there should be none, and it would be of no use.
    fn without_refresh_token(&self, answer: &TokenAnswer) -> Result<Tokens, TokenError> {
        let tokens = self.tokens(answer)?;
        Ok(Tokens {
            refresh_token: None,
            ..tokens
        })
    }
}

/// Nobody signs in as an application: where a person would have to agree, it is the administrator.
fn about_an_application(mut error: TokenError) -> TokenError {
    if error.who_acts() == WhoCanAct::User {
        error.cause = ADMIN_APPROVAL_REQUIRED;
    }
    error
}
