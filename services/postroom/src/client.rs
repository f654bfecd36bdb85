//! Commands that are clients of the HTTP API: in either mode, on this machine or another.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

/// Where the API is, and the key to it.
#[derive(Args, Debug, Clone)]
pub(crate) struct ClientArgs {
    /// Address of account-manager or `postroom run`.
    #[arg(long, env = "POSTROOM_URL", default_value = "http://localhost:8080")]
    pub(crate) url: Url,
    /// API key of the tenant. Without it: the key file in the data directory.
    #[arg(long, env = "POSTROOM_KEY", hide_env_values = true, value_parser = secret)]
    pub(crate) key: Option<SecretString>,
    /// Data directory whose key file is used.
    #[arg(long, env = "POSTROOM_DATA_DIR", default_value = "postroom-data")]
    pub(crate) data_dir: PathBuf,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// A client of the API.
pub(crate) struct Client {
    url: Url,
    key: SecretString,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(args: &ClientArgs) -> Result<Self> {
        let key = match &args.key {
            Some(key) => key.clone(),
            None => read_key(&args.data_dir.join("api.key"))?,
        };
        Ok(Self {
            url: args.url.clone(),
            key,
            http: reqwest::Client::new(),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = self.url.join(path).context("the path does not fit the address")?;
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| {
            format!(
                "Postroom cannot be reached at {}. Is it running? Name another address with --url",
                self.url
            )
        })?;
        let status = answer.status();
        let body = answer.text().await.context("the answer broke off")?;
        if status.is_success() {
            return serde_json::from_str(&body).context("the answer is no JSON: is this address Postroom's?");
        }
        bail!("{}", refusal(status, &body))
    }

    /// Whether the service says that it is ready, and what is wrong if not.
    pub(crate) async fn readiness(&self) -> Result<Vec<String>> {
        let url = self.url.join("/readyz")?;
        let answer = self.http.get(url).send().await.with_context(|| {
            format!(
                "Postroom cannot be reached at {}. Is it running? Name another address with --url",
                self.url
            )
        })?;
        let body: Value = answer
            .json()
            .await
            .context("the answer is no JSON: is this address Postroom's?")?;
        let faults = body["faults"].as_array().into_iter().flatten();
        Ok(faults.filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// The sentence of a problem (RFC 9457), or the bare status where there is none.
fn refusal(status: StatusCode, body: &str) -> String {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    problem["detail"]
        .as_str()
        .map_or_else(|| format!("Postroom answers {status}."), str::to_owned)
}

fn read_key(file: &std::path::Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(file).with_context(|| {
        format!(
            "No API key was given, and {} cannot be read. Name a key with --key or POSTROOM_KEY",
            file.display()
        )
    })?;
    Ok(SecretString::from(text.trim()))
}
