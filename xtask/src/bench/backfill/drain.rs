//! The bare drain as a contender: a process of its own, so that its processor time and memory are its own too.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::super::contender::{Contender, Measured};
use super::super::usage::{self, Usage};
use super::mailbox::BenchMailbox;

/// The least that a client can do: one FETCH over TLS, thrown away.
pub(crate) struct BareDrain {
    binary: PathBuf,
    mailbox: Arc<BenchMailbox>,
}

/// What the process tells when it has drained.
#[derive(Debug, Deserialize)]
struct Told {
    messages: u64,
    bytes: u64,
    seconds: f64,
}

impl BareDrain {
    pub(crate) fn new(binary: PathBuf, mailbox: Arc<BenchMailbox>) -> Self {
        Self { binary, mailbox }
    }

    /// Drains the mailbox and checks that all of it came.
    ///
    /// # Errors
    /// The process failed, or it drained something else than what was put in.
    pub(crate) async fn once(&self) -> Result<Measured> {
        let BenchMailbox {
            testbed,
            user,
            content,
        } = &*self.mailbox;
        let mut process = Command::new(&self.binary)
            .arg("drain")
            .args([
                "--host",
                &testbed.imap.host,
                "--port",
                &testbed.imap.tls_port.to_string(),
                "--user",
                &user.address,
            ])
            .arg("--ca")
            .arg(&testbed.ca_file)
            .env("POSTROOM_BARE_PASSWORD", &user.password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the bare drain could not be started")?;
        let (told, usage) = finished(&mut process)
            .await
            .context("the bare drain failed; it has said why above")?;
        ensure!(
            (told.messages, told.bytes) == (content.messages, content.bytes),
            "the mailbox holds {content:?}, but the bare drain got {told:?}"
        );
        Ok(Measured::of_messages(told.messages, told.bytes, told.seconds)
            .with("cpu_seconds", usage.cpu_seconds)
            .with("peak_mib", usage.peak_mib))
    }
}

/// Waits for the process's report, measures it while it is still there (it stays until its standard input ends), and lets it go.
async fn finished(process: &mut Child) -> Result<(Told, Usage)> {
    let stdout = process.stdout.take().context("it has no output")?;
    let line = BufReader::new(stdout)
        .lines()
        .next_line()
        .await?
        .context("it ended without a report")?;
    let told = serde_json::from_str(&line).context("its report is not as expected")?;
    let usage = usage::of_process(process.id().context("it has ended")?)?;
    drop(process.stdin.take());
    let status = process.wait().await?;
    ensure!(status.success(), "it ended with {status}");
    Ok((told, usage))
}

#[async_trait]
impl Contender for BareDrain {
    fn name(&self) -> &'static str {
        "drain"
    }

    async fn run(&mut self) -> Result<Measured> {
        self.once().await
    }
}
