//! What an operator may decide about discovery.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use postroom_mail::net::HostName;
use url::Url;

/// The database that Thunderbird asks too.
pub const MOZILLA_ISPDB: &str = "https://autoconfig.thunderbird.net/v1.1/";

/// How servers are looked for.
#[derive(Clone, Debug)]
pub struct DiscoverySettings {
    /// Base URL of the ISPDB, https; the domain of the address is appended. `None`: it is not asked.
    pub ispdb: Option<Url>,
    /// The name server for everything that discovery looks up, the addresses of mail servers included. `None`: those
    /// of the system.
    pub dns_server: Option<SocketAddr>,
    /// A PEM file with authorities that HTTPS trusts besides the system's; the connector has its own.
    pub ca_file: Option<PathBuf>,
    /// How this machine introduces itself to submission servers.
    pub ehlo_name: Option<HostName>,
    /// How long one discovery may take as a whole.
    pub time_limit: Duration,
    /// How long servers that were found are remembered.
    pub keep_found: Duration,
    /// How long it is remembered that none were found. Not at all if somebody did not answer.
    pub keep_missing: Duration,
    /// How many answers are remembered.
    pub remembered: usize,
    /// How many discoveries may run at the same time; others wait, at most for the time limit.
    pub at_once: usize,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self {
            ispdb: Url::parse(MOZILLA_ISPDB).ok(),
            dns_server: None,
            ca_file: None,
            ehlo_name: None,
            time_limit: Duration::from_secs(10),
            keep_found: Duration::from_secs(3600),
            keep_missing: Duration::from_secs(60),
            remembered: 1000,
            at_once: 16,
        }
    }
}

/// Discovery could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base URL of the ISPDB cannot be used.
    #[error(
        "The ISPDB's URL {0} cannot be used: it must begin with https:// and hold no user name. Correct it."
    )]
    Ispdb(Url),
    /// The CA file cannot be used.
    #[error("The CA file {} cannot be used: {cause}. Check the path and that it holds PEM certificates.", path.display())]
    CaFile {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The system does not say which name servers to ask.
    #[error(
        "The system's name servers cannot be read: {0}. Check /etc/resolv.conf, or configure a name server."
    )]
    NameServers(String),
    /// TLS cannot be set up.
    #[error("HTTPS cannot be set up: {0}. Check that the system has CA certificates.")]
    Https(String),
}
