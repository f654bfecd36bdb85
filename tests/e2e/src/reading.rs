//! The mail that is stored, and whether it is what the server has.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use postroom_test_support::{TestUser, Testbed, eventually};
use serde_json::Value;

use crate::Stack;

impl Stack {
    /// All items of a list, page by page. `cursor` is the parameter that `next` goes into.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn all(&self, path: &str, cursor: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut next = None;
        loop {
            let page = match &next {
                None => self.api.get(path).await?,
                Some(next) => self.api.get(&format!("{path}&{cursor}={next}")).await?,
            };
            let found = page["items"].as_array().context("a page without items")?;
            items.extend_from_slice(found);
            next = page["next"].as_str().map(str::to_owned);
            if next.is_none() || found.is_empty() {
                return Ok(items);
            }
        }
    }

    /// An account as the API shows it.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn account(&self, account: &str) -> Result<Value> {
        self.api.get(&format!("/v1/accounts/{account}")).await
    }

    /// The folder of that name.
    ///
    /// # Errors
    /// When there is none.
    pub async fn folder(&self, account: &str, name: &str) -> Result<Value> {
        let folders = self.api.get(&format!("/v1/accounts/{account}/folders")).await?;
        let found = folders["items"]
            .as_array()
            .and_then(|items| items.iter().find(|folder| folder["name"] == name));
        found
            .cloned()
            .with_context(|| format!("no folder {name} in {folders}"))
    }

    /// All messages of an account.
    ///
    /// # Errors
    /// When the API refuses.
    pub async fn messages(&self, account: &str) -> Result<Vec<Value>> {
        self.all(&format!("/v1/accounts/{account}/messages?limit=200"), "before")
            .await
    }

    /// The messages of a folder, by UID.
    ///
    /// # Errors
    /// When the API refuses, or one lies twice at the same place.
    pub async fn messages_in(&self, account: &str, folder: &str) -> Result<Vec<Value>> {
        let id = self.folder(account, folder).await?["id"].clone();
        let mut placed = Vec::new();
        for message in self.messages(account).await? {
            let locations = message["locations"].as_array().cloned().unwrap_or_default();
            for location in locations.iter().filter(|location| location["folder_id"] == id) {
                placed.push((
                    location["uid"].as_u64().context("a location without UID")?,
                    message.clone(),
                ));
            }
        }
        placed.sort_by_key(|(uid, _)| *uid);
        let doubled = placed.windows(2).find(|pair| pair[0].0 == pair[1].0);
        ensure!(doubled.is_none(), "a UID is there twice: {doubled:?}");
        Ok(placed.into_iter().map(|(_, message)| message).collect())
    }

    /// Asserts that a folder holds what the server holds: as many messages, in the order of their UIDs, each with the
    /// same bytes. Gives how many.
    ///
    /// # Errors
    /// What differs.
    pub async fn compare_folder(
        &self,
        testbed: &Testbed,
        user: &TestUser,
        account: &str,
        folder: &str,
    ) -> Result<usize> {
        let there = testbed.mailbox_raw(user, folder).await?;
        let here = self.messages_in(account, folder).await?;
        ensure!(
            here.len() == there.len(),
            "{folder}: {} messages here, {} on the server",
            here.len(),
            there.len()
        );
        for (place, (message, raw)) in here.iter().zip(&there).enumerate() {
            let id = message["id"].as_str().context("a message without id")?;
            let stored = self.api.bytes(&format!("/v1/messages/{id}/raw")).await?;
            ensure!(
                stored == *raw,
                "{folder}: message {place} has other bytes here ({}) than on the server ({})",
                stored.len(),
                raw.len()
            );
        }
        Ok(there.len())
    }

    /// Waits until a folder holds what the server holds.
    ///
    /// # Panics
    /// When it does not after `within`, with what differs.
    pub async fn wait_for_same(
        &self,
        testbed: &Testbed,
        user: &TestUser,
        account: &str,
        folder: &str,
        within: Duration,
    ) {
        let what = format!("folder {folder} to be as on the server");
        eventually(within, &what, || {
            self.compare_folder(testbed, user, account, folder)
        })
        .await;
    }
}
