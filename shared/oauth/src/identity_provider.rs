//! One identity provider, as one registration reaches it. What can be done with it stands in a file for each:
//! `authorize`, `exchange_code`, `refresh`, `revoke`, `device`, `admin_consent`, `obtain`.

use std::collections::BTreeMap;
use std::sync::Arc;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, Client, ClientId, EndpointNotSet, EndpointSet, StandardRevocableToken, TokenUrl,
};
use postroom_providers::{Endpoints, OldRefreshToken, Reach};
use url::Url;

use crate::causes::{Cause, KIND_UNFIT};
use crate::client_auth::AuthenticatedClient;
use crate::http_client::IdentityHttp;
use crate::service_account::ServiceAccount;
use crate::token_error::TokenError;
use crate::token_service::TokenService;
use crate::tokens::{TokenAnswer, Tokens};

/// The `oauth2` client with our token answer; its endpoints are set when it is made.
pub(crate) type OAuthClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// Where tokens come from.
#[derive(Debug)]
pub(crate) enum TokenSource {
    Delegated(AuthenticatedClient),
    AppOnly(AuthenticatedClient),
    ServiceAccount(Arc<ServiceAccount>),
    TokenService(Arc<TokenService>),
}

/// One identity provider, as one registration reaches it. Made by [`IdentityProviders`](crate::IdentityProviders).
#[derive(Debug)]
pub struct IdentityProvider {
    pub(crate) http: IdentityHttp,
    pub(crate) name: String,
    pub(crate) source: TokenSource,
    pub(crate) reach: Reach,
    pub(crate) tenant: Option<String>,
    pub(crate) endpoints: Endpoints,
    pub(crate) userinfo: Option<Url>,
    pub(crate) scopes: Vec<String>,
    pub(crate) authorize_params: BTreeMap<String, String>,
    pub(crate) identity_claims: Vec<String>,
    pub(crate) names_itself: bool,
    pub(crate) old_refresh_token: OldRefreshToken,
}

impl IdentityProvider {
    /// As people know it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether people sign in there. If not, tokens are [obtained](Self::obtain), and nothing is authorized, exchanged,
    /// refreshed or revoked.
    #[must_use]
    pub fn is_delegated(&self) -> bool {
        matches!(self.source, TokenSource::Delegated(_))
    }

    /// Where authorizations are asked for; its origin belongs into a page's `form-action`.
    #[must_use]
    pub fn authorize_url(&self) -> &Url {
        &self.endpoints.authorize
    }

    /// What is asked for.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether a refresh token still works after it was replaced.
    #[must_use]
    pub fn old_refresh_token(&self) -> OldRefreshToken {
        self.old_refresh_token
    }

    /// The client as whom people are sent there, if they are.
    pub(crate) fn delegated(&self) -> Result<&AuthenticatedClient, TokenError> {
        match &self.source {
            TokenSource::Delegated(client) => Ok(client),
            _ => Err(self.error(KIND_UNFIT)),
        }
    }

    /// Builds requests that name the client; the proof is added when they are sent.
    pub(crate) fn oauth_client(&self, client: &AuthenticatedClient) -> OAuthClient {
        Client::new(ClientId::new(client.id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(self.endpoints.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token.clone()))
    }

    pub(crate) fn error(&self, cause: Cause) -> TokenError {
        TokenError::new(cause, &self.name)
    }

    pub(crate) fn tokens(&self, answer: &TokenAnswer) -> Result<Tokens, TokenError> {
        Tokens::from_answer(answer, &self.scopes).map_err(|cause| self.error(cause))
    }
}
