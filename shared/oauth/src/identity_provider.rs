//! One identity provider, as one registration reaches it. What can be done with it stands in a file for each:
//! `authorize`, `exchange_code`, `refresh`, `revoke`, `device`.

use std::collections::BTreeMap;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet, StandardRevocableToken,
    TokenUrl,
};
use postroom_providers::{ClientAuth, Endpoints, OldRefreshToken};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::causes::Cause;
use crate::http_client::IdentityHttp;
use crate::token_error::TokenError;
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

/// One identity provider, as one registration reaches it. Made by [`IdentityProviders`](crate::IdentityProviders).
#[derive(Debug)]
pub struct IdentityProvider {
    pub(crate) http: IdentityHttp,
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<SecretString>,
    pub(crate) client_auth: ClientAuth,
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

    pub(crate) fn client(&self) -> OAuthClient {
        let auth_type = match self.client_auth {
            ClientAuth::Body => AuthType::RequestBody,
            ClientAuth::Basic => AuthType::BasicAuth,
        };
        let client = Client::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(auth_type)
            .set_auth_uri(AuthUrl::from_url(self.endpoints.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token.clone()));
        match &self.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
            None => client,
        }
    }

    pub(crate) fn error(&self, cause: Cause) -> TokenError {
        TokenError::new(cause, &self.name)
    }

    pub(crate) fn tokens(&self, answer: &TokenAnswer) -> Result<Tokens, TokenError> {
        Tokens::from_answer(answer, &self.scopes).map_err(|cause| self.error(cause))
    }
}
