//! Signing in: LOGIN and AUTHENTICATE, and what a refusal means.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::capability::Capabilities;
use super::error::{ImapError, ImapErrorKind};
use super::folder_name::quoted;
use super::server_text::ServerText;
use super::wire::{Event, Wire};
use crate::sasl::{Mechanism, OAuthRefusal, SaslExchange, SignIn};

/// How many challenges a server may send.
const MAX_CHALLENGES: usize = 8;

pub(super) async fn sign_in(
    wire: &mut Wire,
    offered: &Capabilities,
    credential: &SignIn,
) -> Result<(), ImapError> {
    let mechanism = credential
        .mechanisms()
        .iter()
        .copied()
        .find(|mechanism| offered.offers(*mechanism));
    let port = wire.endpoint.port;
    match (mechanism, credential) {
        // The LOGIN mechanism is the weakest form: where the LOGIN command is there, it says the same in one step.
        (None | Some(Mechanism::Login), SignIn::Password { login, secret })
            if !offered.has("LOGINDISABLED") && fits_login(login, secret) =>
        {
            login_command(wire, credential, login, secret).await
        }
        (Some(mechanism), _) => {
            let exchange = credential.exchange(mechanism, &wire.endpoint.host, port);
            let exchange = exchange.map_err(|error| wire.fail(ImapErrorKind::Credential(error)))?;
            authenticate(wire, exchange, offered.has("SASL-IR")).await
        }
        (None, _) => Err(wire.fail(ImapErrorKind::AuthNotOffered {
            offered: offered.sign_in_names(),
        })),
    }
}

/// A quoted string holds seven-bit characters only (RFC 3501 section 9).
fn fits_login(login: &str, secret: &SecretString) -> bool {
    login.is_ascii() && secret.expose_secret().is_ascii()
}

async fn login_command(
    wire: &mut Wire,
    credential: &SignIn,
    login: &str,
    secret: &SecretString,
) -> Result<(), ImapError> {
    // For its checks only.
    credential
        .exchange(Mechanism::Plain, &wire.endpoint.host, wire.endpoint.port)
        .map_err(|error| wire.fail(ImapErrorKind::Credential(error)))?;
    let password = Zeroizing::new(quoted(secret.expose_secret()));
    let arguments = Zeroizing::new(format!("{} {}", quoted(login), *password));
    let outcome = wire.run("LOGIN", &arguments, |_| false).await;
    outcome.map(drop).map_err(|error| refused(error, None))
}

async fn authenticate(wire: &mut Wire, mut exchange: SaslExchange, initial: bool) -> Result<(), ImapError> {
    let mut arguments = Zeroizing::new(exchange.mechanism().name().to_owned());
    if let Some(first) = initial.then(|| exchange.take_initial()).flatten() {
        // Grown once to its size, so that no copy of a part stays behind.
        let mut whole = String::with_capacity(arguments.len() + 1 + first.expose_secret().len());
        whole.push_str(&arguments);
        whole.push(' ');
        whole.push_str(first.expose_secret());
        arguments = Zeroizing::new(whole);
    }
    let tag = wire.send("AUTHENTICATE", &arguments, 0).await?;
    let wait = wire.limits.response_time;
    let mut challenges = 0;
    loop {
        match wire.receive("AUTHENTICATE", wait, |_| false).await?.0 {
            Event::Untagged => {}
            Event::Continue(challenge) => {
                challenges += 1;
                if challenges > MAX_CHALLENGES {
                    return Err(wire.broken(ImapErrorKind::Protocol {
                        what: "too many challenges".into(),
                    }));
                }
                let answer = exchange.answer(&challenge);
                let line = Zeroizing::new([answer.expose_secret().as_bytes(), b"\r\n"].concat());
                wire.write("AUTHENTICATE", &line).await?;
            }
            Event::Done(text, ending) => {
                let outcome = wire.completed(&tag, &text, ending);
                return outcome
                    .map(drop)
                    .map_err(|error| refused(error, exchange.into_refusal()));
            }
        }
    }
}

/// What it means that the server did not let us in.
fn refused(error: ImapError, refusal: Option<OAuthRefusal>) -> ImapError {
    let ImapError { endpoint, kind } = error;
    let kind = match kind {
        ImapErrorKind::No { answer, .. } | ImapErrorKind::Bad { answer, .. } if is_not_connected(&answer) => {
            ImapErrorKind::MailboxUnavailable { answer }
        }
        ImapErrorKind::No { answer, .. } if refusal.is_none() && is_temporary(&answer) => {
            ImapErrorKind::TemporarilyUnavailable { answer }
        }
        ImapErrorKind::No { answer, .. } => ImapErrorKind::CredentialsRefused {
            answer,
            refusal: refusal.map(Box::new),
        },
        other => other,
    };
    ImapError { endpoint, kind }
}

/// Exchange Online says so when the token is right and the mailbox is not.
fn is_not_connected(answer: &ServerText) -> bool {
    answer
        .text
        .to_ascii_lowercase()
        .contains("authenticated but not connected")
}

/// By its code (RFC 5530), or, for servers that have none, by its words.
fn is_temporary(answer: &ServerText) -> bool {
    if ["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"]
        .iter()
        .any(|code| answer.has_code(code))
    {
        return true;
    }
    let text = answer.text.to_ascii_lowercase();
    answer.code.is_none()
        && [
            "temporar",
            "try again later",
            "too many",
            "throttled",
            "server unavailable",
            "server busy",
        ]
        .iter()
        .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Endpoint, HostName};

    fn meaning(text: &str, refusal: Option<OAuthRefusal>) -> &'static str {
        let endpoint = Endpoint::implicit(HostName::parse("imap.example.org").unwrap(), 993);
        let kind = ImapErrorKind::No {
            command: "LOGIN",
            answer: ServerText::read(text),
        };
        refused(ImapError::new(&endpoint, kind), refusal).code()
    }

    #[test]
    fn a_wrong_password_is_told_from_a_server_in_trouble() {
        for (text, expected) in [
            (
                "[AUTHENTICATIONFAILED] Authentication failed.",
                "credentials_refused",
            ),
            ("Invalid credentials", "credentials_refused"),
            ("[AUTHENTICATIONFAILED] too many failures", "credentials_refused"),
            (
                "[UNAVAILABLE] Temporary authentication failure.",
                "temporarily_unavailable",
            ),
            ("[LIMIT] Maximum number of connections", "temporarily_unavailable"),
            ("Server Unavailable. 15", "temporarily_unavailable"),
            ("User is authenticated but not connected.", "mailbox_unavailable"),
        ] {
            assert_eq!(meaning(text, None), expected, "{text}");
        }
    }

    #[test]
    fn a_challenge_with_a_reason_is_always_a_refusal() {
        assert_eq!(
            meaning(
                "SASL authentication temporarily failed",
                Some(OAuthRefusal::default())
            ),
            "credentials_refused"
        );
    }
}
