//! What an error says to people.

use std::fmt;

use super::error::{ImapError, ImapErrorKind};
use super::server_text::ServerText;
use crate::net::Endpoint;
use crate::sasl::OAuthRefusal;

impl fmt::Display for ImapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.endpoint;
        match &self.kind {
            ImapErrorKind::Connect(error) => error.fmt(f),
            ImapErrorKind::StartTlsNotOffered => write!(
                f,
                "{at} does not offer encryption (STARTTLS), and a password is never sent without it. Use TLS on port 993."
            ),
            ImapErrorKind::NotImap { seen } => write!(
                f,
                "What answers at {at} is not an IMAP server (it says {seen:?}). Check the server name and the port; 993 is usual."
            ),
            ImapErrorKind::AlreadySignedIn => write!(
                f,
                "{at} claims that somebody is signed in already. That can be an attack on the connection; nothing was sent."
            ),
            ImapErrorKind::Credential(error) => error.fmt(f),
            ImapErrorKind::AuthNotOffered { offered } if offered.is_empty() => {
                write!(
                    f,
                    "{at} offers no way to sign in. Ask its operator whether IMAP is switched on."
                )
            }
            ImapErrorKind::AuthNotOffered { offered } => write!(
                f,
                "{at} does not take this kind of sign-in; it offers {}. Choose another authentication method.",
                offered.join(", ")
            ),
            ImapErrorKind::CredentialsRefused { answer, refusal } => {
                write_refused(f, at, answer, refusal.as_deref())
            }
            ImapErrorKind::MailboxUnavailable { answer } => write!(
                f,
                "{at} accepted the sign-in but does not open the mailbox: {answer}. Check that the right person signed \
                 in, that IMAP is switched on for this mailbox, and the permission if it is a shared one."
            ),
            ImapErrorKind::TemporarilyUnavailable { answer } => {
                write!(
                    f,
                    "{at} is not available for the moment: {answer}. It will be tried again."
                )
            }
            ImapErrorKind::Bye { answer } => {
                write!(f, "{at} closed the connection: {answer}. It will be tried again.")
            }
            ImapErrorKind::No { command, answer } => write!(f, "{at} refused {command}: {answer}."),
            ImapErrorKind::Bad { command, answer } => {
                write!(f, "{at} did not understand {command}: {answer}.")
            }
            ImapErrorKind::NotOffered { capability } => write!(f, "{at} does not offer {capability}."),
            ImapErrorKind::TimedOut { command, after } => write!(
                f,
                "{at} did not answer {command} within {} seconds. It will be tried again.",
                after.as_secs()
            ),
            ImapErrorKind::Lost { command } => {
                write!(
                    f,
                    "The connection to {at} was lost during {command}. It will be tried again."
                )
            }
            ImapErrorKind::LimitExceeded(limit) => write!(
                f,
                "The connection to {at} was cut because {limit}. The people who run that server should look into it."
            ),
            ImapErrorKind::Protocol { what } => write!(
                f,
                "The answer of {at} could not be understood ({what}). The people who run that server should look into it."
            ),
            ImapErrorKind::Argument { what } => {
                write!(
                    f,
                    "The {what} cannot be sent to a mail server. Enter it without line breaks."
                )
            }
            ImapErrorKind::Interrupted => {
                write!(f, "The session with {at} was interrupted. Connect again.")
            }
        }
    }
}

fn write_refused(
    f: &mut fmt::Formatter<'_>,
    at: &Endpoint,
    answer: &ServerText,
    refusal: Option<&OAuthRefusal>,
) -> fmt::Result {
    match refusal {
        Some(refusal) => {
            write!(f, "{at} refused the access token")?;
            if let Some(status) = &refusal.status {
                write!(f, " (status {status})")?;
            }
            write!(
                f,
                ": {answer}. Connect the account again if a fresh token is refused too."
            )
        }
        None => write!(
            f,
            "{at} refused the user name or password: {answer}. Check both, then try again."
        ),
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
    fn every_sentence_names_the_server() {
        let answer = ServerText::read("[X] y");
        for kind in [
            ImapErrorKind::StartTlsNotOffered,
            ImapErrorKind::NotImap {
                seen: "220 smtp".into(),
            },
            ImapErrorKind::AuthNotOffered {
                offered: vec!["NTLM".into()],
            },
            ImapErrorKind::CredentialsRefused {
                answer: answer.clone(),
                refusal: None,
            },
            ImapErrorKind::No {
                command: "SELECT",
                answer,
            },
        ] {
            assert!(error(kind).to_string().contains("imap.example.org:993"));
        }
    }
}
