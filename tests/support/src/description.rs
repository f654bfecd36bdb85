//! `testbed.json`: where the testbed's servers are.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The running testbed. Read from the file that `cargo xtask testbed up` writes.
#[derive(Clone, Debug, Deserialize)]
pub struct Testbed {
    /// Where the testbed keeps its data, configuration and logs.
    pub directory: PathBuf,
    /// The domain whose mail the testbed's servers hold.
    pub domain: String,
    /// The certificate authority that the good certificates come from, as PEM.
    pub ca_file: PathBuf,
    /// Dovecot.
    pub imap: MailServer,
    /// Postfix.
    pub submission: MailServer,
    /// Dovecot's LMTP port; [`Testbed::deliver`] uses it.
    pub lmtp: LmtpAddress,
    /// Addresses where IMAP and submission listen on the same ports, but have something wrong.
    pub faulty_hosts: FaultyHosts,
    /// The OpenID provider; [`Testbed::openid`] is the client for its admin port.
    #[serde(rename = "openid")]
    pub openid_address: OpenIdAddress,
    /// An object store that speaks S3, empty after each start; it takes any key.
    pub s3: S3Address,
    /// A database that exists, as a role that may create databases. See [`Testbed::fresh_database`].
    pub postgres_url: String,
    /// The broker without a virtual host. See [`Testbed::fresh_vhost`].
    pub rabbitmq_url: String,
    /// One file per user, read by Dovecot and by the OpenID provider.
    pub users_dir: PathBuf,
    /// One directory per user with the maildir in `Maildir`.
    pub mail_dir: PathBuf,
    /// Where mail to other domains ends. See [`Testbed::sink_messages`].
    pub sink_dir: PathBuf,
    /// Dovecot's configuration.
    pub dovecot_conf: PathBuf,
    /// `doveadm` with that configuration. See [`Testbed::doveadm`].
    pub doveadm: PathBuf,
    /// `rabbitmqctl` for the testbed's broker.
    pub rabbitmqctl: PathBuf,
    /// The browser.
    pub chromium: PathBuf,
    /// A Python that has `yaml` and `kubernetes_validate`, for tests of compose files and manifests.
    pub deployment_python: PathBuf,
    /// The browser's WebDriver server.
    pub chromedriver: PathBuf,
}

/// An object store that speaks S3.
#[derive(Clone, Debug, Deserialize)]
pub struct S3Address {
    /// Its base URL.
    pub endpoint: String,
    /// A bucket that exists.
    pub bucket: String,
}

/// A mail server with one port for STARTTLS and one for implicit TLS.
#[derive(Clone, Debug, Deserialize)]
pub struct MailServer {
    /// A name that the server's certificate holds.
    pub host: String,
    /// Clear text first, STARTTLS offered.
    pub starttls_port: u16,
    /// TLS from the first byte.
    pub tls_port: u16,
}

/// Where LMTP is spoken.
#[derive(Clone, Debug, Deserialize)]
pub struct LmtpAddress {
    /// An IP address.
    pub host: String,
    /// A port.
    pub port: u16,
}

/// IP addresses where the mail servers are wrong on purpose.
#[derive(Clone, Debug, Deserialize)]
pub struct FaultyHosts {
    /// The certificate is over.
    pub expired: String,
    /// The certificate comes from an authority that nobody trusts.
    pub foreign: String,
    /// The certificate is good, but names other hosts.
    pub misnamed: String,
    /// No TLS at all: IMAP and submission on their STARTTLS ports, without STARTTLS.
    pub plain: String,
}

/// The OpenID provider.
#[derive(Clone, Debug, Deserialize)]
pub struct OpenIdAddress {
    /// The issuer; `/.well-known/openid-configuration` below it tells the rest.
    pub issuer: String,
    /// The port that tests use to change the provider's behaviour.
    pub admin_url: String,
    /// A web application with a secret. Its redirect addresses are registered at run time.
    pub web_client: WebClient,
    /// A native application without a secret, sent back to `http://127.0.0.1:ANY-PORT/oauth/callback`.
    pub native_client: NativeClient,
}

/// An application with a secret; it authenticates with `client_secret_post`.
#[derive(Clone, Debug, Deserialize)]
pub struct WebClient {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
}

/// An application without a secret.
#[derive(Clone, Debug, Deserialize)]
pub struct NativeClient {
    /// `client_id`.
    pub id: String,
}

impl Testbed {
    /// Reads `testbed.json` in `POSTROOM_TESTBED_DIR` (`/tmp/postroom-testbed` if that is not set).
    ///
    /// # Errors
    /// If the testbed is not up. A test fails then; it never passes without having seen the servers.
    pub fn load() -> Result<Self> {
        let directory = std::env::var_os("POSTROOM_TESTBED_DIR")
            .map_or_else(|| PathBuf::from("/tmp/postroom-testbed"), PathBuf::from);
        let file = directory.join("testbed.json");
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!(
                "The testbed is not up: cannot read {}. Run `cargo xtask testbed up` first.",
                file.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| {
            format!(
                "{} was written by another version. Run `cargo xtask testbed down`, then `up`.",
                file.display()
            )
        })
    }
}
