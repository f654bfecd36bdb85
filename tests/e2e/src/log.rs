//! The event log, as a CRM follows it.

use std::time::Duration;

use anyhow::{Result, ensure};
use postroom_test_support::eventually;
use serde_json::Value;

use crate::Stack;

impl Stack {
    /// The events that a filter finds, oldest first: `account=ID&type=message.received`.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn events(&self, filter: &str) -> Result<Vec<Value>> {
        self.all(&format!("/v1/events?limit=200&{filter}"), "after").await
    }

    /// Waits until a filter finds so many events, and gives them.
    ///
    /// # Panics
    /// When there are fewer after `within`.
    pub async fn wait_for_events(&self, filter: &str, count: usize, within: Duration) -> Vec<Value> {
        eventually(within, &format!("{count} events of {filter}"), async || {
            let found = self.events(filter).await?;
            ensure!(found.len() >= count, "{} so far", found.len());
            anyhow::Ok(found)
        })
        .await
    }

    /// The states that an account came to, in their order.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn states(&self, account: &str) -> Result<Vec<String>> {
        let changes = self
            .events(&format!("account={account}&type=account.state_changed"))
            .await?;
        let to = |event: &Value| event["data"]["to"].as_str().unwrap_or_default().to_owned();
        Ok(changes.iter().map(to).collect())
    }

    /// What services have given up.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn dead_letters(&self) -> Result<Vec<Value>> {
        let page = self.api.get("/v1/dead-letters?limit=200").await?;
        Ok(page["items"].as_array().cloned().unwrap_or_default())
    }
}
