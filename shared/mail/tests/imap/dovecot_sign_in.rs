//! Reaching Dovecot and signing in, and each way in which that fails.

use std::io::Write;

use postroom_mail::imap::{ImapConnection, ImapError, ImapErrorKind, ImapLimits, ImapSession};
use postroom_mail::net::{
    AddressPolicy, ConnectErrorKind, Connector, ConnectorSettings, Endpoint, HostName, TlsFailure, TrustError,
};
use postroom_mail::sasl::{Mechanism, SignIn};
use postroom_test_support::{Fault, FaultMode, TestUser, Testbed};

use crate::rig;

async fn refused(testbed: &Testbed, endpoint: Endpoint, sign_in: &SignIn) -> ImapError {
    let error = ImapSession::connect(&rig::connector(testbed), &endpoint, sign_in)
        .await
        .unwrap_err();
    let sentence = error.to_string();
    assert!(
        sentence.ends_with('.') && sentence.len() > 40,
        "not a sentence: {sentence}"
    );
    error
}

async fn tls_failure(testbed: &Testbed, host: &str) -> TlsFailure {
    let user = testbed.create_user("tls").unwrap();
    let endpoint = Endpoint::implicit(HostName::parse(host).unwrap(), testbed.imap.tls_port);
    match refused(testbed, endpoint, &rig::password(&user)).await.kind {
        ImapErrorKind::Connect(error) => match error.kind {
            ConnectErrorKind::Tls(failure) => failure,
            other => panic!("not a TLS failure: {other:?}"),
        },
        other => panic!("not a failure to connect: {other:?}"),
    }
}

async fn oauth(testbed: &Testbed, user: &TestUser) -> SignIn {
    let token = testbed
        .openid()
        .mint(user, &testbed.openid_address.web_client.id)
        .await
        .unwrap()
        .access_token;
    SignIn::OAuth {
        login: user.address.clone(),
        access_token: token.into(),
    }
}

#[tokio::test]
async fn a_password_opens_the_mailbox_by_tls_and_by_starttls() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("pass").unwrap();
    for endpoint in [rig::implicit(&testbed), rig::start_tls(&testbed)] {
        let session = ImapSession::connect(&rig::connector(&testbed), &endpoint, &rig::password(&user))
            .await
            .unwrap();
        assert!(
            session.capabilities().has("MOVE"),
            "what is offered after sign-in was not asked for"
        );
        assert!(session.can_idle());
        session.logout().await;
    }
}

#[tokio::test]
async fn a_token_opens_the_mailbox() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("token").unwrap();
    let sign_in = oauth(&testbed, &user).await;
    let mut session = ImapSession::connect(&rig::connector(&testbed), &rig::implicit(&testbed), &sign_in)
        .await
        .unwrap();
    session.noop().await.unwrap();
    session.logout().await;
}

#[tokio::test]
async fn what_is_offered_is_known_before_anybody_signs_in() {
    let testbed = Testbed::load().unwrap();
    let connection = ImapConnection::open(
        &rig::connector(&testbed),
        &rig::start_tls(&testbed),
        ImapLimits::default(),
    )
    .await
    .unwrap();
    assert!(connection.capabilities().offers(Mechanism::XOAuth2));
    assert!(connection.capabilities().offers(Mechanism::OAuthBearer));
    connection.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_a_refusal_in_the_servers_words() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("wrong").unwrap();
    let wrong = SignIn::Password {
        login: user.address.clone(),
        secret: "canary-not-it".into(),
    };
    let error = refused(&testbed, rig::implicit(&testbed), &wrong).await;
    let ImapErrorKind::CredentialsRefused { answer, refusal } = &error.kind else {
        panic!("{error:?}")
    };
    assert!(answer.has_code("AUTHENTICATIONFAILED"));
    assert_eq!(*refusal, None);
    assert!(error.refuses_credential() && !error.is_temporary());
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn a_wrong_token_is_a_refusal_with_its_reason() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("badtoken").unwrap();
    let wrong = SignIn::OAuth {
        login: user.address.clone(),
        access_token: "canary-no-token".into(),
    };
    let error = refused(&testbed, rig::implicit(&testbed), &wrong).await;
    let ImapErrorKind::CredentialsRefused {
        refusal: Some(refusal),
        ..
    } = &error.kind
    else {
        panic!("{error:?}")
    };
    assert_eq!(refusal.status.as_deref(), Some("401"));
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn an_identity_provider_that_is_down_is_no_refusal() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("idpdown").unwrap();
    let sign_in = oauth(&testbed, &user).await;
    let fault = Fault::for_user(FaultMode::ServerError, &user)
        .endpoint("introspect")
        .until_removed();
    let fault = testbed.openid().set_fault(fault).await.unwrap();
    let error = refused(&testbed, rig::implicit(&testbed), &sign_in).await;
    fault.remove().await.unwrap();
    assert!(
        matches!(error.kind, ImapErrorKind::TemporarilyUnavailable { .. }),
        "{error:?}"
    );
    assert!(error.is_temporary() && !error.refuses_credential());
}

#[tokio::test]
async fn a_bad_certificate_is_never_accepted_and_says_what_is_wrong() {
    let testbed = Testbed::load().unwrap();
    let hosts = &testbed.faulty_hosts;
    assert_eq!(tls_failure(&testbed, &hosts.expired).await, TlsFailure::Expired);
    assert_eq!(
        tls_failure(&testbed, &hosts.foreign).await,
        TlsFailure::UnknownIssuer
    );
    assert!(matches!(
        tls_failure(&testbed, &hosts.misnamed).await,
        TlsFailure::WrongName { .. }
    ));
}

#[tokio::test]
async fn plain_text_is_not_taken_for_tls_nor_trusted() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("plain").unwrap();
    let host = HostName::parse(&testbed.faulty_hosts.plain).unwrap();
    let port = testbed.imap.starttls_port;
    let error = refused(
        &testbed,
        Endpoint::start_tls(host.clone(), port),
        &rig::password(&user),
    )
    .await;
    assert_eq!(error.kind, ImapErrorKind::StartTlsNotOffered);
    let error = refused(&testbed, Endpoint::implicit(host, port), &rig::password(&user)).await;
    assert_eq!(
        error.kind.connect_error(),
        Some(&ConnectErrorKind::Tls(TlsFailure::NotTls))
    );
}

#[tokio::test]
async fn a_server_for_sending_is_not_an_imap_server() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("smtp").unwrap();
    let host = HostName::parse(&testbed.submission.host).unwrap();
    let error = refused(
        &testbed,
        Endpoint::implicit(host, testbed.submission.tls_port),
        &rig::password(&user),
    )
    .await;
    let ImapErrorKind::NotImap { seen } = &error.kind else {
        panic!("{error:?}")
    };
    assert!(seen.starts_with("220 "), "{seen}");
}

#[tokio::test]
async fn a_wrong_address_is_told_apart() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("nowhere").unwrap();
    let at = |host: &str, port| Endpoint::implicit(HostName::parse(host).unwrap(), port);
    let error = refused(&testbed, at("imap.postroom.invalid", 993), &rig::password(&user)).await;
    let unknown = error.kind.connect_error().unwrap();
    // A machine without name servers cannot know.
    assert!(
        matches!(
            unknown,
            ConnectErrorKind::NameNotFound | ConnectErrorKind::NameServiceFailed
        ),
        "{unknown:?}"
    );
    let error = refused(&testbed, at("127.0.0.1", 1), &rig::password(&user)).await;
    assert_eq!(error.kind.connect_error(), Some(&ConnectErrorKind::Refused));
}

#[tokio::test]
async fn loopback_is_out_of_reach_unless_the_operator_opens_it() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("ssrf").unwrap();
    let strict = Connector::new(ConnectorSettings {
        extra_ca_file: Some(testbed.ca_file.clone()),
        addresses: AddressPolicy::public_only(),
        ..ConnectorSettings::default()
    })
    .unwrap();
    for host in ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let endpoint = Endpoint::implicit(HostName::parse(host).unwrap(), testbed.imap.tls_port);
        let error = ImapSession::connect(&strict, &endpoint, &rig::password(&user))
            .await
            .unwrap_err();
        let denied = error.kind.connect_error().unwrap();
        assert!(
            matches!(denied, ConnectErrorKind::DeniedByPolicy { .. }),
            "{host}: {denied:?}"
        );
    }
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_an_error_at_start() {
    let with = |path: &std::path::Path| {
        Connector::new(ConnectorSettings {
            extra_ca_file: Some(path.into()),
            ..ConnectorSettings::default()
        })
    };
    let missing = with(std::path::Path::new("/nonexistent/ca.pem"));
    assert!(matches!(missing, Err(TrustError::CaFile { .. })));
    let mut empty = tempfile::NamedTempFile::new().unwrap();
    writeln!(empty, "no certificate here").unwrap();
    assert!(matches!(with(empty.path()), Err(TrustError::EmptyCaFile(_))));
}
