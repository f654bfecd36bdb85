//! Why a session with a submission server did not come about or broke off, told apart so that a person can act.

use super::dialogue::DialogueError;
use super::reply::{ReplyClass, ReplyError, SmtpReply};
use crate::net::{ConnectError, ConnectErrorKind, Endpoint};
use crate::sasl::{OAuthRefusal, SaslError};
use std::fmt;
use std::time::Duration;

/// A failed session. Its `Display` is a sentence for people: what failed, why, and the next step; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpError {
    /// The server.
    pub endpoint: Endpoint,
    /// What went wrong.
    pub kind: SmtpErrorKind,
}

/// What went wrong between us and a submission server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpErrorKind {
    /// No connection: name, network or TLS.
    Connect(ConnectError),
    /// The endpoint asks for STARTTLS and the server does not offer it. Nothing was sent without TLS.
    StartTlsNotOffered,
    /// The server refused the password or token.
    CredentialsRefused {
        /// Its final words.
        reply: SmtpReply,
        /// What it said about an OAuth token before that (the 334 challenge).
        refusal: Option<OAuthRefusal>,
    },
    /// The server offers no way to sign in that fits the credential.
    AuthNotOffered {
        /// What it offers instead.
        offered: Vec<String>,
    },
    /// Microsoft: sending by SMTP is switched off for the mailbox or the organisation; IMAP may work all the same.
    SmtpAuthDisabled {
        /// The server's words.
        reply: SmtpReply,
    },
    /// The login or secret cannot be sent.
    Credential(SaslError),
    /// The server asks to come back later.
    TemporarilyUnavailable {
        /// The server's words.
        reply: SmtpReply,
    },
    /// The server refused a command for good.
    Refused {
        /// What was asked.
        step: SmtpStep,
        /// The server's words.
        reply: SmtpReply,
    },
    /// What answers there is not an SMTP server.
    NotSmtp {
        /// How it greeted, shortened.
        seen: String,
    },
    /// No answer in time.
    TimedOut {
        /// What was waited for.
        step: SmtpStep,
        /// How long.
        after: Duration,
    },
    /// The connection ended.
    Lost {
        /// What was waited for.
        step: SmtpStep,
    },
    /// The server broke the rules of SMTP.
    Protocol {
        /// When.
        step: SmtpStep,
        /// How.
        what: String,
    },
}

/// The steps of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpStep {
    /// Waiting for the first line.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    SignIn,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA and the message up to its final dot.
    Message,
    /// The answer to the final dot.
    Acceptance,
    /// NOOP or RSET.
    Check,
}

impl SmtpError {
    pub(super) fn new(endpoint: &Endpoint, kind: SmtpErrorKind) -> Self {
        Self {
            endpoint: endpoint.clone(),
            kind,
        }
    }

    pub(super) fn from_dialogue(endpoint: &Endpoint, step: SmtpStep, error: DialogueError) -> Self {
        let kind = match error {
            DialogueError::Closed | DialogueError::Io(_) => SmtpErrorKind::Lost { step },
            DialogueError::TimedOut(after) => SmtpErrorKind::TimedOut { step, after },
            DialogueError::BadReply(ReplyError::NoCode(seen)) if step == SmtpStep::Greeting => {
                SmtpErrorKind::NotSmtp {
                    seen: seen.chars().take(60).collect(),
                }
            }
            error => SmtpErrorKind::Protocol {
                step,
                what: error.to_string(),
            },
        };
        Self::new(endpoint, kind)
    }

    /// A reply that is not the one hoped for, outside of signing in.
    pub(super) fn from_reply(endpoint: &Endpoint, step: SmtpStep, reply: SmtpReply) -> Self {
        let kind = match reply.class() {
            ReplyClass::Transient => SmtpErrorKind::TemporarilyUnavailable { reply },
            ReplyClass::Permanent => SmtpErrorKind::Refused { step, reply },
            ReplyClass::Positive | ReplyClass::Intermediate => SmtpErrorKind::Protocol {
                step,
                what: format!("the answer {reply} makes no sense there"),
            },
        };
        Self::new(endpoint, kind)
    }

    /// Whether the same attempt may well succeed later without anybody doing anything.
    pub fn is_temporary(&self) -> bool {
        match &self.kind {
            SmtpErrorKind::Connect(error) => error.is_temporary(),
            SmtpErrorKind::TemporarilyUnavailable { .. }
            | SmtpErrorKind::TimedOut { .. }
            | SmtpErrorKind::Lost { .. }
            | SmtpErrorKind::Protocol { .. } => true,
            SmtpErrorKind::StartTlsNotOffered
            | SmtpErrorKind::CredentialsRefused { .. }
            | SmtpErrorKind::AuthNotOffered { .. }
            | SmtpErrorKind::SmtpAuthDisabled { .. }
            | SmtpErrorKind::Credential(_)
            | SmtpErrorKind::Refused { .. }
            | SmtpErrorKind::NotSmtp { .. } => false,
        }
    }

    /// How long the server asked to wait, if it did.
    pub fn retry_hint(&self) -> Option<Duration> {
        self.reply().and_then(SmtpReply::retry_hint)
    }

    /// The server's words, if it said any.
    pub fn reply(&self) -> Option<&SmtpReply> {
        match &self.kind {
            SmtpErrorKind::CredentialsRefused { reply, .. }
            | SmtpErrorKind::SmtpAuthDisabled { reply }
            | SmtpErrorKind::TemporarilyUnavailable { reply }
            | SmtpErrorKind::Refused { reply, .. } => Some(reply),
            _ => None,
        }
    }

    /// A short name for logs and metrics.
    pub fn code(&self) -> &'static str {
        match &self.kind {
            SmtpErrorKind::Connect(error) => error.code(),
            SmtpErrorKind::StartTlsNotOffered => "starttls_not_offered",
            SmtpErrorKind::CredentialsRefused { .. } => "credentials_refused",
            SmtpErrorKind::AuthNotOffered { .. } => "auth_not_offered",
            SmtpErrorKind::SmtpAuthDisabled { .. } => "smtp_auth_disabled",
            SmtpErrorKind::Credential(_) => "credential_unusable",
            SmtpErrorKind::TemporarilyUnavailable { .. } => "temporarily_unavailable",
            SmtpErrorKind::Refused { .. } => "refused",
            SmtpErrorKind::NotSmtp { .. } => "not_smtp",
            SmtpErrorKind::TimedOut { .. } => "timed_out",
            SmtpErrorKind::Lost { .. } => "connection_lost",
            SmtpErrorKind::Protocol { .. } => "protocol",
        }
    }

    /// Whether the connection could be made at all; `false` means that nothing was heard from an SMTP server.
    pub fn is_unreachable(&self) -> bool {
        match &self.kind {
            SmtpErrorKind::Connect(error) => !matches!(error.kind, ConnectErrorKind::Tls(_)),
            SmtpErrorKind::TimedOut { step, .. } | SmtpErrorKind::Lost { step } => {
                *step == SmtpStep::Greeting
            }
            _ => false,
        }
    }
}

impl std::error::Error for SmtpError {}

impl fmt::Display for SmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.endpoint;
        match &self.kind {
            SmtpErrorKind::Connect(error) => error.fmt(f),
            SmtpErrorKind::StartTlsNotOffered => write!(
                f,
                "The sending server {at} does not offer STARTTLS, so nothing was sent to it. Use TLS from the start (port 465)."
            ),
            SmtpErrorKind::CredentialsRefused {
                reply,
                refusal: Some(_),
            } => {
                write!(
                    f,
                    "The sending server {at} refused the access token ({reply}). Connect the account again."
                )
            }
            SmtpErrorKind::CredentialsRefused { reply, refusal: None } => write!(
                f,
                "The sending server {at} refused the user name or password ({reply}). \
                 Check both; many providers want an app password here."
            ),
            SmtpErrorKind::AuthNotOffered { offered } if offered.is_empty() => write!(
                f,
                "The sending server {at} does not let anybody sign in. Check the port (465 or 587), \
                 or ask its administrator to allow SMTP sign-in for this mailbox."
            ),
            SmtpErrorKind::AuthNotOffered { offered } => write!(
                f,
                "The sending server {at} does not accept this way to sign in; it offers {}. Connect the account in another way.",
                offered.join(", ")
            ),
            SmtpErrorKind::SmtpAuthDisabled { reply } => write!(
                f,
                "Sending by SMTP is switched off for this mailbox on {at} ({reply}). \
                 An administrator of the mail organisation must enable authenticated SMTP for it."
            ),
            SmtpErrorKind::Credential(error) => error.fmt(f),
            SmtpErrorKind::TemporarilyUnavailable { reply } => {
                write!(
                    f,
                    "The sending server {at} is not available for now ({reply}). It will be tried again."
                )
            }
            SmtpErrorKind::Refused { step, reply } => write!(
                f,
                "The sending server {at} refused {step} ({reply}). Check the settings with the provider of the mailbox."
            ),
            SmtpErrorKind::NotSmtp { seen } => write!(
                f,
                "What answers at {at} is not a sending server: it greeted with {seen:?}. Check the server name and the port."
            ),
            SmtpErrorKind::TimedOut { step, after } => write!(
                f,
                "The sending server {at} did not answer {step} within {} seconds. \
                 Check the port and the kind of encryption, or try again later.",
                after.as_secs_f32().ceil()
            ),
            SmtpErrorKind::Lost { step } => {
                write!(
                    f,
                    "The connection to the sending server {at} was lost during {step}. It will be tried again."
                )
            }
            SmtpErrorKind::Protocol { step, what } => write!(
                f,
                "The sending server {at} broke the rules of SMTP during {step}: {what}. \
                 If it stays like this, tell the provider of the mailbox."
            ),
        }
    }
}

impl fmt::Display for SmtpStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the greeting",
            Self::Ehlo => "the introduction (EHLO)",
            Self::StartTls => "the change to TLS (STARTTLS)",
            Self::SignIn => "the sign-in (AUTH)",
            Self::Sender => "the sender (MAIL FROM)",
            Self::Recipient => "a recipient (RCPT TO)",
            Self::Message => "the message (DATA)",
            Self::Acceptance => "the acceptance of the message",
            Self::Check => "a check of the connection (NOOP, RSET)",
        })
    }
}
