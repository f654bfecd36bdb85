//! Why a mail server could not be reached, told apart so that a person can act.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::Endpoint;

/// A connection that did not come about: where to, and why not. Its `Display` is a sentence for people with the
/// cause and the next step; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// Where the connection was to go.
    pub endpoint: Endpoint,
    /// What went wrong.
    pub kind: ConnectErrorKind,
}

/// What went wrong on the way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectErrorKind {
    /// The name does not exist or has no address.
    NameNotFound,
    /// The name servers gave no answer; the name may well exist.
    NameServiceFailed,
    /// The name has addresses, but none that this installation may reach.
    DeniedByPolicy {
        /// One of the addresses that were refused.
        address: IpAddr,
    },
    /// Nothing listens there.
    Refused,
    /// No answer within the time allowed.
    TimedOut {
        /// What was waited for.
        step: ConnectStep,
        /// How long it was waited for.
        after: Duration,
    },
    /// The network failed in another way (no route, reset, ...).
    Network(io::ErrorKind),
    /// TLS could not be set up.
    Tls(TlsFailure),
}

/// The steps that have a time-out of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectStep {
    /// Asking the name servers.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// Setting up TLS.
    Handshake,
}

/// Why TLS could not be set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate is past its end.
    Expired,
    /// The certificate is not valid yet (or the clock of this machine is wrong).
    NotYetValid,
    /// The certificate is for other names than the one asked for.
    WrongName {
        /// The names it is for, at most ten.
        presented: Vec<String>,
    },
    /// The certificate was not issued by an authority that is trusted here.
    UnknownIssuer,
    /// The certificate was revoked.
    Revoked,
    /// What answered does not speak TLS at this point.
    NotTls,
    /// The server closed the connection in the middle of the handshake.
    ClosedDuringHandshake,
    /// Bytes came in plain text after STARTTLS was agreed: somebody is putting words into the server's mouth.
    InjectedBeforeTls,
    /// Any other failure, in the words of the TLS library.
    Other(String),
}

impl ConnectError {
    pub(crate) fn new(endpoint: &Endpoint, kind: ConnectErrorKind) -> Self {
        Self {
            endpoint: endpoint.clone(),
            kind,
        }
    }

    pub(super) fn from_io(endpoint: &Endpoint, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectErrorKind::Refused,
            kind => ConnectErrorKind::Network(kind),
        };
        Self::new(endpoint, kind)
    }

    /// Whether the same attempt may well succeed later without anybody doing anything.
    pub fn is_temporary(&self) -> bool {
        match &self.kind {
            ConnectErrorKind::NameServiceFailed
            | ConnectErrorKind::Refused
            | ConnectErrorKind::TimedOut { .. }
            | ConnectErrorKind::Network(_)
            | ConnectErrorKind::Tls(TlsFailure::ClosedDuringHandshake) => true,
            ConnectErrorKind::NameNotFound
            | ConnectErrorKind::DeniedByPolicy { .. }
            | ConnectErrorKind::Tls(_) => false,
        }
    }

    /// A short name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match &self.kind {
            ConnectErrorKind::NameNotFound => "name_not_found",
            ConnectErrorKind::NameServiceFailed => "name_service_failed",
            ConnectErrorKind::DeniedByPolicy { .. } => "denied_by_policy",
            ConnectErrorKind::Refused => "refused",
            ConnectErrorKind::TimedOut { .. } => "timed_out",
            ConnectErrorKind::Network(_) => "network",
            ConnectErrorKind::Tls(failure) => failure.code(),
        }
    }
}

impl TlsFailure {
    fn code(&self) -> &'static str {
        match self {
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::WrongName { .. } => "certificate_wrong_name",
            Self::UnknownIssuer => "certificate_unknown_issuer",
            Self::Revoked => "certificate_revoked",
            Self::NotTls => "not_tls",
            Self::ClosedDuringHandshake => "closed_during_handshake",
            Self::InjectedBeforeTls => "injected_before_tls",
            Self::Other(_) => "tls",
        }
    }
}

impl std::error::Error for ConnectError {}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, .. } = &self.endpoint;
        let at = &self.endpoint;
        match &self.kind {
            ConnectErrorKind::NameNotFound => {
                write!(
                    f,
                    "The server name {host} was not found. Check it for a typing error."
                )
            }
            ConnectErrorKind::NameServiceFailed => {
                write!(
                    f,
                    "The server name {host} could not be looked up: the name servers gave no answer. Try again later."
                )
            }
            ConnectErrorKind::DeniedByPolicy { address } => write!(
                f,
                "{host} leads to the address {address}, which this installation may not connect to. \
                 Use the server's public name, or ask the operator to allow that network."
            ),
            ConnectErrorKind::Refused => write!(
                f,
                "{at} refused the connection: nothing listens there. Check the server name and the port."
            ),
            ConnectErrorKind::TimedOut { step, after } => write!(
                f,
                "{at} did not answer within {} seconds while {step}. Check the server name and the port, or try again later.",
                after.as_secs_f32().ceil()
            ),
            ConnectErrorKind::Network(kind) => {
                write!(
                    f,
                    "The connection to {at} failed ({kind}). Try again later, or check the port."
                )
            }
            ConnectErrorKind::Tls(failure) => write_tls(f, &self.endpoint, failure),
        }
    }
}

fn write_tls(f: &mut fmt::Formatter<'_>, at: &Endpoint, failure: &TlsFailure) -> fmt::Result {
    let host = &at.host;
    match failure {
        TlsFailure::Expired => write!(
            f,
            "The certificate of {at} has expired, so the connection would not be safe. \
             The people who run that server must renew it."
        ),
        TlsFailure::NotYetValid => write!(
            f,
            "The certificate of {at} is not valid yet. Check the clock of this machine; \
             if it is right, the people who run that server must mend the certificate."
        ),
        TlsFailure::WrongName { presented } if presented.is_empty() => write!(
            f,
            "The certificate of {at} is not for {host}. Use the server name that your provider gives."
        ),
        TlsFailure::WrongName { presented } => write!(
            f,
            "The certificate of {at} is for {}, not for {host}. Use the server name that your provider gives.",
            presented.join(", ")
        ),
        TlsFailure::UnknownIssuer => write!(
            f,
            "The certificate of {at} was not issued by an authority that is trusted here. If the server is your \
             own, ask the operator of this installation to add its CA certificate."
        ),
        TlsFailure::Revoked => {
            write!(
                f,
                "The certificate of {at} was revoked. The people who run that server must replace it."
            )
        }
        TlsFailure::NotTls => write!(
            f,
            "{at} does not speak TLS there. Choose the other kind of encryption (TLS or STARTTLS) or another port."
        ),
        TlsFailure::ClosedDuringHandshake => write!(
            f,
            "{at} closed the connection while TLS was being set up. Check the port and the kind of encryption."
        ),
        TlsFailure::InjectedBeforeTls => write!(
            f,
            "{at} sent data in plain text after it had agreed to STARTTLS. That can be an attack on the connection; \
             nothing was sent. Use TLS from the start (port 993 or 465)."
        ),
        TlsFailure::Other(reason) => write!(f, "TLS with {at} could not be set up: {reason}."),
    }
}

impl fmt::Display for ConnectStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "its name was looked up",
            Self::Connect => "the connection was opened",
            Self::Handshake => "TLS was being set up",
        })
    }
}
