//! The HTTP API, as a CRM calls it.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// A client of the API with a tenant's key.
#[derive(Debug, Clone)]
pub struct Api {
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Api {
    /// A client for `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str, key: &str) -> Self {
        Self {
            base: base.to_owned(),
            key: key.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    /// The address that it calls.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The key that it sends.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A request with the key in it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key)
    }

    /// GET, as JSON.
    ///
    /// # Errors
    /// When the answer is no success; with what it says.
    pub async fn get(&self, path: &str) -> Result<Value> {
        json(self.request(Method::GET, path))
            .await
            .with_context(|| format!("GET {path}"))
    }

    /// POST, as JSON.
    ///
    /// # Errors
    /// When the answer is no success; with what it says.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(self.request(Method::POST, path).json(body))
            .await
            .with_context(|| format!("POST {path}"))
    }

    /// GET, as bytes.
    ///
    /// # Errors
    /// When the answer is no success.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.request(Method::GET, path).send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }
}

async fn json(request: RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.text().await?;
    ensure!(status.is_success(), "{status}: {body}");
    if body.is_empty() {
        Ok(Value::Null)
    } else {
        Ok(serde_json::from_str(&body)?)
    }
}
