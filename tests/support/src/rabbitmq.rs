//! Virtual hosts of the testbed's RabbitMQ, one per test: exchanges and queues in one are invisible in another.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use url::Url;

use crate::Testbed;
use crate::command::run;
use crate::names::unique;

/// An empty virtual host that is deleted when this value is dropped.
#[derive(Debug)]
pub struct FreshVhost {
    rabbitmqctl: PathBuf,
    name: String,
    url: String,
}

impl Testbed {
    /// Makes an empty virtual host that no other test has. Takes about a second.
    ///
    /// # Errors
    /// If RabbitMQ refuses.
    pub async fn fresh_vhost(&self) -> Result<FreshVhost> {
        let mut url = Url::parse(&self.rabbitmq_url).context("the testbed's RabbitMQ URL")?;
        let name = format!("postroom-test-{}", unique());
        run(&self.rabbitmqctl, ["add_vhost", &name], "rabbitmqctl add_vhost").await?;
        let everything = ["set_permissions", "-p", &name, url.username(), ".*", ".*", ".*"];
        run(&self.rabbitmqctl, everything, "rabbitmqctl set_permissions").await?;
        url.set_path(&name);
        Ok(FreshVhost {
            rabbitmqctl: self.rabbitmqctl.clone(),
            name,
            url: url.into(),
        })
    }
}

impl FreshVhost {
    /// `amqp://USER:PASSWORD@HOST:PORT/NAME`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs `rabbitmqctl -p THIS-VHOST ARGS` and returns what it prints, `list_queues name messages` for example.
    ///
    /// # Errors
    /// If rabbitmqctl fails.
    pub async fn ctl(&self, args: &[&str]) -> Result<String> {
        run(
            &self.rabbitmqctl,
            [&["-p", self.name.as_str()], args].concat(),
            "rabbitmqctl",
        )
        .await
    }
}

impl Drop for FreshVhost {
    /// Deletes the virtual host in the background: the next test need not wait for it.
    fn drop(&mut self) {
        let mut command = Command::new(&self.rabbitmqctl);
        command
            .args(["delete_vhost", &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::thread::spawn(move || command.status());
    }
}
