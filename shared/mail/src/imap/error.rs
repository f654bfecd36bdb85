//! Why an IMAP session did not come about, broke off, or refused a command; told apart so that a person can act.

use std::time::Duration;

use super::LimitExceeded;
use super::server_text::ServerText;
use crate::net::{ConnectError, ConnectErrorKind, Endpoint};
use crate::sasl::{OAuthRefusal, SaslError};

/// A failure. Its `Display` is a sentence for people: what failed, why, and the next step; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImapError {
    /// The server.
    pub endpoint: Endpoint,
    /// What went wrong.
    pub kind: ImapErrorKind,
}

/// What went wrong between us and an IMAP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImapErrorKind {
    /// No connection: name, network or TLS.
    Connect(ConnectError),
    /// The endpoint asks for STARTTLS and the server does not offer it. Nothing was sent without TLS.
    StartTlsNotOffered,
    /// What answers there is not an IMAP server.
    NotImap {
        /// How it greeted, shortened.
        seen: String,
    },
    /// The server says that we are signed in before we were: its owner or somebody on the way plays tricks.
    AlreadySignedIn,
    /// The login or secret cannot be sent.
    Credential(SaslError),
    /// The server offers no way to sign in that fits the credential.
    AuthNotOffered {
        /// What it offers instead.
        offered: Vec<String>,
    },
    /// The server refused the password or token.
    CredentialsRefused {
        /// Its final words.
        answer: ServerText,
        /// What it said about an OAuth token before that.
        refusal: Option<Box<OAuthRefusal>>,
    },
    /// Microsoft: the sign-in was right, but the mailbox behind it cannot be reached (IMAP switched off, another
    /// person signed in, a missing permission). Nothing that trying again soon would mend.
    MailboxUnavailable {
        /// The server's words.
        answer: ServerText,
    },
    /// The server asks to come back later.
    TemporarilyUnavailable {
        /// The server's words.
        answer: ServerText,
    },
    /// The server said goodbye.
    Bye {
        /// Its words.
        answer: ServerText,
    },
    /// The server refused a command.
    No {
        /// The command, without arguments.
        command: &'static str,
        /// The server's words.
        answer: ServerText,
    },
    /// The server did not understand a command.
    Bad {
        /// The command, without arguments.
        command: &'static str,
        /// The server's words.
        answer: ServerText,
    },
    /// The server does not offer what was asked of it.
    NotOffered {
        /// The capability that is missing.
        capability: &'static str,
    },
    /// No answer in time.
    TimedOut {
        /// The command, without arguments.
        command: &'static str,
        /// How long.
        after: Duration,
    },
    /// The connection ended.
    Lost {
        /// The command, without arguments.
        command: &'static str,
    },
    /// The server sent more than is allowed, or something dangerous; the connection was cut.
    LimitExceeded(LimitExceeded),
    /// The server broke the rules of IMAP.
    Protocol {
        /// How.
        what: String,
    },
    /// An argument cannot be sent: it holds a line break, NUL or what the command does not allow.
    Argument {
        /// Which argument.
        what: &'static str,
    },
    /// An earlier command of this session was not read to its end; connect again.
    Interrupted,
}

impl ImapError {
    pub(super) fn new(endpoint: &Endpoint, kind: ImapErrorKind) -> Self {
        Self {
            endpoint: endpoint.clone(),
            kind,
        }
    }

    /// A short name for logs, metrics and stored causes.
    pub fn code(&self) -> &'static str {
        match &self.kind {
            ImapErrorKind::Connect(error) => error.code(),
            ImapErrorKind::StartTlsNotOffered => "starttls_not_offered",
            ImapErrorKind::NotImap { .. } => "not_imap",
            ImapErrorKind::AlreadySignedIn => "already_signed_in",
            ImapErrorKind::Credential(_) => "credential_unusable",
            ImapErrorKind::AuthNotOffered { .. } => "sign_in_not_offered",
            ImapErrorKind::CredentialsRefused { .. } => "credentials_refused",
            ImapErrorKind::MailboxUnavailable { .. } => "mailbox_unavailable",
            ImapErrorKind::TemporarilyUnavailable { .. } => "temporarily_unavailable",
            ImapErrorKind::Bye { .. } => "bye",
            ImapErrorKind::No { .. } => "no",
            ImapErrorKind::Bad { .. } => "bad",
            ImapErrorKind::NotOffered { .. } => "not_offered",
            ImapErrorKind::TimedOut { .. } => "timed_out",
            ImapErrorKind::Lost { .. } => "connection_lost",
            ImapErrorKind::LimitExceeded(_) => "limit_exceeded",
            ImapErrorKind::Protocol { .. } => "protocol_broken",
            ImapErrorKind::Argument { .. } => "argument",
            ImapErrorKind::Interrupted => "interrupted",
        }
    }

    /// Whether the same attempt may well succeed later without anybody doing anything.
    pub fn is_temporary(&self) -> bool {
        match &self.kind {
            ImapErrorKind::Connect(error) => error.is_temporary(),
            ImapErrorKind::TemporarilyUnavailable { .. }
            | ImapErrorKind::Bye { .. }
            | ImapErrorKind::TimedOut { .. }
            | ImapErrorKind::Lost { .. }
            | ImapErrorKind::Interrupted => true,
            _ => false,
        }
    }

    /// Whether the session is still good: the command was refused, nothing else happened.
    pub fn leaves_session_usable(&self) -> bool {
        matches!(
            self.kind,
            ImapErrorKind::No { .. }
                | ImapErrorKind::Bad { .. }
                | ImapErrorKind::NotOffered { .. }
                | ImapErrorKind::Argument { .. }
        )
    }

    /// Whether another credential is needed: the one used was refused.
    pub fn refuses_credential(&self) -> bool {
        matches!(self.kind, ImapErrorKind::CredentialsRefused { .. })
    }

    /// How long the server asks to wait (`Suggested Backoff Time: 299998 milliseconds`), at most a day.
    pub fn retry_after(&self) -> Option<Duration> {
        let answer = match &self.kind {
            ImapErrorKind::CredentialsRefused { answer, .. }
            | ImapErrorKind::MailboxUnavailable { answer }
            | ImapErrorKind::TemporarilyUnavailable { answer }
            | ImapErrorKind::Bye { answer }
            | ImapErrorKind::No { answer, .. }
            | ImapErrorKind::Bad { answer, .. } => answer,
            _ => return None,
        };
        let (_, after) = answer.text.split_once("Backoff Time:")?;
        let digits: String = after
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let wait = Duration::from_millis(digits.parse().ok()?);
        Some(wait.min(Duration::from_secs(86_400)))
    }
}

impl std::error::Error for ImapError {}

impl From<ConnectError> for ImapError {
    fn from(error: ConnectError) -> Self {
        Self {
            endpoint: error.endpoint.clone(),
            kind: ImapErrorKind::Connect(error),
        }
    }
}

impl ImapErrorKind {
    /// The failure of the connection below, if it was that.
    pub fn connect_error(&self) -> Option<&ConnectErrorKind> {
        match self {
            Self::Connect(error) => Some(&error.kind),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::HostName;

    fn error(kind: ImapErrorKind) -> ImapError {
        ImapError::new(
            &Endpoint::implicit(HostName::parse("imap.example.org").unwrap(), 993),
            kind,
        )
    }

    #[test]
    fn a_throttled_client_learns_how_long_to_wait() {
        let answer = ServerText::read("Request is throttled. Suggested Backoff Time: 299998 milliseconds");
        assert_eq!(
            error(ImapErrorKind::Bye { answer }).retry_after(),
            Some(Duration::from_millis(299_998))
        );
        let answer = ServerText::read("Suggested Backoff Time: 99999999999999 milliseconds");
        assert_eq!(
            error(ImapErrorKind::TemporarilyUnavailable { answer }).retry_after(),
            Some(Duration::from_secs(86_400))
        );
        assert_eq!(error(ImapErrorKind::Interrupted).retry_after(), None);
    }
}
