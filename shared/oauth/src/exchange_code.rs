//! The person is back: a code becomes tokens, and who signed in is checked.

use std::borrow::Cow;

use oauth2::{AuthorizationCode, PkceCodeVerifier, RedirectUrl};
use postroom_providers::is_tenant;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::causes::{CODE_USED_OR_EXPIRED, GRANT_EXPIRED, ID_TOKEN_REFUSED, SIGN_IN_AGAIN, SIGN_IN_MIXED_UP};
use crate::id_token::{self, Expected, Identity};
use crate::identity_provider::IdentityProvider;
use crate::token_error::TokenError;
use crate::tokens::{TokenAnswer, Tokens};
use crate::transport::OAuthTransport;

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

impl IdentityProvider {
    /// Exchanges a code for tokens, and checks who signed in.
    ///
    /// # Errors
    /// [`TokenError`]; a code works once, so that after any of them the person starts again.
    pub async fn exchange_code(&self, exchange: CodeExchange<'_>) -> Result<Tokens, TokenError> {
        self.check_issuer_parameter(exchange.issuer)?;
        let client = self.delegated()?;
        let http = &self.http;
        let answer: TokenAnswer = self
            .oauth_client(client)
            .exchange_code(AuthorizationCode::new(exchange.code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(
                exchange.pkce_verifier.expose_secret().to_owned(),
            ))
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(exchange.redirect_url.clone())))
            .request_async(&OAuthTransport { http, client })
            .await
            .map_err(|error| TokenError::from_request(error, &self.name))
            .map_err(about_a_code)?;
        let mut tokens = self.tokens(&answer)?;
        tokens.identity = self
            .identify(&answer, &client.id, exchange.nonce, &tokens.access_token)
            .await?;
        Ok(tokens)
    }

    /// Whether the answer that a browser brought, a code or an error, comes from this provider, as far as it says so
    /// (RFC 9207). Ask before anything else of it is used: one that names another issuer, or none where this one always
    /// does, was mixed up by an attacker between two providers. [`exchange_code`](Self::exchange_code) asks by itself.
    ///
    /// # Errors
    /// [`SIGN_IN_MIXED_UP`]
    pub fn check_issuer_parameter(&self, named: Option<&str>) -> Result<(), TokenError> {
        let fits = match (named, &self.endpoints.issuer) {
            (None, _) => !self.names_itself,
            (Some(named), Some(issuer)) => is_issuer(named, issuer),
            (Some(named), None) => has_host_of(named, &self.endpoints.authorize),
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
        client_id: &str,
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
            client_id,
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

/// Whether `named` is the issuer; where that holds `{tid}`, the issuer of any tenant. Which one it is says the
/// `id_token`.
fn is_issuer(named: &str, issuer: &str) -> bool {
    let Some((before, after)) = issuer.split_once("{tid}") else {
        return named == issuer;
    };
    named
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|tenant| !tenant.is_empty() && is_tenant(tenant))
}

/// Of a provider whose issuer is not known, the host of its own endpoints is.
fn has_host_of(named: &str, endpoint: &Url) -> bool {
    Url::parse(named).is_ok_and(|named| named.host().is_some() && named.host() == endpoint.host())
}

/// What a plain refusal means where a code was exchanged: there was no grant yet.
pub(crate) fn about_a_code(mut error: TokenError) -> TokenError {
    if [SIGN_IN_AGAIN, GRANT_EXPIRED].contains(&error.cause) {
        error.cause = CODE_USED_OR_EXPIRED;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_taken_to_the_letter_but_for_its_tenant() {
        let template = "https://login.example.org/{tid}/v2.0";
        for (named, issuer, fits) in [
            ("https://login.example.org", "https://login.example.org", true),
            ("https://login.example.org/", "https://login.example.org", false),
            ("https://login.example.org/9188040d-6c67/v2.0", template, true),
            ("https://login.example.org//v2.0", template, false),
            ("https://login.example.org/a/b/v2.0", template, false),
            ("https://evil.example/9188040d-6c67/v2.0", template, false),
        ] {
            assert_eq!(is_issuer(named, issuer), fits, "{named}");
        }
        let endpoint = Url::parse("https://api.login.example.org/oauth2/request_auth").unwrap();
        assert!(has_host_of("https://api.login.example.org", &endpoint));
        for named in ["https://login.example.org", "https://evil.example", "nothing", ""] {
            assert!(!has_host_of(named, &endpoint), "{named}");
        }
    }
}
