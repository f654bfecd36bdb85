//! A process of the product: started, watched, stopped or killed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use postroom_test_support::eventually;

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a binary. What it prints goes to `LOG.out` and `LOG.err`, appended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        binary: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> Result<Self> {
        let open = |suffix: &str| {
            File::options()
                .create(true)
                .append(true)
                .open(log.with_extension(suffix))
        };
        let child = Command::new(binary)
            .args(arguments)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(open("out")?)
            .stderr(open("err")?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed for people.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log.with_extension("out")).unwrap_or_default()
    }

    /// Its log.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(self.log.with_extension("err")).unwrap_or_default()
    }

    /// kill -9, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal: `STOP` freezes the process as a machine does that is out of breath, `CONT` lets it go on.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.id().to_string()])
            .status()?;
        ensure!(sent.success(), "kill -{signal} failed");
        Ok(())
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let child = &mut self.child;
        let mut ended = None;
        for _ in 0..1200 {
            ended = child.try_wait()?;
            if ended.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        ended.context("it did not stop within 30 seconds of SIGTERM")
    }

    /// Waits until it answers that it is ready.
    ///
    /// # Errors
    /// When it has ended, and somebody else answers on its port.
    ///
    /// # Panics
    /// When it is not ready after 60 seconds, with the end of its log.
    pub async fn wait_ready(&mut self, port: u16) -> Result<()> {
        let url = format!("http://127.0.0.1:{port}/readyz");
        eventually(Duration::from_secs(60), "readiness", || async {
            match reqwest::get(&url).await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                _ => Err(format!("not ready; its log ends: {}", self.log_end())),
            }
        })
        .await;
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "it has ended; its log ends: {}", self.log_end());
        Ok(())
    }

    fn log_end(&self) -> String {
        let log = self.logged();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended, or already gone: both are what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
