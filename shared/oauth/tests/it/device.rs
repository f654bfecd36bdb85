//! The device-code flow. The testbed's provider does not offer it, so a stand-in plays RFC 8628.

use std::time::Duration;

use crate::support::{connect, registration};
use postroom_providers::OAuthRegistration;
use secrecy::ExposeSecret;
use serde_json::json;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn answer(server: &MockServer, at: &str, status: u16, body: serde_json::Value, times: u64) {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(path(at))
        .respond_with(answer)
        .up_to_n_times(times)
        .mount(server)
        .await;
}

#[tokio::test]
async fn it_waits_for_the_person_and_says_when_they_declined() {
    let server = MockServer::start().await;
    let registration = OAuthRegistration {
        base_url: Some(server.uri().parse().unwrap()),
        ..registration("microsoft", "client", None)
    };
    let provider = connect(registration, Duration::from_secs(5)).await.unwrap();
    let (code_path, token_path) = ("/common/oauth2/v2.0/devicecode", "/common/oauth2/v2.0/token");
    let codes = json!({
        "device_code": "canary", "user_code": "ABC-DEF", "verification_uri": "https://login.example/device",
        "expires_in": 900, "interval": 1
    });
    answer(&server, code_path, 200, codes, 2).await;
    answer(
        &server,
        token_path,
        400,
        json!({ "error": "authorization_pending" }),
        1,
    )
    .await;
    answer(
        &server,
        token_path,
        200,
        json!({ "access_token": "at", "token_type": "Bearer" }),
        1,
    )
    .await;
    answer(
        &server,
        token_path,
        400,
        json!({ "error": "authorization_declined" }),
        1,
    )
    .await;

    let device = provider.begin_device().await.unwrap();
    assert_eq!(
        (device.user_code(), device.verification_uri()),
        ("ABC-DEF", "https://login.example/device")
    );
    assert!(!format!("{device:?}").contains("canary"));
    let tokens = provider.finish_device(&device).await.unwrap();
    assert_eq!(tokens.access_token.expose_secret(), "at");

    let device = provider.begin_device().await.unwrap();
    let error = provider.finish_device(&device).await.unwrap_err();
    assert_eq!(error.code(), "consent_declined");
}
