//! Ways in without a person at the provider, and mailboxes that are not the person's own.

use postroom_events::GrantId;
use postroom_providers::{
    ClientProof, IdentitySource, OAuthRegistration, Reach, RegisteredClient, RegistrationKind,
};
use postroom_store::{Grant, accounts, credentials, grants};
use postroom_test_support::{Application, Decision, TestUser, Testbed};
use reqwest::StatusCode;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::body_partial_json};

use crate::{oauth::come_back, rig::Rig};

/// A registration of that kind for mailboxes of the testbed's domain.
fn registration(id: &str, testbed: &Testbed, source: &str, kind: RegistrationKind) -> OAuthRegistration {
    OAuthRegistration {
        reach: Reach {
            tenants: None,
            domains: Some(vec![testbed.domain.clone()]),
        },
        ..OAuthRegistration::new(id, IdentitySource::parse(source), kind)
    }
}

async fn app_only(testbed: &Testbed) -> OAuthRegistration {
    let application = Application {
        mail_domain: Some(&testbed.domain),
        ..Application::default()
    };
    let client = testbed.openid().create_application(application).await.unwrap();
    let kind = RegistrationKind::AppOnly(RegisteredClient {
        id: client.id,
        proof: ClientProof::secret(Some(client.secret.into())),
    });
    OAuthRegistration {
        scopes: Some(vec!["https://outlook.office365.com/.default".to_owned()]),
        ..registration("app", testbed, &testbed.openid_address.issuer, kind)
    }
}

fn request(rig: &Rig, user: &TestUser, registration: &str) -> Value {
    let mut request = rig.by_password(user);
    request["method"] = json!("oauth2");
    request["registration"] = json!(registration);
    request.as_object_mut().unwrap().remove("password");
    request
}

async fn connected(rig: &Rig, user: &TestUser, registration: &str) -> Grant {
    let (status, account) = rig.post("/v1/accounts", &request(rig, user, registration)).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    assert_eq!(
        (&account["state"], &account["method"]),
        (&json!("syncing"), &json!("oauth2"))
    );
    let id = account["id"].as_str().unwrap().parse().unwrap();
    let account = accounts::find(rig.store.read(), id).await.unwrap();
    let credential = credentials::find(rig.store.read(), rig.tenant.id, account.credential_id.unwrap()).await;
    grant(rig, credential.unwrap().grant_id.unwrap()).await
}

async fn grant(rig: &Rig, id: GrantId) -> Grant {
    grants::find(rig.store.read(), rig.tenant.id, id).await.unwrap()
}

#[tokio::test]
async fn accounts_of_an_application_share_one_grant() {
    let testbed = Testbed::load().unwrap();
    let rig = Rig::start_with(vec![app_only(&testbed).await]).await;
    let (one, two) = (
        testbed.create_user("app-one").unwrap(),
        testbed.create_user("app-two").unwrap(),
    );
    let first = connected(&rig, &one, "app").await;
    assert!(first.sealed_refresh_token.is_none() && first.refresh_due_at.is_some());
    let second = connected(&rig, &two, "app").await;
    assert_eq!((first.id, first.token_version), (second.id, second.token_version));

    // Near the end of the token, the next account brings a new one for all.
    rig.clock.advance(std::time::Duration::from_secs(3500));
    let third = connected(&rig, &testbed.create_user("app-three").unwrap(), "app").await;
    assert_eq!((third.id, third.token_version), (first.id, 2));
    assert_eq!(
        accounts::of_grant(rig.store.read(), first.id)
            .await
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn an_application_opens_no_mailbox_for_a_person_or_outside_its_domains() {
    let testbed = Testbed::load().unwrap();
    let rig = Rig::start_with(vec![app_only(&testbed).await]).await;
    let user = testbed.create_user("app-page").unwrap();
    let mut elsewhere = request(&rig, &user, "app");
    elsewhere["address"] = json!("ada@elsewhere.example");
    let (status, problem) = rig.post("/v1/accounts", &elsewhere).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["code"], "unknown_registration");

    let browser = rig.browser("u1").await;
    let (imap, smtp) = (
        testbed.imap.tls_port.to_string(),
        testbed.submission.tls_port.to_string(),
    );
    let fields = [
        ("address", user.address.as_str()),
        ("method", "oauth2"),
        ("registration", "app"),
        ("imap_host", "localhost"),
        ("imap_port", &imap),
        ("imap_tls", "implicit"),
        ("smtp_host", "localhost"),
        ("smtp_port", &smtp),
        ("smtp_tls", "implicit"),
    ];
    let seen = browser.submit("/accounts/add", "/accounts/add", &fields).await;
    seen.shows("unknown_registration");
    let (_, accounts) = rig.get("/v1/accounts").await;
    assert_eq!(accounts["items"], json!([]));
}

#[tokio::test]
async fn a_service_account_has_a_grant_for_each_mailbox() {
    let testbed = Testbed::load().unwrap();
    let key = testbed.openid().create_service_account(true).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.json");
    std::fs::write(&file, key.to_string()).unwrap();
    let kind = RegistrationKind::ServiceAccount { key: file };
    let rig = Rig::start_with(vec![registration("service", &testbed, "google", kind)]).await;
    let (one, two) = (
        testbed.create_user("sa-one").unwrap(),
        testbed.create_user("sa-two").unwrap(),
    );
    let (first, second) = (
        connected(&rig, &one, "service").await,
        connected(&rig, &two, "service").await,
    );
    assert_ne!(first.id, second.id);
    assert_eq!((first.subject, second.subject), (one.address, two.address));
}

/// A stand-in plays the token service: there is none but the operator's own.
#[tokio::test]
async fn a_token_service_is_asked_for_each_mailbox_and_a_switch_keeps_the_account() {
    let testbed = Testbed::load().unwrap();
    let server = MockServer::start().await;
    let kind = RegistrationKind::TokenService {
        url: format!("{}/tokens", server.uri()).parse().unwrap(),
        secret: "secret".into(),
    };
    let rig = Rig::start_with(vec![registration("tokens", &testbed, "microsoft", kind)]).await;
    let client = testbed
        .openid()
        .create_client("http://127.0.0.1:8025/oauth/callback")
        .await
        .unwrap();
    let (user, id) = rig.connected("ts-switch").await;
    let minted = testbed.openid().mint(&user, &client.id).await.unwrap();
    Mock::given(body_partial_json(
        json!({ "address": user.address, "account_id": id }),
    ))
    .respond_with(
        ResponseTemplate::new(200)
            .set_body_json(json!({ "access_token": minted.access_token, "expires_in": minted.expires_in })),
    )
    .expect(1)
    .mount(&server)
    .await;
    let change = json!({ "method": "oauth2", "registration": "tokens" });
    let (status, account) = rig.post(&format!("/v1/accounts/{id}/reconnect"), &change).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    assert_eq!(
        (
            &account["id"],
            &account["credential_generation"],
            &account["method"]
        ),
        (&json!(id), &json!(2), &json!("oauth2"))
    );
}

#[tokio::test]
async fn a_token_service_that_refuses_keeps_nothing() {
    let testbed = Testbed::load().unwrap();
    let server = MockServer::start().await; // answers everything with 404
    let kind = RegistrationKind::TokenService {
        url: format!("{}/tokens", server.uri()).parse().unwrap(),
        secret: "secret".into(),
    };
    let rig = Rig::start_with(vec![registration("tokens", &testbed, "microsoft", kind)]).await;
    let user = testbed.create_user("ts-refused").unwrap();
    let (status, problem) = rig.post("/v1/accounts", &request(&rig, &user, "tokens")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{problem}");
    let (_, accounts) = rig.get("/v1/accounts").await;
    assert_eq!(accounts["items"], json!([]));
}

/// The identity that is checked is the person's; the mailbox that is opened is the shared one, which Dovecot refuses to a
/// token that names somebody else.
#[tokio::test]
async fn a_shared_mailbox_is_signed_in_to_by_the_person_who_was_named() {
    let rig = Rig::start().await;
    let (shared, person) = (
        rig.testbed.create_user("shared").unwrap(),
        rig.testbed.create_user("member").unwrap(),
    );
    let mut request = request(&rig, &shared, "testbed");
    request["signs_in_as"] = json!(person.address);
    for (who, code) in [(&shared, "wrong_person"), (&person, "imap_token_refused")] {
        let (status, answer) = rig.post("/v1/accounts", &request).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        let (browser, location) = rig.enter(answer["authorization_url"].as_str().unwrap()).await;
        let leaving = browser.submit(&location, &location, &[]).await;
        let seen = come_back(&rig, &browser, who, &leaving.onward(), Decision::Accept).await;
        seen.shows(code);
    }
    request["method"] = json!("password");
    request["password"] = json!("x");
    let (status, problem) = rig.post("/v1/accounts", &request).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_signs_in_as"))
    );
}
