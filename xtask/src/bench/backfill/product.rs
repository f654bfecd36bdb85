//! The product: from connecting the mailbox to the first sync's end, as its user starts it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use postroom_e2e::{Mode, Stack, StackOptions};
use postroom_test_support::eventually;

use super::super::contender::{Contender, Measured};
use super::super::usage;
use super::mailbox::BenchMailbox;

/// A first sync that takes longer is no first sync any more.
const PATIENCE: Duration = Duration::from_secs(300);

/// `postroom run` on SQLite, or one process a service on PostgreSQL and RabbitMQ.
pub(super) struct Product {
    mode: Mode,
    binaries: PathBuf,
    mailbox: Arc<BenchMailbox>,
}

impl Product {
    pub(super) fn new(mode: Mode, binaries: PathBuf, mailbox: Arc<BenchMailbox>) -> Self {
        Self {
            mode,
            binaries,
            mailbox,
        }
    }

    /// The process that fetches.
    fn fetching(&self) -> &'static str {
        match self.mode {
            Mode::Embedded => "postroom",
            Mode::Distributed => "imap-fetcher",
        }
    }
}

#[async_trait]
impl Contender for Product {
    fn name(&self) -> &'static str {
        match self.mode {
            Mode::Embedded => "embedded",
            Mode::Distributed => "postgres",
        }
    }

    async fn run(&mut self) -> Result<Measured> {
        let BenchMailbox {
            testbed,
            user,
            content,
        } = &*self.mailbox;
        // The usual lease: the bench measures what operators get.
        let options = StackOptions {
            binaries: Some(self.binaries.clone()),
            lease_seconds: Some(30),
            ..StackOptions::default()
        };
        let stack = Stack::start(self.mode, options).await?;
        let begun = Instant::now();
        let account = stack.connect_by_password(testbed, user).await?;
        let path = format!("/v1/accounts/{account}");
        let done = eventually(PATIENCE, "the end of the first sync", || async {
            let account = stack.api.get(&path).await?;
            ensure!(!account["progress"]["completed_at"].is_null(), "{account}");
            anyhow::Ok(account["progress"]["messages_done"].as_u64().unwrap_or_default())
        })
        .await;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(
            done == content.messages,
            "{done} messages were stored, not {}",
            content.messages
        );
        let process = stack
            .processes
            .get(self.fetching())
            .context("the fetching process has ended")?;
        let usage = usage::of_process(process.id())?;
        Ok(Measured::of_messages(done, content.bytes, seconds)
            .with("cpu_seconds", usage.cpu_seconds)
            .with("peak_mib", usage.peak_mib))
    }
}
