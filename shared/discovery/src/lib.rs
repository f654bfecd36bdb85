//! From an address to the servers of its mailbox, the way to sign in, and where a person gets an app password.
//!
//! Sources, best first ([`Source`]): provider data; the Mozilla ISPDB; the domain's own autoconfig; SRV records; MX
//! records of known hosters; guessing. [`Discovery::discover`] asks provider data first, because that costs nothing
//! and tells nobody, and then all others at the same time. Whatever a source says is only a candidate: it is offered
//! after we have connected to it over TLS, with its certificate checked, and it has spoken IMAP or SMTP. The
//! best-ranked proven answer wins.
//!
//! Invariants:
//! - every host name here was typed by somebody or came from a stranger's server. A connection goes only to an
//!   address that the [`AddressPolicy`](postroom_mail::net::AddressPolicy) of the connector permits, and to that very
//!   address: for mail servers and for HTTP alike, redirects included;
//! - no credential is known here, and nothing is ever said without TLS but STARTTLS;
//! - a discovery ends within its time limit, whatever the servers do.

mod address;
mod autoconfig_file;
mod autoconfig_servers;
mod cache;
mod candidate;
mod discovered;
mod discovery;
mod dns;
mod error;
mod https;
mod outcome;
mod probe;
mod report;
mod search;
mod settings;
mod sources;
mod username;
mod verdict;
mod ways;

pub use address::{InvalidAddress, MailAddress};
pub use discovered::{Discovered, DiscoveredServer, Source};
pub use discovery::Discovery;
pub use error::{Attempt, DiscoveryError};
pub use report::to_json;
pub use settings::{DiscoverySettings, MOZILLA_ISPDB, SetupError};
pub use username::Username;

/// For the tests that feed it with rubbish: whether an autoconfig file could be read, and how many servers it names.
#[doc(hidden)]
pub fn servers_named_in(document: &str) -> Option<usize> {
    let file = autoconfig_file::read(document).ok()?;
    Some(file.imap.len() + file.smtp.len())
}
