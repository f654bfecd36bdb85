//! Sending, and what became of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use postroom_test_support::eventually;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::Stack;

impl Stack {
    /// Sends a mail from an account. Gives the submission's id.
    ///
    /// # Errors
    /// When it is not taken, with what the answer says.
    pub async fn send(&self, account: &str, mail: &Value) -> Result<String> {
        let taken = self
            .api
            .post(&format!("/v1/accounts/{account}/send"), mail)
            .await?;
        let id = taken["submission_id"].as_str().context("no submission_id")?;
        Ok(id.to_owned())
    }

    /// Sends a mail with an idempotency key. Gives the answer, whatever it is.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send_once(&self, account: &str, key: &str, mail: &Value) -> Result<(StatusCode, Value)> {
        let path = format!("/v1/accounts/{account}/send");
        let request = self
            .api
            .request(Method::POST, &path)
            .header("Idempotency-Key", key);
        let answer = request.json(mail).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    /// A submission as the API shows it.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn submission(&self, id: &str) -> Result<Value> {
        self.api.get(&format!("/v1/submissions/{id}")).await
    }

    /// Waits until a submission is in a state, and gives it.
    ///
    /// # Panics
    /// When it is not after `within`, with the submission as it is then.
    pub async fn wait_for_submission(&self, id: &str, state: &str, within: Duration) -> Value {
        eventually(within, &format!("the submission to be {state}"), async || {
            let submission = self.submission(id).await?;
            ensure!(submission["state"] == state, "{submission}");
            anyhow::Ok(submission)
        })
        .await
    }
}
