//! Servers that somebody named and nobody has proved yet.

use postroom_events::AuthenticationMethod;
use postroom_mail::net::{Endpoint, HostName, TlsMode};
use postroom_providers::{MailServer, Provider};

use crate::username::Username;

/// How many servers of one source are tried for one protocol: the work that a stranger's file can cause is bounded.
pub(crate) const MAX_CANDIDATES: usize = 6;

/// Which of a mailbox's two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Imap,
    Smtp,
}

/// One server as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) endpoint: Endpoint,
    pub(crate) username: Username,
    /// Ways to sign in that are known to be accepted, best first; empty: whatever the server offers.
    pub(crate) methods: Vec<AuthenticationMethod>,
}

/// What one source named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidates {
    pub(crate) imap: Vec<Candidate>,
    pub(crate) smtp: Vec<Candidate>,
    /// Servers that were named and are not tried, each with its reason.
    pub(crate) refused: Vec<String>,
    /// The domain says that it has no IMAP (SMTP): whoever ranks lower is not listened to.
    pub(crate) denies_imap: bool,
    pub(crate) denies_smtp: bool,
    /// The provider that these servers belong to, where the source knows it.
    pub(crate) provider: Option<String>,
}

/// What one source answered when it named nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Miss {
    /// What came of it, to stand behind the source's name.
    pub(crate) outcome: String,
    /// It did not answer, or not for now.
    pub(crate) temporary: bool,
    /// The domain does not exist.
    pub(crate) no_such_domain: bool,
    /// The domain belongs to a provider that cannot be connected: its name, and why.
    pub(crate) unsupported: Option<(String, String)>,
}

impl Miss {
    pub(crate) fn new(outcome: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            ..Self::default()
        }
    }

    pub(crate) fn temporary(outcome: impl Into<String>) -> Self {
        Self {
            temporary: true,
            ..Self::new(outcome)
        }
    }
}

pub(crate) type Lookup = Result<Candidates, Miss>;

impl Candidates {
    /// The servers that provider data name.
    pub(crate) fn of_provider(provider: &Provider) -> Self {
        let read = |servers: &[MailServer], username: Username| -> Vec<Candidate> {
            servers
                .iter()
                .filter_map(|server| {
                    Some(Candidate {
                        endpoint: endpoint(server)?,
                        username: username.clone(),
                        methods: provider.sign_in.clone(),
                    })
                })
                .take(MAX_CANDIDATES)
                .collect()
        };
        Self {
            imap: read(&provider.imap, provider.username.into()),
            smtp: read(&provider.smtp, provider.smtp_username().into()),
            provider: Some(provider.id.clone()),
            ..Self::default()
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.imap.is_empty() && self.smtp.is_empty()
    }
}

fn endpoint(server: &MailServer) -> Option<Endpoint> {
    Some(Endpoint {
        host: HostName::parse(&server.host).ok()?,
        port: server.port,
        tls: match server.tls {
            postroom_providers::TlsMode::Implicit => TlsMode::Implicit,
            postroom_providers::TlsMode::StartTls => TlsMode::StartTls,
        },
    })
}
