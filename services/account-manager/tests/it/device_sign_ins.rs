//! Signing in on another device, at the real provider: a person types the code in.

use std::time::Duration;

use postroom_providers::{
    ClientProof, IdentitySource, OAuthRegistration, RegisteredClient, RegistrationKind,
};
use postroom_test_support::{Application, Decision, TestUser, Testbed, eventually};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, answer};

async fn rig() -> Rig {
    let testbed = Testbed::load().unwrap();
    let client = testbed
        .openid()
        .create_application(Application::default())
        .await
        .unwrap();
    let kind = RegistrationKind::Delegated(RegisteredClient {
        id: client.id,
        proof: ClientProof::secret(Some(client.secret.into())),
    });
    let issuer = IdentitySource::parse(&testbed.openid_address.issuer);
    Rig::start_with(vec![OAuthRegistration::new("device", issuer, kind)]).await
}

async fn begin(rig: &Rig, user: &TestUser) -> Value {
    let mut request = rig.by_password(user);
    request.as_object_mut().unwrap().remove("password");
    for (field, value) in [
        ("method", "oauth2"),
        ("registration", "device"),
        ("flow", "device"),
    ] {
        request[field] = json!(value);
    }
    let (status, begun) = rig.post("/v1/accounts", &request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{begun}");
    begun
}

async fn ended(rig: &Rig, begun: &Value) -> Value {
    let path = format!("/v1/device-sign-ins/{}", begun["id"].as_str().unwrap());
    eventually(Duration::from_secs(30), "the end of the sign-in", || async {
        let (_, view) = rig.get(&path).await;
        (view["state"] != "pending").then_some(view)
    })
    .await
}

async fn person(rig: &Rig, user: &TestUser, begun: &Value, decision: Decision) {
    let text = |name: &str| begun[name].as_str().unwrap();
    let openid = rig.testbed.openid();
    openid
        .enter_device_code(user, text("verification_uri"), text("user_code"), decision)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_code_typed_in_elsewhere_connects_the_mailbox() {
    let rig = rig().await;
    let user = rig.testbed.create_user("device").unwrap();
    let begun = begin(&rig, &user).await;
    let path = format!("/v1/device-sign-ins/{}", begun["id"].as_str().unwrap());
    assert_eq!(rig.get(&path).await.1["state"], "pending");
    person(&rig, &user, &begun, Decision::Accept).await;
    let view = ended(&rig, &begun).await;
    assert_eq!(view["state"], "connected", "{view}");
    let (_, account) = rig
        .get(&format!("/v1/accounts/{}", view["account_id"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&account["address"], &account["method"]),
        (&json!(user.address), &json!("oauth2"))
    );

    let other = rig.another_tenant().await;
    let (status, _) = answer(rig.ask_as(&other, Method::GET, &path).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "another tenant sees nothing");
}

#[tokio::test]
async fn somebody_elses_sign_in_and_a_refusal_say_why_and_keep_nothing() {
    let rig = rig().await;
    let (user, other) = (
        rig.testbed.create_user("device-user").unwrap(),
        rig.testbed.create_user("device-other").unwrap(),
    );
    let (wrong, declined) = (begin(&rig, &user).await, begin(&rig, &user).await);
    person(&rig, &other, &wrong, Decision::Accept).await;
    person(&rig, &user, &declined, Decision::Cancel).await;
    let (wrong, declined) = (ended(&rig, &wrong).await, ended(&rig, &declined).await);
    assert_eq!(
        (&wrong["state"], &wrong["cause"]),
        (&json!("refused"), &json!("imap_token_refused")),
        "{wrong}"
    );
    assert_eq!(
        (&declined["state"], &declined["cause"]),
        (&json!("refused"), &json!("consent_declined")),
        "{declined}"
    );
    let (_, accounts) = rig.get("/v1/accounts").await;
    assert_eq!(accounts["items"], json!([]));
}

#[tokio::test]
async fn nobody_comes() {
    let rig = rig().await;
    let user = rig.testbed.create_user("device-nobody").unwrap();
    let begun = begin(&rig, &user).await;
    rig.clock.advance(Duration::from_secs(24 * 60 * 60));
    let path = format!("/v1/device-sign-ins/{}", begun["id"].as_str().unwrap());
    let (_, view) = rig.get(&path).await;
    assert_eq!(
        (&view["state"], &view["cause"]),
        (&json!("refused"), &json!("sign_in_expired")),
        "{view}"
    );
}
