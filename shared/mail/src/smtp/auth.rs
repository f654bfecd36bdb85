//! AUTH (RFC 4954).

use super::error::{SmtpError, SmtpErrorKind, SmtpStep};
use super::reply::{ReplyClass, SmtpReply};
use super::session::SmtpSession;
use crate::sasl::{OAuthRefusal, SaslExchange, SignIn};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The most challenges a server may send; LOGIN has two, a refused token one.
const MAX_CHALLENGES: usize = 4;

/// Signs in with the best mechanism that both sides know.
pub(super) async fn sign_in(session: &mut SmtpSession, sign_in: &SignIn) -> Result<(), SmtpError> {
    let endpoint = session.endpoint.clone();
    let failed = |kind| SmtpError::new(&endpoint, kind);
    if !session.dialogue.is_encrypted() {
        return Err(failed(SmtpErrorKind::StartTlsNotOffered));
    }
    let offered = session.capabilities.mechanisms.clone();
    let mut last = None;
    for &mechanism in sign_in
        .mechanisms()
        .iter()
        .filter(|mechanism| offered.contains(mechanism))
    {
        let mut exchange = sign_in
            .exchange(mechanism, &endpoint.host, endpoint.port)
            .map_err(|error| failed(SmtpErrorKind::Credential(error)))?;
        let mut reply = converse(session, &mut exchange).await?;
        reply.withhold(secret_of(sign_in));
        match reply.code() {
            235 => return Ok(()),
            // Offered and not known after all: the next one may be.
            504 => last = Some(reply),
            _ => return Err(failed(refused(reply, exchange.into_refusal()))),
        }
    }
    Err(failed(match last {
        Some(reply) => SmtpErrorKind::CredentialsRefused { reply, refusal: None },
        None => SmtpErrorKind::AuthNotOffered {
            offered: session.capabilities.offered.clone(),
        },
    }))
}

fn secret_of(sign_in: &SignIn) -> &str {
    match sign_in {
        SignIn::Password { secret, .. } => secret.expose_secret(),
        SignIn::OAuth { access_token, .. } => access_token.expose_secret(),
    }
}

/// One exchange up to the server's final word.
async fn converse(session: &mut SmtpSession, exchange: &mut SaslExchange) -> Result<SmtpReply, SmtpError> {
    let initial = exchange.take_initial();
    let mut reply = send(session, &["AUTH ", exchange.mechanism().name()], initial.as_ref()).await?;
    for _ in 0..MAX_CHALLENGES {
        if reply.code() != 334 {
            return Ok(reply);
        }
        let answer = exchange.answer(&reply.text());
        reply = send(session, &[], Some(&answer)).await?;
    }
    let what = "it asks more questions than any way to sign in has".to_owned();
    Err(SmtpError::new(
        &session.endpoint,
        SmtpErrorKind::Protocol {
            step: SmtpStep::SignIn,
            what,
        },
    ))
}

/// Sends one line that ends in a secret; the copy is wiped afterwards.
async fn send(
    session: &mut SmtpSession,
    words: &[&str],
    secret: Option<&SecretString>,
) -> Result<SmtpReply, SmtpError> {
    let secret = secret.map(ExposeSecret::expose_secret);
    let length = words.iter().map(|word| word.len()).sum::<usize>() + secret.map_or(0, str::len) + 3;
    let mut line = Zeroizing::new(Vec::with_capacity(length));
    words
        .iter()
        .for_each(|word| line.extend_from_slice(word.as_bytes()));
    if let Some(secret) = secret {
        if !words.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(secret.as_bytes());
    }
    line.extend_from_slice(b"\r\n");
    let mut reply = session.ask(SmtpStep::SignIn, &line).await?;
    if let Some(secret) = secret.filter(|_| reply.code() != 334) {
        reply.withhold(secret);
    }
    Ok(reply)
}

fn refused(reply: SmtpReply, refusal: Option<OAuthRefusal>) -> SmtpErrorKind {
    match reply.class() {
        ReplyClass::Transient => SmtpErrorKind::TemporarilyUnavailable { reply },
        ReplyClass::Permanent if is_switched_off(&reply) => SmtpErrorKind::SmtpAuthDisabled { reply },
        ReplyClass::Permanent => SmtpErrorKind::CredentialsRefused { reply, refusal },
        ReplyClass::Positive | ReplyClass::Intermediate => {
            let what = format!("it answered the sign-in with {reply}");
            SmtpErrorKind::Protocol {
                step: SmtpStep::SignIn,
                what,
            }
        }
    }
}

/// Microsoft says 5.7.139 when SMTP sign-in (or basic authentication for it) is switched off, and sadly also for a
/// wrong password; the words tell which.
fn is_switched_off(reply: &SmtpReply) -> bool {
    let code = reply
        .enhanced()
        .map(|code| (code.class, code.subject, code.detail));
    code == Some((5, 7, 139)) && !reply.text().contains("credentials were incorrect")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsofts_refusals_are_told_apart() {
        let kind = |text| refused(SmtpReply::made(535, text), None);
        let off =
            "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.";
        assert!(matches!(kind(off), SmtpErrorKind::SmtpAuthDisabled { .. }));
        let basic = "5.7.139 Authentication unsuccessful, basic authentication is disabled.";
        assert!(matches!(kind(basic), SmtpErrorKind::SmtpAuthDisabled { .. }));
        let wrong = "5.7.139 Authentication unsuccessful, the user credentials were incorrect.";
        assert!(matches!(kind(wrong), SmtpErrorKind::CredentialsRefused { .. }));
        assert!(matches!(
            kind("5.7.8 bad credentials"),
            SmtpErrorKind::CredentialsRefused { .. }
        ));
        let later = refused(
            SmtpReply::made(454, "4.7.0 Temporary authentication failure"),
            None,
        );
        assert!(matches!(later, SmtpErrorKind::TemporarilyUnavailable { .. }));
    }
}
