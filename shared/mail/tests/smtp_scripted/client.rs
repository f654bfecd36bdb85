//! The client's side of the tests: one session over a pipe, one message.

use crate::server::{Observed, Script, serve};
use postroom_mail::net::{Endpoint, HostName, MailStream};
use postroom_mail::sasl::SignIn;
use postroom_mail::smtp::{
    MessageBody, RecipientStatus, SendOutcome, SmtpEnvelope, SmtpError, SmtpSession, SmtpTimeOuts,
};
use std::time::Duration;

pub(crate) const MESSAGE: &[u8] = b"Subject: test\r\n\r\nHello\r\n.dot\r\nbye\r\n";

pub(crate) fn endpoint() -> Endpoint {
    Endpoint::implicit(HostName::parse("smtp.example").unwrap(), 465)
}

pub(crate) fn ehlo_name() -> HostName {
    HostName::parse("crm.example").unwrap()
}

pub(crate) fn password() -> SignIn {
    SignIn::Password {
        login: "ann".to_owned(),
        secret: "canary-password".to_owned().into(),
    }
}

pub(crate) fn token() -> SignIn {
    SignIn::OAuth {
        login: "ann@x.example".to_owned(),
        access_token: "canary-token".to_owned().into(),
    }
}

pub(crate) fn envelope(recipients: &[&str]) -> SmtpEnvelope {
    SmtpEnvelope::new("ann@x.example", recipients.iter().copied()).unwrap()
}

pub(crate) fn time_outs(each: Duration) -> SmtpTimeOuts {
    SmtpTimeOuts {
        command: each,
        piece: each,
        acceptance: each,
    }
}

/// A session with a scripted server; `buffer` is how much either side may write ahead of the other's reading.
pub(crate) async fn session(script: Script, buffer: usize) -> (Result<SmtpSession, SmtpError>, Observed) {
    session_as(script, buffer, &password(), Duration::from_secs(10)).await
}

pub(crate) async fn session_as(
    script: Script,
    buffer: usize,
    sign_in: &SignIn,
    patience: Duration,
) -> (Result<SmtpSession, SmtpError>, Observed) {
    let (ours, theirs) = tokio::io::duplex(buffer);
    let (observed, _task) = serve(theirs, script);
    let stream = MailStream::made(ours);
    let session = SmtpSession::over(
        stream,
        &endpoint(),
        &ehlo_name(),
        Some(sign_in),
        time_outs(patience),
    )
    .await;
    (session, observed)
}

/// What one message came to.
pub(crate) async fn send(
    session: &mut SmtpSession,
    recipients: &[&str],
    message: &[u8],
) -> Vec<RecipientStatus> {
    match session
        .begin(&envelope(recipients), MessageBody::from_bytes(message))
        .await
    {
        Ok(prepared) => prepared.finish().await,
        Err(not_sent) => not_sent.recipients,
    }
}

pub(crate) fn kind(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::TransientFailure(_) => "transient",
        SendOutcome::PermanentFailure(_) => "permanent",
        SendOutcome::Unknown { .. } => "unknown",
    }
}

pub(crate) fn kinds(statuses: &[RecipientStatus]) -> Vec<&'static str> {
    statuses.iter().map(|status| kind(&status.outcome)).collect()
}
