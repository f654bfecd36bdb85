//! What an operator can configure: one list of flags and variables for every binary.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::StartError;

/// Settings of every service. Each flag has a variable of the same name.
#[derive(Args, Debug, Clone)]
pub struct Settings {
    /// Directory for the embedded database, the secret key and stored mail.
    #[arg(long, env = "POSTROOM_DATA_DIR", default_value = "postroom-data")]
    pub data_dir: PathBuf,

    /// PostgreSQL to use, as postgres://USER:PASSWORD@HOST/DATABASE. Without it: SQLite in the data directory.
    #[arg(long, env = "POSTROOM_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<SecretString>,

    /// RabbitMQ to use, as amqp://USER:PASSWORD@HOST/VHOST or amqps://... Without it: the embedded bus.
    #[arg(long, env = "POSTROOM_AMQP_URL", hide_env_values = true, value_parser = secret)]
    pub amqp_url: Option<SecretString>,

    /// Where raw mail is kept: file:///DIRECTORY or s3://BUCKET/PREFIX (credentials and region from the usual AWS_
    /// variables). Without it: a directory in the data directory.
    #[arg(long, env = "POSTROOM_OBJECTS_URL")]
    pub objects_url: Option<Url>,

    /// Keys that seal secrets at rest, as ID:BASE64,ID:BASE64 with 32 bytes each; the first one seals. Without it: a
    /// key file in the data directory, made on the first embedded run.
    #[arg(long, env = "POSTROOM_SECRET_KEYS", hide_env_values = true, value_parser = secret)]
    pub secret_keys: Option<SecretString>,

    /// Address to listen on for HTTP: pages, API, health and metrics in account-manager and `postroom run`; health and
    /// metrics in the workers.
    #[arg(long, env = "POSTROOM_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// The address under which people reach the pages, for links and OAuth redirects. Without it: http://LISTEN.
    #[arg(long, env = "POSTROOM_BASE_URL")]
    pub base_url: Option<Url>,

    /// File with provider data that is added to the built-in data, or replaces parts of it (TOML).
    #[arg(long, env = "POSTROOM_PROVIDERS_FILE")]
    pub providers_file: Option<PathBuf>,

    /// File with the OAuth 2.0 client registrations of this Postroom (TOML).
    #[arg(long, env = "POSTROOM_OAUTH_FILE")]
    pub oauth_file: Option<PathBuf>,

    /// File with further certificate authorities to trust (PEM), for servers with certificates of your own.
    #[arg(long, env = "POSTROOM_CA_FILE")]
    pub ca_file: Option<PathBuf>,

    /// Origins that a connect link may lead a person back to, such as https://crm.example.org (repeat, or separate by
    /// commas). Without it, connect links cannot name a return URL.
    #[arg(long, env = "POSTROOM_RETURN_URLS", value_delimiter = ',')]
    pub return_urls: Vec<Url>,

    /// Networks that mail servers and identity providers may lie in although they are not public, such as
    /// 10.1.0.0/16 (repeat, or separate by commas). Without it: loopback, private and link-local addresses are refused.
    #[arg(long, env = "POSTROOM_ALLOW_NETWORKS", value_delimiter = ',')]
    pub allow_networks: Vec<String>,

    /// Database of mail servers that is asked for domains which the provider data do not know: base URL of an ISPDB
    /// (https), or off.
    #[arg(long, env = "POSTROOM_ISPDB_URL", default_value = postroom_discovery::MOZILLA_ISPDB)]
    pub ispdb_url: String,

    /// Name server that is asked when servers are looked for from an address, as IP or IP:PORT. Without it: those of
    /// the system.
    #[arg(long, env = "POSTROOM_DNS_SERVER", value_parser = name_server)]
    pub dns_server: Option<SocketAddr>,

    /// How long an account, and events that wait to be published or tried again, stay with a worker that no longer
    /// answers, in seconds.
    #[arg(long, env = "POSTROOM_LEASE_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=600))]
    pub lease_seconds: u64,

    /// Connections to PostgreSQL that one process opens at most.
    #[arg(long, env = "POSTROOM_DATABASE_CONNECTIONS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=200))]
    pub database_connections: u32,

    /// How long events, and how they were handled, are kept at least, in days.
    #[arg(long, env = "POSTROOM_EVENT_RETENTION_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u64).range(7..=3650))]
    pub event_retention_days: u64,

    /// How log lines look: readable or json.
    #[arg(long, env = "POSTROOM_LOG_FORMAT", default_value = "readable")]
    pub log_format: postroom_telemetry::LogFormat,

    /// What is logged, such as info or info,imap_fetcher=debug.
    #[arg(long, env = "POSTROOM_LOG", default_value = "info")]
    pub log: String,

    /// OTLP/HTTP collector that traces are sent to, such as http://collector:4318. Without it: none are sent.
    #[arg(long, env = "POSTROOM_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<Url>,
}

fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// A name server; its port is 53 unless it is given.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = |_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53));
    text.parse().or_else(with_port).map_err(|_| {
        "it is no address of a name server; write it as 192.0.2.53 or 192.0.2.53:5353".to_owned()
    })
}

/// Which of the two ways to run these settings ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// SQLite and the embedded bus, in one process.
    Embedded,
    /// PostgreSQL and RabbitMQ, any number of processes.
    Distributed,
}

impl Settings {
    /// The way to run.
    ///
    /// # Errors
    /// When only one of database and broker is configured: nothing in between exists.
    pub fn mode(&self) -> Result<Mode, StartError> {
        match (&self.database_url, &self.amqp_url) {
            (None, None) => Ok(Mode::Embedded),
            (Some(_), Some(_)) => Ok(Mode::Distributed),
            (Some(_), None) => Err(StartError::Configuration(
                "A database URL is set but no broker. Set POSTROOM_AMQP_URL too, or unset POSTROOM_DATABASE_URL to run \
                 embedded."
                    .into(),
            )),
            (None, Some(_)) => Err(StartError::Configuration(
                "A broker is set but no database URL. Set POSTROOM_DATABASE_URL to a PostgreSQL database too, or unset \
                 POSTROOM_AMQP_URL to run embedded."
                    .into(),
            )),
        }
    }

    /// The database URL: the configured one, or SQLite in the data directory.
    pub fn database(&self) -> String {
        match &self.database_url {
            Some(url) => url.expose_secret().to_owned(),
            None => format!("sqlite:{}", self.data_dir.join("postroom.sqlite").display()),
        }
    }

    /// The address under which people reach the pages.
    pub fn public_url(&self) -> Url {
        match &self.base_url {
            Some(url) => url.clone(),
            None => {
                let host = if self.listen.ip().is_loopback() || self.listen.ip().is_unspecified() {
                    "localhost".to_owned()
                } else {
                    self.listen.ip().to_string()
                };
                let mut url =
                    Url::parse("http://localhost").unwrap_or_else(|_| unreachable!("a constant URL parses"));
                let _ = url.set_host(Some(&host));
                let _ = url.set_port(Some(self.listen.port()));
                url
            }
        }
    }

    /// How long events, and how they were handled, are kept at least.
    pub fn event_retention(&self) -> Duration {
        Duration::from_secs(self.event_retention_days * 24 * 60 * 60)
    }

    /// How long an account, or an event of the outbox or the retries, stays with a worker that no longer answers.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(arguments: &[&str]) -> Settings {
        Command::parse_from(std::iter::once(&"test").chain(arguments)).settings
    }

    #[test]
    fn without_configuration_it_runs_embedded() {
        let settings = parse(&[]);
        assert_eq!(settings.mode().unwrap(), Mode::Embedded);
        assert_eq!(settings.database(), "sqlite:postroom-data/postroom.sqlite");
        assert_eq!(settings.public_url().as_str(), "http://localhost:8080/");
        assert_eq!(settings.event_retention(), Duration::from_secs(90 * 24 * 60 * 60));
    }

    #[test]
    fn half_a_distributed_configuration_is_refused_with_the_way_out() {
        let settings = parse(&["--database-url", "postgres://postroom:canary@db/postroom"]);
        let error = settings.mode().unwrap_err().to_string();
        assert!(error.contains("POSTROOM_AMQP_URL"), "{error}");
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
