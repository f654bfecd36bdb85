//! The client for the provider's admin port.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::description::WebClient;
use crate::names::unique;
use crate::{TestUser, Testbed};

/// The OpenID provider, as a test commands it.
#[derive(Clone, Debug)]
pub struct OpenId {
    pub(crate) issuer: String,
    admin_url: String,
    http: reqwest::Client,
}

/// What happens to a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// A new one comes with each access token; the old one used again ends the whole grant. The default.
    Strict,
    /// A new one comes with each access token; the old one keeps working, as Microsoft's do.
    Lenient,
    /// It stays the same.
    Off,
}

/// Whether the provider asks for permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// By the page "Permission requested". The default.
    Page,
    /// It takes permission as given.
    Auto,
}

/// Settings of one user. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Settings {
    /// Seconds that an access token lives; 3600 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_ttl: Option<u32>,
    /// Seconds that a refresh token lives; 90 days by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token_ttl: Option<u32>,
    /// What happens to used refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Whether the person is asked for permission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// Random bytes in an access or refresh token; 1024 by default, 32 to 3000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_bytes: Option<u32>,
}

/// What to take away from a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoke {
    /// Access tokens.
    Access,
    /// Refresh tokens.
    Refresh,
    /// Everything, the session at the login page too, as after a change of password.
    All,
}

/// Tokens made without the login pages.
#[derive(Clone, Debug, Deserialize)]
pub struct TokenSet {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// Seconds that the access token lives.
    pub expires_in: u64,
    /// The granted scopes, separated by spaces.
    pub scope: String,
}

/// How often a user's tokens met the provider.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Counts {
    /// All calls.
    pub total: u64,
    /// Calls by endpoint: `token`, `authorize`, `introspect`, `revoke`, `userinfo`, `jwks`, `discovery`, `other`.
    pub by_endpoint: BTreeMap<String, u64>,
    /// Calls of the token endpoint.
    pub token: TokenCounts,
}

/// How often the token endpoint was called.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TokenCounts {
    /// All calls.
    pub total: u64,
    /// Calls by grant type: `authorization_code`, `refresh_token`.
    pub by_grant: BTreeMap<String, u64>,
    /// Calls by outcome: an HTTP status, or `aborted` where the answer was lost.
    pub by_status: BTreeMap<String, u64>,
}

impl Testbed {
    /// The client for the provider's admin port.
    #[must_use]
    pub fn openid(&self) -> OpenId {
        OpenId {
            issuer: self.openid_address.issuer.clone(),
            admin_url: self.openid_address.admin_url.clone(),
            http: reqwest::Client::new(),
        }
    }
}

impl OpenId {
    /// Changes settings for one user; all others keep theirs.
    ///
    /// # Errors
    /// If the provider refuses a value.
    pub async fn configure(&self, user: &TestUser, settings: Settings) -> Result<()> {
        let mut body = serde_json::to_value(settings)?;
        body["user"] = json!(user.address);
        self.post("/config", &body).await.map(drop)
    }

    /// Takes tokens away from a user. An IMAP session that is signed in stays so.
    ///
    /// # Errors
    /// If the provider does not know the user.
    pub async fn revoke(&self, user: &TestUser, what: Revoke) -> Result<()> {
        self.post("/revoke", &json!({ "user": user.address, "what": what }))
            .await
            .map(drop)
    }

    /// Makes tokens for a user without the login pages, with the mail scopes.
    ///
    /// # Errors
    /// If the provider does not know the user or the application.
    pub async fn mint(&self, user: &TestUser, client_id: &str) -> Result<TokenSet> {
        let tokens = self
            .post("/mint", &json!({ "user": user.address, "client_id": client_id }))
            .await?;
        Ok(serde_json::from_value(tokens)?)
    }

    /// Lets a web application be sent back to `redirect_uri` too, which is compared exactly.
    ///
    /// # Errors
    /// If there is no such application, or `redirect_uri` is not a URL.
    pub async fn register_redirect(&self, client_id: &str, redirect_uri: &str) -> Result<()> {
        let body = json!({ "client_id": client_id, "redirect_uri": redirect_uri });
        self.post("/redirect-uris", &body).await.map(drop)
    }

    /// Makes a web application that no other test has, sent back to `redirect_uri`.
    ///
    /// # Errors
    /// If the provider does not answer.
    pub async fn create_client(&self, redirect_uri: &str) -> Result<WebClient> {
        let client = WebClient {
            id: format!("app-{}", unique()),
            secret: format!("secret-{}", unique()),
        };
        let description = json!({ "client_id": client.id, "client_secret": client.secret, "redirect_uris": [redirect_uri] });
        self.post("/clients", &description).await?;
        Ok(client)
    }

    /// How often the user's tokens met the provider.
    ///
    /// # Errors
    /// If the provider does not answer.
    pub async fn counts(&self, user: &TestUser) -> Result<Counts> {
        let counts = self
            .call(Method::GET, &format!("/counts?user={}", user.address), None)
            .await?;
        Ok(serde_json::from_value(counts)?)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.admin_url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request
            .send()
            .await
            .context("the OpenID provider's admin port does not answer")?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(
            status.is_success(),
            "the OpenID provider's admin port refused {path}: {text}"
        );
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
    }
}
