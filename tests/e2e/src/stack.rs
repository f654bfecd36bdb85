//! Postroom as a whole: one process embedded, or one process a service.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use postroom_test_support::{FreshDatabase, FreshVhost, Testbed, free_port};
use tempfile::TempDir;

use crate::{Api, Process, binary};

/// The services, each with a binary of its own.
pub const SERVICES: &[&str] = &[
    "account-manager",
    "token-refresher",
    "imap-fetcher",
    "smtp-sender",
];

/// Which of the two ways to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One process: SQLite and the embedded bus.
    Embedded,
    /// One process a service: PostgreSQL and RabbitMQ.
    Distributed,
}

/// How a stack differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct StackOptions {
    /// PostgreSQL to use in the place of a fresh database of the testbed.
    pub database_url: Option<String>,
    /// RabbitMQ to use in the place of a fresh virtual host of the testbed.
    pub amqp_url: Option<String>,
    /// Further variables for every process.
    pub environment: Vec<(String, String)>,
    /// Lease time in seconds; 5 when absent, so that take-overs do not take long.
    pub lease_seconds: Option<u32>,
    /// The OAuth registrations (TOML); none when absent.
    pub oauth_toml: Option<String>,
    /// Directory of the binaries, in the place of those that were built with the program that asks.
    pub binaries: Option<PathBuf>,
    /// Port of the API and the pages, when it must be known before the start (redirect URIs).
    pub port: Option<u16>,
}

/// A running Postroom. Dropped, its processes are killed and its data is removed.
#[derive(Debug)]
pub struct Stack {
    /// Which way it runs.
    pub mode: Mode,
    /// The API with the first tenant's key.
    pub api: Api,
    /// Running processes by name: `postroom`, or the services; further ones as `imap-fetcher.2`.
    pub processes: BTreeMap<String, Process>,
    binaries: PathBuf,
    ports: BTreeMap<String, u16>,
    environment: Vec<(String, String)>,
    directory: TempDir,
    database: Option<FreshDatabase>,
    _vhost: Option<FreshVhost>,
}

impl Stack {
    /// Starts it and waits until every process is ready.
    ///
    /// # Errors
    /// When a binary has not been built, or the testbed is not up.
    pub async fn start(mode: Mode, options: StackOptions) -> Result<Self> {
        let testbed = Testbed::load()?;
        let directory = tempfile::Builder::new().prefix("postroom-e2e-").tempdir()?;
        let mut environment = common_environment(&testbed, directory.path(), &options)?;
        let binaries = match options.binaries.clone() {
            Some(directory) => directory,
            None => binary("postroom")?
                .parent()
                .context("a binary lies in no directory")?
                .to_owned(),
        };
        let (mut database, mut vhost) = (None, None);
        if mode == Mode::Distributed {
            let database_url = match &options.database_url {
                Some(url) => url.clone(),
                None => database.insert(testbed.fresh_database().await?).url().to_owned(),
            };
            let amqp_url = match &options.amqp_url {
                Some(url) => url.clone(),
                None => vhost.insert(testbed.fresh_vhost().await?).url().to_owned(),
            };
            environment.extend(distributed_environment(
                &binaries,
                directory.path(),
                database_url,
                amqp_url,
            )?);
        }
        environment.extend(options.environment.iter().cloned());
        let port = match options.port {
            Some(port) => port,
            None => free_port()?,
        };
        let mut stack = Self {
            mode,
            api: Api::new(&format!("http://127.0.0.1:{port}"), ""),
            processes: BTreeMap::new(),
            binaries,
            ports: BTreeMap::new(),
            environment,
            directory,
            database,
            _vhost: vhost,
        };
        let key = match mode {
            Mode::Embedded => stack.start_embedded(port).await?,
            Mode::Distributed => stack.start_distributed(port).await?,
        };
        stack.api = Api::new(&format!("http://localhost:{port}"), &key);
        Ok(stack)
    }

    async fn start_embedded(&mut self, port: u16) -> Result<String> {
        self.start_process("postroom", "postroom", port).await?;
        let key = std::fs::read_to_string(self.data_dir("postroom").join("api.key"));
        Ok(key.context("the first run left no API key")?.trim().to_owned())
    }

    async fn start_distributed(&mut self, port: u16) -> Result<String> {
        self.run_to_end(&["migrate"])?;
        let key = self.run_to_end(&["tenant", "new", "A CRM"])?;
        for service in SERVICES {
            let port = if *service == "account-manager" {
                port
            } else {
                free_port()?
            };
            self.start_process(service, service, port).await?;
        }
        Ok(key.trim().to_owned())
    }

    /// Starts one more process of a service under a name such as `imap-fetcher.2`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn add(&mut self, service: &str, name: &str) -> Result<()> {
        let port = free_port()?;
        self.start_process(service, name, port).await
    }

    /// The process that does a service's work.
    pub fn process_of<'a>(&self, service: &'a str) -> &'a str {
        match self.mode {
            Mode::Embedded => "postroom",
            Mode::Distributed => service,
        }
    }

    /// A running process.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn process(&self, name: &str) -> Result<&Process> {
        self.processes
            .get(name)
            .with_context(|| format!("no process is called {name}"))
    }

    /// Kills a process with SIGKILL; it stays known by its name for [`Stack::restart`].
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(&mut self, name: &str) -> Result<()> {
        self.processes
            .remove(name)
            .with_context(|| format!("no process is called {name}"))?
            .kill()
    }

    /// Starts a process that was killed or stopped again, with the same data and the same port.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn restart(&mut self, name: &str) -> Result<()> {
        let port = *self
            .ports
            .get(name)
            .with_context(|| format!("no process was called {name}"))?;
        let service = name.split('.').next().unwrap_or(name).to_owned();
        self.processes.remove(name);
        self.start_process(&service, name, port).await
    }

    async fn start_process(&mut self, binary: &str, name: &str, port: u16) -> Result<()> {
        let mut environment = self.environment.clone();
        environment.push((
            "POSTROOM_DATA_DIR".into(),
            self.data_dir(name).display().to_string(),
        ));
        environment.push(("POSTROOM_LISTEN".into(), format!("127.0.0.1:{port}")));
        let log = self.directory.path().join(name);
        let mut process = Process::start(&self.binaries.join(binary), &[], &environment, &log)?;
        process.wait_ready(port).await?;
        self.ports.insert(name.to_owned(), port);
        self.processes.insert(name.to_owned(), process);
        Ok(())
    }

    /// Runs a `postroom` command to its end and gives what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn run_to_end(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(self.binaries.join("postroom"))
            .args(arguments)
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .env("POSTROOM_DATA_DIR", self.data_dir("postroom"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "`postroom {}` failed: {said}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// Asks the database of a distributed stack: a row a line, columns separated by `|`.
    ///
    /// # Errors
    /// When it refuses, or the stack has no database of the testbed's.
    pub async fn query(&self, sql: &str) -> Result<String> {
        let database = self
            .database
            .as_ref()
            .context("this stack has no database of its own")?;
        database.query(sql).await
    }

    /// Where a process keeps its data.
    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}-data"))
    }

    /// Everything that was written by this stack: data, logs, what was printed.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A variable that every process of this stack got.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Drop for Stack {
    /// What a failed test leaves behind is kept for whoever looks for the reason.
    #[allow(clippy::print_stderr)]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.directory.disable_cleanup(true);
            eprintln!(
                "logs and data of this Postroom are kept in {}",
                self.directory().display()
            );
        }
    }
}

fn common_environment(
    testbed: &Testbed,
    directory: &Path,
    options: &StackOptions,
) -> Result<Vec<(String, String)>> {
    let mut environment = vec![
        (
            "POSTROOM_CA_FILE".to_owned(),
            testbed.ca_file.display().to_string(),
        ),
        (
            "POSTROOM_ALLOW_NETWORKS".to_owned(),
            "127.0.0.0/8,::1/128".to_owned(),
        ),
        (
            "POSTROOM_LEASE_SECONDS".to_owned(),
            options.lease_seconds.unwrap_or(5).to_string(),
        ),
        ("POSTROOM_LOG".to_owned(), "info".to_owned()),
    ];
    if let Some(toml) = &options.oauth_toml {
        let file = directory.join("oauth.toml");
        std::fs::write(&file, toml)?;
        environment.push(("POSTROOM_OAUTH_FILE".to_owned(), file.display().to_string()));
    }
    Ok(environment)
}

fn distributed_environment(
    binaries: &Path,
    directory: &Path,
    database_url: String,
    amqp_url: String,
) -> Result<Vec<(String, String)>> {
    let output = Command::new(binaries.join("postroom"))
        .args(["keys", "new"])
        .output()?;
    let keys = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mail = directory.join("mail");
    std::fs::create_dir_all(&mail)?;
    Ok(vec![
        ("POSTROOM_DATABASE_URL".to_owned(), database_url),
        ("POSTROOM_AMQP_URL".to_owned(), amqp_url),
        (
            "POSTROOM_OBJECTS_URL".to_owned(),
            format!("file://{}", mail.display()),
        ),
        ("POSTROOM_SECRET_KEYS".to_owned(), keys),
        ("POSTROOM_DATABASE_CONNECTIONS".to_owned(), "3".to_owned()),
    ])
}
