//! A PostgreSQL server of one's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::process::ServerProcess;
use super::{as_user, directory_of};
use crate::command::run;
use crate::{Testbed, free_port};

const USER: &str = "postgres";
const START_PATIENCE: Duration = Duration::from_secs(30);

/// A PostgreSQL server that one test may stop, kill and start again. Its data survives that, on the same port; all of
/// it ends when this value is dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    // declared before `directory`: the server ends before its data is removed
    process: Option<ServerProcess>,
    directory: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Testbed {
    /// Starts a PostgreSQL server of one's own. Takes two to three seconds.
    ///
    /// # Errors
    /// If the test does not run as root, or the server does not start.
    pub async fn private_postgres(&self) -> Result<PrivatePostgres> {
        let programs = newest_programs()?;
        let directory = directory_of(USER).await?;
        let data = directory.path().join("data");
        let output = as_user(USER, directory.path())
            .arg(programs.join("initdb"))
            .args([
                "-E",
                "UTF8",
                "--locale",
                "C.UTF-8",
                "-A",
                "trust",
                "--no-sync",
                "-D",
            ])
            .arg(data)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut server = PrivatePostgres {
            process: None,
            directory,
            programs,
            port: free_port()?,
        };
        server.start().await?;
        Ok(server)
    }
}

impl PrivatePostgres {
    /// `postgres://postgres@127.0.0.1:PORT/postgres`, as superuser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// The port on 127.0.0.1, the same after each start.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server if it is not running, and waits until it takes commands.
    ///
    /// # Errors
    /// If it does not within 30 seconds.
    pub async fn start(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let mut process = ServerProcess::start("PostgreSQL", &mut self.server_command(), &self.log())?;
        process
            .wait_for_port(self.port, START_PATIENCE)
            .await
            .with_context(|| self.last_words())?;
        self.process = Some(process);
        let deadline = Instant::now() + START_PATIENCE;
        while let Err(error) = run("psql", ["-wqX", &self.url(), "-c", "SELECT 1"], "psql").await {
            ensure!(
                Instant::now() < deadline,
                "the private PostgreSQL takes no commands: {error:#}"
            );
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Stops the server in order, without waiting for its clients ("fast shutdown").
    ///
    /// # Errors
    /// If it does not stop within 30 seconds.
    pub async fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.stop("INT").await,
            None => Ok(()),
        }
    }

    /// Kills the server and all its backends.
    ///
    /// # Errors
    /// If the operating system fails.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Durable enough for kills: what a killed process has written, the operating system still has.
    fn server_command(&self) -> tokio::process::Command {
        let directory = self.directory.path();
        let mut command = as_user(USER, directory);
        command
            .arg(self.programs.join("postgres"))
            .arg("-D")
            .arg(directory.join("data"))
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
            ])
            .arg(format!("unix_socket_directories={}", directory.display()));
        command
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn last_words(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

/// Debian keeps each version's programs apart, and none of them in `PATH`.
fn newest_programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let version_of = |path: &Path| {
        path.file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok())
    };
    let newest = versions
        .flatten()
        .map(|entry| entry.path())
        .max_by_key(|path| version_of(path));
    Ok(newest.context("PostgreSQL is not installed")?.join("bin"))
}
