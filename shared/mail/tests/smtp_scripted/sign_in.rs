//! Signing in: what is said, what is understood, and what is never repeated.

use crate::client::{password, session_as, token};
use crate::server::Script;
use postroom_mail::smtp::SmtpErrorKind;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_best_common_mechanism_is_used() {
    let cases = [
        (
            "AUTH PLAIN LOGIN",
            password(),
            "AUTH PLAIN AGFubgBjYW5hcnktcGFzc3dvcmQ=\r\n",
        ),
        (
            "AUTH LOGIN",
            password(),
            "AUTH LOGIN\r\nYW5u\r\nY2FuYXJ5LXBhc3N3b3Jk\r\n",
        ),
        ("AUTH=LOGIN", password(), "AUTH LOGIN\r\n"),
        (
            "AUTH OAUTHBEARER",
            token(),
            "AUTH OAUTHBEARER bixhPWFubkB4LmV4YW1wbGUs",
        ),
        (
            "AUTH PLAIN XOAUTH2 OAUTHBEARER",
            token(),
            "AUTH XOAUTH2 dXNlcj1hbm5A",
        ),
    ];
    for (offer, sign_in, expected) in cases {
        let script = Script::default().without("AUTH").with(offer);
        let (opened, observed) = session_as(script, 4096, &sign_in, PATIENCE).await;
        opened.unwrap();
        let dialogue = String::from_utf8_lossy(&observed.lock().unwrap().bytes).into_owned();
        assert!(dialogue.contains(expected), "{offer}: {dialogue}");
        assert_eq!(
            dialogue.matches("EHLO crm.example\r\n").count(),
            2,
            "capabilities are asked again"
        );
    }
}

#[tokio::test]
async fn a_refused_token_says_why() {
    // {"status":"401","schemes":"bearer","scope":"mail"}
    let challenge = "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=";
    let script = Script::default().answering("AUTH XOAUTH2", challenge);
    let (opened, observed) = session_as(script, 4096, &token(), PATIENCE).await;
    let error = opened.unwrap_err();
    let SmtpErrorKind::CredentialsRefused {
        reply,
        refusal: Some(refusal),
    } = &error.kind
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (reply.code(), refusal.status.as_deref(), refusal.scope.as_deref()),
        (535, Some("401"), Some("mail"))
    );
    assert!(!error.is_temporary());
    assert!(
        observed.lock().unwrap().bytes.ends_with(b"\r\n\r\n"),
        "the challenge was answered with an empty line"
    );
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let cases = [
        ("535 5.7.8 bad credentials", "credentials_refused"),
        (
            "534 5.7.9 Application-specific password required",
            "credentials_refused",
        ),
        (
            "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant",
            "smtp_auth_disabled",
        ),
        (
            "454 4.7.0 Temporary authentication failure",
            "temporarily_unavailable",
        ),
        (
            "432 4.3.2 Concurrent connections limit exceeded",
            "temporarily_unavailable",
        ),
        ("421 4.7.0 too many", "temporarily_unavailable"),
        ("250 ok?", "protocol"),
        ("334 VXNlcm5hbWU6", "refused_by_asking"),
    ];
    for (answer, code) in cases {
        let script = Script::default()
            .answering("AUTH PLAIN", answer)
            .answering("*", "501 5.7.0 cancelled");
        let (opened, _) = session_as(script, 4096, &password(), PATIENCE).await;
        let error = opened.unwrap_err();
        let code = if code == "refused_by_asking" {
            "credentials_refused"
        } else {
            code
        };
        assert_eq!(error.code(), code, "{answer}: {error}");
    }
    let script = Script::default().without("AUTH").with("AUTH GSSAPI CRAM-MD5");
    let (opened, _) = session_as(script, 4096, &password(), PATIENCE).await;
    let error = opened.unwrap_err();
    assert_eq!(error.code(), "auth_not_offered");
    assert!(error.to_string().contains("GSSAPI, CRAM-MD5"), "{error}");
}

#[tokio::test]
async fn an_unknown_mechanism_gives_way_to_the_next() {
    let script = Script::default().answering("AUTH PLAIN", "504 5.5.4 unrecognized mechanism");
    let (opened, observed) = session_as(script, 4096, &password(), PATIENCE).await;
    opened.unwrap();
    assert!(String::from_utf8_lossy(&observed.lock().unwrap().bytes).contains("AUTH LOGIN\r\n"));
}

#[tokio::test]
async fn an_echoed_credential_is_in_no_error() {
    let echo = "535 5.7.8 you said AGFubgBjYW5hcnktcGFzc3dvcmQ= which is canary-password";
    let (opened, _) = session_as(
        Script::default().answering("AUTH PLAIN", echo),
        4096,
        &password(),
        PATIENCE,
    )
    .await;
    let error = opened.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("canary") && !shown.contains("AGFubgBj"),
        "{shown}"
    );
}
