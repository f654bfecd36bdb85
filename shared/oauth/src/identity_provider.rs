//! One identity provider, as one registration reaches it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope,
    StandardRevocableToken, TokenUrl,
};
use postroom_providers::{ClientAuth, Endpoints, OldRefreshToken};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::causes::{
    CODE_USED_OR_EXPIRED, Cause, ID_TOKEN_REFUSED, SCOPE_REFUSED, SIGN_IN_AGAIN, SIGN_IN_MIXED_UP,
};
use crate::http_client::{IdentityHttp, OAuthTransport};
use crate::id_token::{self, Expected, Identity};
use crate::token_error::{RedirectError, TokenError};
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

/// What came back with the browser, and what was kept.
#[derive(Clone, Copy, Debug)]
pub struct CodeExchange<'a> {
    /// The `code` parameter.
    pub code: &'a SecretString,
    /// The `iss` parameter, where there was one (RFC 9207).
    pub issuer: Option<&'a str>,
    /// Exactly the redirect URL of the request.
    pub redirect_url: &'a Url,
    /// Of the request.
    pub pkce_verifier: &'a SecretString,
    /// Of the request.
    pub nonce: &'a SecretString,
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The provider has forgotten the token, or never knew it.
    Done,
    /// The provider has no endpoint for it: the person can withdraw access in the provider's own settings.
    NotOffered,
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

    /// Begins an authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636 with S256).
    ///
    /// # Errors
    /// Only if `redirect_url` is not fit; it is the operator's.
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
        let client = self.client();
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

    /// Exchanges a code for tokens, and checks who signed in.
    ///
    /// # Errors
    /// [`TokenError`]; a code works once, so that after any of them the person starts again.
    pub async fn exchange_code(&self, exchange: CodeExchange<'_>) -> Result<Tokens, TokenError> {
        self.check_issuer_parameter(exchange.issuer)?;
        let client = self.client();
        let answer: TokenAnswer = client
            .exchange_code(AuthorizationCode::new(exchange.code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(
                exchange.pkce_verifier.expose_secret().to_owned(),
            ))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(exchange.redirect_url.clone())))
            .request_async(&OAuthTransport(&self.http))
            .await
            .map_err(|error| TokenError::from_request(error, &self.name))
            .map_err(about_a_code)?;
        let mut tokens = self.tokens(&answer)?;
        tokens.identity = self
            .identify(&answer, exchange.nonce, &tokens.access_token)
            .await?;
        Ok(tokens)
    }

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
        let client = self.client();
        let refresh_token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let answer: TokenAnswer = client
            .exchange_refresh_token(&refresh_token)
            .add_scopes(scopes.iter().cloned().map(Scope::new))
            .request_async(&OAuthTransport(&self.http))
            .await
            .map_err(|error| TokenError::from_request(error, &self.name))?;
        self.tokens(&answer)
    }

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

    /// RFC 9207: a redirect that names another issuer, or none where this one always does, was mixed up by an
    /// attacker between two providers.
    fn check_issuer_parameter(&self, named: Option<&str>) -> Result<(), TokenError> {
        let fits = match (named, &self.endpoints.issuer) {
            (Some(named), Some(issuer)) => named == issuer,
            (Some(_), None) => true,
            (None, _) => !self.names_itself,
        };
        if fits {
            Ok(())
        } else {
            Err(self.error(SIGN_IN_MIXED_UP))
        }
    }

    /// Who signed in, where the provider offers to say so.
    async fn identify(
        &self,
        answer: &TokenAnswer,
        nonce: &SecretString,
        access_token: &SecretString,
    ) -> Result<Option<Identity>, TokenError> {
        let asked = self.scopes.iter().any(|scope| scope == "openid");
        let Some(issuer) = self.endpoints.issuer.as_deref().filter(|_| asked) else {
            return Ok(None);
        };
        let id_token = answer
            .extra_fields()
            .id_token
            .as_deref()
            .ok_or_else(|| self.error(ID_TOKEN_REFUSED))?;
        let expected = Expected {
            issuer,
            client_id: &self.client_id,
            nonce: nonce.expose_secret(),
            identity_claims: &self.identity_claims,
            now: self.http.clock().now(),
        };
        let mut identity = id_token::read(id_token, &expected).map_err(|cause| self.error(cause))?;
        if identity.addresses.is_empty() {
            identity.addresses = self.ask_userinfo(&identity.subject, access_token).await?;
        }
        Ok(Some(identity))
    }

    /// Some providers keep addresses out of the `id_token` (OpenID Connect Core section 5.3 and 5.4).
    async fn ask_userinfo(
        &self,
        subject: &str,
        access_token: &SecretString,
    ) -> Result<Vec<String>, TokenError> {
        let Some(url) = &self.userinfo else {
            return Ok(Vec::new());
        };
        let claims: Map<String, Value> = self
            .http
            .get_json(url, Some(access_token))
            .await
            .map_err(|failure| TokenError::from_http(failure, &self.name))?;
        // 5.3.4: the answer may be about somebody else otherwise
        if id_token::text(&claims, "sub") != Some(subject) {
            return Err(self.error(ID_TOKEN_REFUSED));
        }
        Ok(id_token::addresses(&claims, &self.identity_claims))
    }
}

/// What a plain refusal means where a code was exchanged: there was no grant yet.
fn about_a_code(mut error: TokenError) -> TokenError {
    if error.cause == SIGN_IN_AGAIN {
        error.cause = CODE_USED_OR_EXPIRED;
    }
    error
}
