//! A RabbitMQ broker of one's own.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::process::Command;

use super::process::ServerProcess;
use super::{as_user, directory_of};
use crate::{Testbed, free_port};

const USER: &str = "rabbitmq";
/// Debian's wrapper in `/usr/sbin` changes the user by itself; this one lets us do it.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const START_PATIENCE: Duration = Duration::from_secs(90);

/// A RabbitMQ broker that one test may stop, kill and start again. Its data survives that, on the same port; all of it
/// ends when this value is dropped.
#[derive(Debug)]
pub struct PrivateRabbitMq {
    // declared before `directory`: the processes end before their data is removed
    broker: Option<ServerProcess>,
    /// Erlang's directory of nodes. One of its own keeps this broker apart from all others on the machine.
    _epmd: ServerProcess,
    directory: TempDir,
    environment: Vec<(&'static str, String)>,
    port: u16,
}

impl Testbed {
    /// Starts a RabbitMQ broker of one's own. Takes five to ten seconds.
    ///
    /// # Errors
    /// If the test does not run as root, or the broker does not start.
    pub async fn private_rabbitmq(&self) -> Result<PrivateRabbitMq> {
        let directory = directory_of(USER).await?;
        let (port, epmd_port) = (free_port()?, free_port()?);
        std::fs::write(
            directory.path().join("rabbitmq.conf"),
            format!("listeners.tcp.1 = 127.0.0.1:{port}\n"),
        )?;
        std::fs::write(directory.path().join("enabled_plugins"), "[].\n")?;
        let environment = environment(&directory, epmd_port)?;
        let mut epmd = ServerProcess::start(
            "epmd",
            as_user(USER, directory.path()).args([
                "epmd",
                "-address",
                "127.0.0.1",
                "-port",
                &epmd_port.to_string(),
            ]),
            &directory.path().join("epmd.log"),
        )?;
        epmd.wait_for_port(epmd_port, START_PATIENCE).await?;
        let mut broker = PrivateRabbitMq {
            broker: None,
            _epmd: epmd,
            directory,
            environment,
            port,
        };
        broker.start().await?;
        Ok(broker)
    }
}

impl PrivateRabbitMq {
    /// `amqp://guest:guest@127.0.0.1:PORT/%2f`: the broker's first virtual host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// The port on 127.0.0.1, the same after each start.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the broker if it is not running, and waits until it listens.
    ///
    /// # Errors
    /// If it does not within 90 seconds.
    pub async fn start(&mut self) -> Result<()> {
        if self.broker.is_some() {
            return Ok(());
        }
        let mut command = as_user(USER, self.directory.path());
        command.arg(SERVER).envs(self.environment.iter().cloned());
        let mut broker = ServerProcess::start("RabbitMQ", &mut command, &self.log())?;
        broker
            .wait_for_port(self.port, START_PATIENCE)
            .await
            .with_context(|| std::fs::read_to_string(self.log()).unwrap_or_default())?;
        self.broker = Some(broker);
        Ok(())
    }

    /// Stops the broker in order.
    ///
    /// # Errors
    /// If it does not stop within 30 seconds.
    pub async fn stop(&mut self) -> Result<()> {
        match self.broker.take() {
            Some(broker) => broker.stop("TERM").await,
            None => Ok(()),
        }
    }

    /// Kills the broker.
    ///
    /// # Errors
    /// If the operating system fails.
    pub async fn kill(&mut self) -> Result<()> {
        match self.broker.take() {
            Some(broker) => broker.kill().await,
            None => Ok(()),
        }
    }

    /// Runs `rabbitmqctl ARGS` for this broker and returns what it prints.
    ///
    /// # Errors
    /// If rabbitmqctl fails; the error holds its words.
    pub async fn ctl(&self, args: &[&str]) -> Result<String> {
        let mut command: Command = as_user(USER, self.directory.path());
        command
            .args(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q"])
            .args(args)
            .envs(self.environment.iter().cloned());
        let output = command.output().await?;
        anyhow::ensure!(
            output.status.success(),
            "rabbitmqctl failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("broker.log")
    }
}

/// Everything that RabbitMQ would otherwise take from the machine's own installation.
fn environment(directory: &TempDir, epmd_port: u16) -> Result<Vec<(&'static str, String)>> {
    let path = |name: &str| directory.path().join(name).display().to_string();
    Ok(vec![
        ("HOME", directory.path().display().to_string()),
        ("LANG", "C.UTF-8".to_owned()),
        ("RABBITMQ_NODENAME", "private@localhost".to_owned()),
        ("RABBITMQ_MNESIA_BASE", path("data")),
        ("RABBITMQ_LOG_BASE", path("log")),
        ("RABBITMQ_PID_FILE", path("pid")),
        ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
        ("RABBITMQ_CONF_ENV_FILE", path("none")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
        ("RABBITMQ_DIST_PORT", free_port()?.to_string()),
        (
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1}".to_owned(),
        ),
        ("ERL_EPMD_PORT", epmd_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
    ])
}
