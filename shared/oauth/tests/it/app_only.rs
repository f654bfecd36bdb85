//! Signing in as ourselves: at a real provider, which checks secrets and signatures; what Microsoft alone wants is read
//! from the request by a stand-in.

use std::time::Duration;

use crate::support::{
    TOKEN_PATH, at, client, connect, mailbox, of_kind, on_loopback, providers, registration,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postroom_events::{TenantId, WhoCanAct};
use postroom_oauth::{IdentityProvider, Mailbox};
use postroom_providers::{ClientProof, ClientSecret, OAuthRegistration, RegistrationKind};
use postroom_test_support::{Application, ClientCertificate, Testbed, WebClient};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const ADDRESS: &str = "ada@example.test";

fn app_only(source: &str, client_id: &str, proof: ClientProof) -> OAuthRegistration {
    OAuthRegistration {
        scopes: Some(vec!["https://outlook.office365.com/.default".to_owned()]),
        ..of_kind(source, RegistrationKind::AppOnly(client(client_id, proof)))
    }
}

fn certificate(made: &ClientCertificate) -> ClientProof {
    ClientProof::Certificate {
        certificate: made.certificate.clone(),
        key: made.key.clone(),
    }
}

async fn application(testbed: &Testbed, certificate: Option<&ClientCertificate>) -> WebClient {
    let application = Application {
        certificate: certificate.map(|made| made.certificate.as_path()),
        mail_domain: Some(&testbed.domain),
        ..Application::default()
    };
    testbed.openid().create_application(application).await.unwrap()
}

async fn at_testbed(
    testbed: &Testbed,
    client_id: &str,
    proof: ClientProof,
) -> std::sync::Arc<IdentityProvider> {
    let registration = app_only(&testbed.openid_address.issuer, client_id, proof);
    connect(registration, Duration::from_secs(20)).await.unwrap()
}

/// What `user` reads on Dovecot after signing in with `token`.
async fn opens(testbed: &Testbed, address: &str, token: &str) -> bool {
    let mut imap = testbed.imap_client().await.unwrap();
    let response = postroom_test_support::xoauth2(address, token);
    let reply = imap.authenticate("XOAUTH2", &response).await.unwrap();
    reply.status == postroom_test_support::ImapStatus::Ok
}

#[tokio::test]
async fn a_secret_gets_a_token_that_opens_every_mailbox() {
    let testbed = Testbed::load().unwrap();
    let app = application(&testbed, None).await;
    let provider = at_testbed(&testbed, &app.id, ClientProof::secret(Some(app.secret.into()))).await;
    let tokens = provider.obtain(mailbox(ADDRESS)).await.unwrap();
    assert!(tokens.refresh_token.is_none() && tokens.identity.is_none() && tokens.missing_scopes.is_empty());
    assert_eq!(tokens.expires_in, Duration::from_secs(3600));
    for name in ["app-only-one", "app-only-two"] {
        let user = testbed.create_user(name).unwrap();
        assert!(opens(&testbed, &user.address, tokens.access_token.expose_secret()).await);
    }
    let next = provider.renew(None, mailbox(ADDRESS)).await.unwrap();
    assert_ne!(
        next.access_token.expose_secret(),
        tokens.access_token.expose_secret()
    );
}

#[tokio::test]
async fn a_certificate_proves_who_we_are_to_a_provider_that_checks_the_signature() {
    let testbed = Testbed::load().unwrap();
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = ClientCertificate::make(directory.path(), 30).unwrap();
    let other = ClientCertificate::make(elsewhere.path(), 30).unwrap();
    let app = application(&testbed, Some(&ours)).await;
    let provider = at_testbed(&testbed, &app.id, certificate(&ours)).await;
    for _ in 0..2 {
        // The provider takes no assertion twice: each is new.
        provider.obtain(mailbox(ADDRESS)).await.unwrap();
    }
    let provider = at_testbed(&testbed, &app.id, certificate(&other)).await;
    let error = provider.obtain(mailbox(ADDRESS)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.who_acts()),
        ("client_refused", WhoCanAct::Operator)
    );
}

#[tokio::test]
async fn a_provider_that_knows_the_next_secret_alone_is_content() {
    let testbed = Testbed::load().unwrap();
    let app = application(&testbed, None).await;
    let secret = |value: String| ClientSecret {
        value: value.into(),
        ends_at: None,
    };
    let proof = ClientProof::Secrets(vec![secret("gone".to_owned()), secret(app.secret)]);
    let provider = at_testbed(&testbed, &app.id, proof).await;
    provider.obtain(mailbox(ADDRESS)).await.unwrap();
    let proof = ClientProof::Secrets(vec![secret("gone".to_owned()), secret("gone too".to_owned())]);
    let provider = at_testbed(&testbed, &app.id, proof).await;
    assert_eq!(
        provider.obtain(mailbox(ADDRESS)).await.unwrap_err().code(),
        "client_refused"
    );
}

/// The claims or the header of a token, unchecked.
fn part(jwt: &str, index: usize) -> Value {
    let part = jwt.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn an_assertion_is_as_microsoft_wants_it() {
    let server = MockServer::start().await;
    let given =
        json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "at" });
    Mock::given(path(TOKEN_PATH))
        .respond_with(ResponseTemplate::new(200).set_body_json(given))
        .mount(&server)
        .await;
    let directory = tempfile::tempdir().unwrap();
    let made = ClientCertificate::make(directory.path(), 30).unwrap();
    let registration = at(&server, app_only("microsoft", "app-id", certificate(&made)));
    let provider = connect(registration, Duration::from_secs(5)).await.unwrap();
    provider.obtain(mailbox(ADDRESS)).await.unwrap();

    let request = &server.received_requests().await.unwrap()[0];
    let form: std::collections::HashMap<_, _> =
        url::form_urlencoded::parse(&request.body).into_owned().collect();
    assert_eq!(form["grant_type"], "client_credentials");
    assert_eq!(form["client_id"], "app-id");
    assert_eq!(form["scope"], "https://outlook.office365.com/.default");
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert!(!form.contains_key("client_secret") && !request.headers.contains_key("authorization"));
    let (header, claims) = (
        part(&form["client_assertion"], 0),
        part(&form["client_assertion"], 1),
    );
    assert_eq!((&header["alg"], &header["typ"]), (&json!("PS256"), &json!("JWT")));
    assert_eq!(header["x5t#S256"], thumbprint(&made), "as openssl computes it");
    assert_eq!(claims["aud"], format!("{}{TOKEN_PATH}", server.uri()));
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("app-id"), &json!("app-id"))
    );
    let life = claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap();
    assert!((60..=600).contains(&life), "{life}");
    assert!(claims["jti"].as_str().unwrap().len() >= 22);
}

/// SHA-256 over the certificate's DER form, base64url.
fn thumbprint(made: &ClientCertificate) -> String {
    let output = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&made.certificate)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, digits) = text.trim().split_once('=').unwrap();
    let bytes: Vec<u8> = digits
        .split(':')
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_registration_opens_only_what_it_covers() {
    let server = MockServer::start().await;
    Mock::given(path(TOKEN_PATH))
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&server)
        .await;
    let proof = ClientProof::secret(Some("s".into()));
    let registration = at(&server, app_only("microsoft", "app-id", proof));
    let provider = connect(registration, Duration::from_secs(5)).await.unwrap();
    let foreign = Mailbox {
        tenant_id: TenantId::generate(),
        ..mailbox("ada@contoso.example")
    };
    for mailbox in [mailbox("ceo@other.example"), foreign] {
        let error = provider.obtain(mailbox).await.unwrap_err();
        assert_eq!(
            (error.code(), error.who_acts()),
            ("mailbox_not_covered", WhoCanAct::Operator)
        );
    }
}

#[tokio::test]
async fn where_nobody_signs_in_consent_is_the_administrators() {
    let server = MockServer::start().await;
    let body = json!({
        "error": "invalid_grant", "error_codes": [65001], "suberror": "consent_required",
        "error_description": "AADSTS65001: The user or administrator has not consented to use the application."
    });
    Mock::given(path(TOKEN_PATH))
        .respond_with(ResponseTemplate::new(400).set_body_json(body))
        .mount(&server)
        .await;
    let proof = ClientProof::secret(Some("s".into()));
    let provider = connect(
        at(&server, app_only("microsoft", "app-id", proof)),
        Duration::from_secs(5),
    );
    let error = provider
        .await
        .unwrap()
        .obtain(mailbox(ADDRESS))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "admin_approval_required");
}

#[tokio::test]
async fn a_kind_does_not_do_the_work_of_another() {
    let server = MockServer::start().await;
    let proof = || ClientProof::secret(Some("s".into()));
    let app = at(&server, app_only("microsoft", "app-id", proof()));
    let app = connect(app, Duration::from_secs(5)).await.unwrap();
    let redirect: Url = "https://postroom.example/oauth/callback".parse().unwrap();
    let begun = app.authorization_request(&redirect, Default::default());
    assert_eq!(begun.unwrap_err().code(), "kind_unfit");
    assert_eq!(app.refresh(&"rt".into()).await.unwrap_err().code(), "kind_unfit");
    assert_eq!(app.begin_device().await.unwrap_err().code(), "kind_unfit");
    let person = connect(
        at(&server, registration("microsoft", "c", None)),
        Duration::from_secs(5),
    );
    let person = person.await.unwrap();
    assert_eq!(
        person.obtain(mailbox(ADDRESS)).await.unwrap_err().code(),
        "kind_unfit"
    );
    assert_eq!(
        person.renew(None, mailbox(ADDRESS)).await.unwrap_err().code(),
        "grant_expired"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = ClientCertificate::make(directory.path(), 30).unwrap();
    let other = ClientCertificate::make(elsewhere.path(), 30).unwrap();
    let nowhere = directory.path().join("nowhere.pem");
    let cases = [
        (&nowhere, &ours.key, "nowhere.pem cannot be read"),
        (&ours.certificate, &nowhere, "nowhere.pem cannot be read"),
        (&ours.key, &ours.key, "holds no certificate"),
        (&ours.certificate, &ours.certificate, "holds no private key"),
        (&ours.certificate, &other.key, "is not the key of the certificate"),
    ];
    for (certificate, key, words) in cases {
        let proof = ClientProof::Certificate {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let error = providers(app_only("google", "app-id", proof), &on_loopback()).unwrap_err();
        assert!(error.contains("`r`") && error.contains(words), "{error}");
    }
}

#[test]
fn the_end_of_what_proves_us_is_known_ahead() {
    let ends = |proof: ClientProof| {
        let providers = providers(app_only("google", "app-id", proof), &on_loopback()).unwrap();
        let ends: Vec<_> = providers.credential_ends().map(|(_, at)| at).collect();
        ends.first().copied()
    };
    let directory = tempfile::tempdir().unwrap();
    let made = ClientCertificate::make(directory.path(), 30).unwrap();
    #[allow(clippy::disallowed_methods)] // openssl reads the real clock too
    let days = (ends(certificate(&made)).unwrap() - chrono::Utc::now()).num_hours() / 24;
    assert!((29..=30).contains(&days), "{days}");

    let secret = |day: Option<i64>| ClientSecret {
        value: "s".into(),
        ends_at: day.and_then(|day| chrono::DateTime::from_timestamp(day * 86_400, 0)),
    };
    let end = |secrets| ends(ClientProof::Secrets(secrets)).map(|at| at.timestamp() / 86_400);
    assert_eq!(end(vec![secret(Some(5))]), Some(5));
    assert_eq!(
        end(vec![secret(Some(5)), secret(Some(9))]),
        Some(9),
        "the next one takes over"
    );
    assert_eq!(end(vec![secret(Some(5)), secret(None)]), None);
    assert_eq!(end(vec![secret(None)]), None);
}
