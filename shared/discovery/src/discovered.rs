//! What was found.

use postroom_events::AuthenticationMethod;
use postroom_mail::net::{Endpoint, HostName, TlsMode};
use serde::Serialize;
use std::fmt;
use url::Url;

use crate::error::Attempt;
use crate::username::Username;

/// The servers of a mailbox. Each has been connected to over TLS and has spoken its protocol; nobody has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discovered {
    /// The address that was asked about.
    pub address: String,
    /// Id in the provider catalogue; `custom` for a provider that is not known there.
    pub provider: String,
    /// Where mail is read.
    pub imap: DiscoveredServer,
    /// Where mail is submitted; `None` when no server for it could be proved, so that the account can only receive.
    pub smtp: Option<DiscoveredServer>,
    /// Who named the IMAP server.
    pub source: Source,
    /// Where a person makes an app password, for providers that want one.
    pub app_password_help: Option<Url>,
    /// What was asked besides and found wanting: for support, not for a form.
    #[serde(skip)]
    pub notes: Vec<Attempt>,
}

/// One server that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiscoveredServer {
    /// Its name, which its certificate is for.
    pub host: HostName,
    /// TCP port.
    pub port: u16,
    /// When TLS begins. Servers without TLS are never offered.
    pub socket: TlsMode,
    /// Ways to sign in, best first: those that the server offers and that the provider is known to accept.
    pub auth: Vec<AuthenticationMethod>,
    /// What to sign in with.
    pub username: Username,
}

impl DiscoveredServer {
    /// Where to connect.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: self.host.clone(),
            port: self.port,
            tls: self.socket,
        }
    }
}

/// Who can name a mailbox's servers, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Provider data, by the domain of the address.
    ProviderData,
    /// The Mozilla ISPDB, by the domain of the address.
    Ispdb,
    /// The configuration file that the domain itself publishes.
    Autoconfig,
    /// SRV records of the domain (RFC 6186, RFC 8314).
    Srv,
    /// MX records that point at a hoster known to provider data or the ISPDB.
    Mx,
    /// Names that mail servers often have.
    Guess,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProviderData => "provider data",
            Self::Ispdb => "the Mozilla database",
            Self::Autoconfig => "the domain's own configuration",
            Self::Srv => "SRV records",
            Self::Mx => "MX records",
            Self::Guess => "the usual server names",
        })
    }
}
