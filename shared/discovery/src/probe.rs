//! Proving servers: connecting to them and listening to what they are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use postroom_mail::imap::{ImapConnection, ImapErrorKind, ImapLimits};
use postroom_mail::net::{ConnectError, ConnectErrorKind, Connector, Endpoint, HostName};
use postroom_mail::smtp::{SmtpErrorKind, SmtpSession};
use tokio::time::timeout;

use crate::candidate::Protocol;
use crate::ways::Ways;

/// A server that is not offered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) sentence: String,
    /// It may well answer another time.
    pub(crate) temporary: bool,
    /// There is no such name.
    pub(crate) no_such_name: bool,
}

type Probe = Shared<BoxFuture<'static, Result<Ways, Refusal>>>;

/// The probes of one discovery. Several sources often name the same server: it is probed once.
pub(crate) struct Probes {
    connector: Connector,
    ehlo_name: HostName,
    limit: Duration,
    begun: Mutex<HashMap<(Protocol, Endpoint), Probe>>,
}

impl Probes {
    /// `limit` is the time for one server, from its name to its capabilities.
    pub(crate) fn new(connector: Connector, ehlo_name: HostName, limit: Duration) -> Self {
        Self {
            connector,
            ehlo_name,
            limit,
            begun: Mutex::default(),
        }
    }

    /// What the server offers, once it has shown over TLS that it is one.
    pub(crate) fn probe(&self, protocol: Protocol, endpoint: &Endpoint) -> Probe {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun
            .entry((protocol, endpoint.clone()))
            .or_insert_with(|| {
                let (connector, ehlo_name) = (self.connector.clone(), self.ehlo_name.clone());
                let (endpoint, limit) = (endpoint.clone(), self.limit);
                async move {
                    let probe = async {
                        match protocol {
                            Protocol::Imap => imap(&connector, &endpoint, limit).await,
                            Protocol::Smtp => smtp(&connector, &endpoint, &ehlo_name).await,
                        }
                    };
                    let ways = timeout(limit, probe)
                        .await
                        .unwrap_or_else(|_| Err(too_slow(&endpoint)))?;
                    match ways.refusal(&endpoint) {
                        None => Ok(ways),
                        Some(sentence) => Err(Refusal {
                            sentence,
                            temporary: false,
                            no_such_name: false,
                        }),
                    }
                }
                .boxed()
                .shared()
            })
            .clone()
    }
}

async fn imap(connector: &Connector, endpoint: &Endpoint, limit: Duration) -> Result<Ways, Refusal> {
    let limits = ImapLimits {
        line: 16 * 1024,
        literal: 0,
        answer: 64 * 1024,
        response_time: limit,
        ..ImapLimits::default()
    };
    let connection = ImapConnection::open(connector, endpoint, limits)
        .await
        .map_err(|error| match &error.kind {
            ImapErrorKind::Connect(connect) => unreached(connect),
            kind => Refusal {
                sentence: error.to_string(),
                temporary: matches!(
                    kind,
                    ImapErrorKind::TemporarilyUnavailable { .. }
                        | ImapErrorKind::Bye { .. }
                        | ImapErrorKind::TimedOut { .. }
                        | ImapErrorKind::Lost { .. }
                ),
                no_such_name: false,
            },
        })?;
    let ways = Ways::of_imap(connection.capabilities());
    // Whoever waits for the answer need not wait for the good-bye.
    tokio::spawn(connection.close());
    Ok(ways)
}

async fn smtp(connector: &Connector, endpoint: &Endpoint, ehlo_name: &HostName) -> Result<Ways, Refusal> {
    let session = SmtpSession::probe(connector, endpoint, ehlo_name)
        .await
        .map_err(|error| match &error.kind {
            SmtpErrorKind::Connect(connect) => unreached(connect),
            kind => Refusal {
                sentence: error.to_string(),
                temporary: matches!(
                    kind,
                    SmtpErrorKind::TemporarilyUnavailable { .. }
                        | SmtpErrorKind::TimedOut { .. }
                        | SmtpErrorKind::Lost { .. }
                ),
                no_such_name: false,
            },
        })?;
    let ways = Ways::of_smtp(session.capabilities());
    tokio::spawn(session.quit());
    Ok(ways)
}

fn unreached(error: &ConnectError) -> Refusal {
    Refusal {
        sentence: error.to_string(),
        temporary: is_temporary(error),
        no_such_name: error.kind == ConnectErrorKind::NameNotFound,
    }
}

/// Where nothing listens, nothing will: only silence may end.
pub(crate) fn is_temporary(error: &ConnectError) -> bool {
    matches!(
        error.kind,
        ConnectErrorKind::NameServiceFailed
            | ConnectErrorKind::TimedOut { .. }
            | ConnectErrorKind::Network(_)
    )
}

fn too_slow(endpoint: &Endpoint) -> Refusal {
    Refusal {
        sentence: format!("{endpoint} did not answer in time"),
        temporary: true,
        no_such_name: false,
    }
}
