//! The SMTP client against the testbed's Postfix, which asks Dovecot who may send and delivers back to it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, Endpoint, HostName};
use postroom_mail::sasl::SignIn;
use postroom_mail::smtp::{
    MessageBody, RecipientStatus, SendOutcome, SmtpEnvelope, SmtpError, SmtpErrorKind, SmtpSession,
};
use postroom_test_support::{TestUser, Testbed, eventually};
use std::time::Duration;

const ARRIVAL: Duration = Duration::from_secs(20);

fn connector(testbed: &Testbed) -> Connector {
    let settings = ConnectorSettings {
        extra_ca_file: Some(testbed.ca_file.clone()),
        addresses: AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]),
        ..ConnectorSettings::default()
    };
    Connector::new(settings).unwrap()
}

fn implicit(testbed: &Testbed) -> Endpoint {
    Endpoint::implicit(
        HostName::parse(&testbed.submission.host).unwrap(),
        testbed.submission.tls_port,
    )
}

fn start_tls(testbed: &Testbed) -> Endpoint {
    Endpoint::start_tls(
        HostName::parse(&testbed.submission.host).unwrap(),
        testbed.submission.starttls_port,
    )
}

fn password(user: &TestUser) -> SignIn {
    SignIn::Password {
        login: user.address.clone(),
        secret: user.password.clone().into(),
    }
}

async fn connect(testbed: &Testbed, endpoint: &Endpoint, sign_in: &SignIn) -> Result<SmtpSession, SmtpError> {
    let name = HostName::parse("postroom.example").unwrap();
    SmtpSession::connect(&connector(testbed), endpoint, &name, sign_in).await
}

async fn send(session: &mut SmtpSession, from: &str, to: &[&str], raw: &[u8]) -> Vec<RecipientStatus> {
    let envelope = SmtpEnvelope::new(from, to.iter().copied()).unwrap();
    match session.begin(&envelope, MessageBody::from_bytes(raw)).await {
        Ok(prepared) => prepared.finish().await,
        Err(not_sent) => not_sent.recipients,
    }
}

fn kinds(statuses: &[RecipientStatus]) -> Vec<&'static str> {
    let kind = |status: &RecipientStatus| match status.outcome {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::TransientFailure(_) => "transient",
        SendOutcome::PermanentFailure(_) => "permanent",
        SendOutcome::Unknown { .. } => "unknown",
    };
    statuses.iter().map(kind).collect()
}

fn message(user: &TestUser, body: &str) -> Vec<u8> {
    format!("From: <{}>\r\nSubject: test\r\n\r\n{body}", user.address).into_bytes()
}

/// The body of the one message in a user's inbox.
async fn received(testbed: &Testbed, user: &TestUser) -> Vec<u8> {
    let raw = eventually(ARRIVAL, "the message in the inbox", || async {
        testbed
            .mailbox_raw(user, "INBOX")
            .await
            .ok()
            .filter(|messages| !messages.is_empty())
    })
    .await;
    assert_eq!(raw.len(), 1, "the message arrived more than once");
    let at = raw[0]
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    raw[0][at + 4..].to_vec()
}

#[tokio::test]
async fn mail_arrives_as_it_was_sent_over_both_kinds_of_tls() {
    let testbed = Testbed::load().unwrap();
    let sender = testbed.create_user("smtp-from").unwrap();
    for endpoint in [implicit(&testbed), start_tls(&testbed)] {
        let recipient = testbed.create_user("smtp-to").unwrap();
        let mut session = connect(&testbed, &endpoint, &password(&sender)).await.unwrap();
        assert!(session.capabilities().pipelining && session.capabilities().max_size.is_some());
        let body = "dots:\r\n.\r\n..\r\n.x\r\nGr\u{fc}\u{df}e\r\n";
        let statuses = send(
            &mut session,
            &sender.address,
            &[&recipient.address],
            &message(&sender, body),
        )
        .await;
        assert_eq!(kinds(&statuses), ["accepted"], "{statuses:?}");
        session.quit().await;
        assert_eq!(
            String::from_utf8(received(&testbed, &recipient).await).unwrap(),
            body
        );
    }
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own() {
    let testbed = Testbed::load().unwrap();
    let sender = testbed.create_user("smtp-many").unwrap();
    let good = testbed.create_user("smtp-good").unwrap();
    let mut session = connect(&testbed, &implicit(&testbed), &password(&sender))
        .await
        .unwrap();
    let special = |name: &str| format!("{name}@{}", testbed.domain);
    let (reject, tempfail, quota, toomany) = (
        special("reject"),
        special("tempfail"),
        special("quota"),
        special("toomany"),
    );
    let to = [reject.as_str(), &good.address, &tempfail, &quota, &toomany];
    let statuses = send(&mut session, &sender.address, &to, &message(&sender, "once\r\n")).await;
    // Microsoft's quota words mean tomorrow, whatever the number says.
    assert_eq!(
        kinds(&statuses),
        ["permanent", "accepted", "transient", "transient", "transient"]
    );
    let SendOutcome::PermanentFailure(failure) = &statuses[0].outcome else {
        panic!()
    };
    assert_eq!(failure.enhanced().unwrap().to_string(), "5.1.1");
    assert!(
        failure.sentence.contains("Recipient rejected by the testbed"),
        "{}",
        failure.sentence
    );
    assert_eq!(received(&testbed, &good).await, b"once\r\n");

    // The same session goes on, also after a message that nobody could get.
    assert_eq!(
        kinds(&send(&mut session, &sender.address, &[&reject], b"Subject: x\r\n\r\n").await),
        ["permanent"]
    );
    for (name, expected) in [("data-reject", "permanent"), ("data-tempfail", "transient")] {
        let statuses = send(
            &mut session,
            &sender.address,
            &[&special(name)],
            &message(&sender, "x"),
        )
        .await;
        assert_eq!(kinds(&statuses), [expected], "{name}: {statuses:?}");
        assert!(session.is_usable());
    }
    session.check().await.unwrap();
    let hangup = send(
        &mut session,
        &sender.address,
        &[&good.address, &special("hangup")],
        b"Subject: x\r\n\r\n",
    )
    .await;
    assert_eq!(kinds(&hangup), ["transient", "transient"]);
    assert!(!session.is_usable());
    assert_eq!(testbed.mailbox_count(&good, "INBOX").await.unwrap(), 1);
}

#[tokio::test]
async fn many_messages_go_over_one_connection_without_waiting_for_packets() {
    let testbed = Testbed::load().unwrap();
    let sender = testbed.create_user("smtp-fast").unwrap();
    let recipient = testbed.create_user("smtp-fast-to").unwrap();
    let mut session = connect(&testbed, &implicit(&testbed), &password(&sender))
        .await
        .unwrap();
    for _ in 0..25 {
        let statuses = send(
            &mut session,
            &sender.address,
            &[&recipient.address],
            &message(&sender, "x\r\n"),
        )
        .await;
        assert_eq!(kinds(&statuses), ["accepted"]);
    }
    eventually(ARRIVAL, "25 messages in the inbox", || async {
        testbed
            .mailbox_count(&recipient, "INBOX")
            .await
            .is_ok_and(|count| count == 25)
    })
    .await;
}

#[tokio::test]
async fn size_is_checked_before_and_large_mail_arrives_whole() {
    let testbed = Testbed::load().unwrap();
    let sender = testbed.create_user("smtp-large").unwrap();
    let recipient = testbed.create_user("smtp-large-to").unwrap();
    let mut session = connect(&testbed, &implicit(&testbed), &password(&sender))
        .await
        .unwrap();
    let max = usize::try_from(session.capabilities().max_size.unwrap()).unwrap();
    let too_big = send(
        &mut session,
        &sender.address,
        &[&recipient.address],
        &vec![b'x'; max + 1],
    )
    .await;
    assert_eq!(kinds(&too_big), ["permanent"]);
    let body = ".a line of a long message, number 12345678901234567890\r\n".repeat(100_000);
    let statuses = send(
        &mut session,
        &sender.address,
        &[&recipient.address],
        &message(&sender, &body),
    )
    .await;
    assert_eq!(kinds(&statuses), ["accepted"], "{statuses:?}");
    assert!(
        received(&testbed, &recipient).await == body.as_bytes(),
        "the long message was changed on its way"
    );
}

#[tokio::test]
async fn an_access_token_signs_in_and_a_bad_one_says_why() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("smtp-oauth").unwrap();
    let tokens = testbed
        .openid()
        .mint(&user, &testbed.openid_address.web_client.id)
        .await
        .unwrap();
    let sign_in = |token: &str| SignIn::OAuth {
        login: user.address.clone(),
        access_token: token.to_owned().into(),
    };
    let mut session = connect(&testbed, &start_tls(&testbed), &sign_in(&tokens.access_token))
        .await
        .unwrap();
    let statuses = send(
        &mut session,
        &user.address,
        &[&user.address],
        &message(&user, "to myself\r\n"),
    )
    .await;
    assert_eq!(kinds(&statuses), ["accepted"]);
    assert_eq!(received(&testbed, &user).await, b"to myself\r\n");

    let error = connect(&testbed, &implicit(&testbed), &sign_in("not-a-token-at-all"))
        .await
        .unwrap_err();
    let SmtpErrorKind::CredentialsRefused { reply, refusal } = &error.kind else {
        panic!("{error:?}")
    };
    assert_eq!(reply.code(), 535);
    assert_eq!(
        refusal.as_ref().and_then(|refusal| refusal.status.as_deref()),
        Some("401")
    );
    assert!(!error.to_string().contains("not-a-token"));
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("smtp-wrong").unwrap();
    let code = |result: Result<SmtpSession, SmtpError>| result.err().map(|error| error.code());
    let wrong = SignIn::Password {
        login: user.address.clone(),
        secret: "wrong-password".to_owned().into(),
    };
    assert_eq!(
        code(connect(&testbed, &implicit(&testbed), &wrong).await),
        Some("credentials_refused")
    );

    let at = |host: &str, endpoint: Endpoint| Endpoint {
        host: HostName::parse(host).unwrap(),
        ..endpoint
    };
    let hosts = &testbed.faulty_hosts;
    for (host, expected) in [
        (&hosts.expired, "certificate_expired"),
        (&hosts.foreign, "certificate_unknown_issuer"),
        (&hosts.misnamed, "certificate_wrong_name"),
    ] {
        for endpoint in [implicit(&testbed), start_tls(&testbed)] {
            let result = connect(&testbed, &at(host, endpoint), &password(&user)).await;
            assert_eq!(code(result), Some(expected), "{host}");
        }
    }
    let plain = connect(&testbed, &at(&hosts.plain, start_tls(&testbed)), &password(&user)).await;
    assert_eq!(code(plain), Some("starttls_not_offered"));

    let imap = Endpoint::implicit(
        HostName::parse(&testbed.imap.host).unwrap(),
        testbed.imap.tls_port,
    );
    assert_eq!(
        code(connect(&testbed, &imap, &password(&user)).await),
        Some("not_smtp")
    );
    let no_tls = Endpoint {
        port: testbed.submission.starttls_port,
        ..implicit(&testbed)
    };
    assert_eq!(
        code(connect(&testbed, &no_tls, &password(&user)).await),
        Some("not_tls")
    );
}

#[tokio::test]
async fn nobody_sends_as_somebody_else() {
    let testbed = Testbed::load().unwrap();
    let (user, other) = (
        testbed.create_user("smtp-me").unwrap(),
        testbed.create_user("smtp-you").unwrap(),
    );
    let mut session = connect(&testbed, &implicit(&testbed), &password(&user))
        .await
        .unwrap();
    let statuses = send(
        &mut session,
        &other.address,
        &[&user.address],
        &message(&other, "x"),
    )
    .await;
    let SendOutcome::PermanentFailure(failure) = &statuses[0].outcome else {
        panic!("{statuses:?}")
    };
    assert_eq!(failure.reply.as_ref().unwrap().code(), 553);
    assert!(session.is_usable());
}
