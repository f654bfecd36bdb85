//! What goes to Microsoft, and what no provider should answer: by a stand-in, because the real ones will not on command.

use std::time::Duration;

use crate::support::{TOKEN_PATH, connect, connect_with, microsoft, parameter, registration};
use postroom_events::WhoCanAct;
use postroom_oauth::{AuthorizationOptions, HttpSettings};
use postroom_test_support::Testbed;
use serde_json::json;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CANARY: &str = "canary-refresh-token";

#[tokio::test]
async fn the_request_names_tenant_scopes_and_hint() {
    let (server, provider) = microsoft().await;
    let options = AuthorizationOptions {
        login_hint: Some("ada@contoso.example"),
        ..AuthorizationOptions::default()
    };
    let redirect = "https://postroom.example/oauth/callback".parse().unwrap();
    let request = provider.authorization_request(&redirect, options).unwrap();
    assert!(request.url.as_str().starts_with(&format!(
        "{}/contoso.example/oauth2/v2.0/authorize?",
        server.uri()
    )));
    let parameter = |name: &str| parameter(&request.url, name).unwrap_or_default();
    assert_eq!(parameter("response_type"), "code");
    assert_eq!(parameter("code_challenge_method"), "S256");
    assert_eq!(parameter("login_hint"), "ada@contoso.example");
    assert_eq!(parameter("prompt"), "select_account");
    assert_eq!(
        parameter("redirect_uri"),
        "https://postroom.example/oauth/callback"
    );
    assert!(parameter("scope").contains("https://outlook.office.com/IMAP.AccessAsUser.All"));
    assert!(parameter("scope").contains("offline_access"));
    assert!(
        parameter("state").len() >= 43 && parameter("nonce").len() >= 43,
        "256 bits"
    );
    assert!(
        !format!("{request:?}").contains(request_secret(&request)),
        "the verifier does not print"
    );
    let another = provider.authorization_request(&redirect, options).unwrap();
    for name in ["state", "nonce", "code_challenge"] {
        let other = crate::support::parameter(&another.url, name);
        assert_ne!(
            other.as_deref(),
            Some(parameter(name).as_str()),
            "{name} is new each time"
        );
    }
}

fn request_secret(request: &postroom_oauth::AuthorizationRequest) -> &str {
    secrecy::ExposeSecret::expose_secret(&request.pkce_verifier)
}

#[tokio::test]
async fn a_token_endpoint_that_misbehaves_is_survived() {
    let (server, provider) = microsoft().await;
    let trap = Mock::given(path("/trap"))
        .respond_with(ResponseTemplate::new(200))
        .expect(0);
    trap.mount(&server).await;
    let json = |text: &str| ResponseTemplate::new(200).set_body_raw(text.to_owned(), "application/json");
    let endless = format!(
        r#"{{"access_token":"{}","token_type":"Bearer"}}"#,
        "x".repeat(2 * 1024 * 1024)
    );
    let answers = [
        (
            "a redirect is not followed",
            ResponseTemplate::new(307).insert_header("Location", "/trap"),
        ),
        ("an answer has an end", json(&endless)),
        ("an empty answer", json("")),
        ("not an object", json("[]")),
        ("no token", json(r#"{"token_type":"Bearer"}"#)),
        (
            "a token with a line break",
            json(r#"{"access_token":"a\r\nb","token_type":"Bearer"}"#),
        ),
        (
            "JSON under another name",
            ResponseTemplate::new(200).set_body_raw("{}", "text/plain"),
        ),
    ];
    for (what, answer) in answers {
        let _guard = Mock::given(method("POST"))
            .and(path(TOKEN_PATH))
            .respond_with(answer)
            .mount_as_scoped(&server)
            .await;
        let error = provider.refresh(&CANARY.into()).await.unwrap_err();
        assert_eq!(error.code(), "answer_not_understood", "{what}");
    }
}

#[tokio::test]
async fn a_grant_that_is_older_than_a_scope_is_refreshed_without_naming_scopes() {
    let (server, provider) = microsoft().await;
    let refused = ResponseTemplate::new(400).set_body_json(json!({ "error": "invalid_scope" }));
    let given = json!({ "access_token": "new", "token_type": "Bearer", "expires_in": 3600 });
    let with_scope = Mock::given(method("POST"))
        .and(path(TOKEN_PATH))
        .and(body_string_contains("scope="));
    with_scope
        .respond_with(refused)
        .with_priority(1)
        .expect(1)
        .mount(&server)
        .await;
    let without = Mock::given(method("POST")).and(path(TOKEN_PATH));
    without
        .respond_with(ResponseTemplate::new(200).set_body_json(given))
        .expect(1)
        .mount(&server)
        .await;
    assert!(provider.refresh(&CANARY.into()).await.is_ok());
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_the_operators() {
    // The mail server's TLS port will do: the certificate is looked at before anything is said.
    let testbed = Testbed::load().unwrap();
    let issuer = format!("https://localhost:{}", testbed.imap.tls_port);
    let strict = HttpSettings::default();
    let error = connect_with(registration(&issuer, "c", None), &strict)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.who_acts()),
        ("certificate_untrusted", WhoCanAct::Operator)
    );
    let trusting = HttpSettings {
        extra_ca: Some(testbed.ca_file),
        ..strict
    };
    let error = connect_with(registration(&issuer, "c", None), &trusting)
        .await
        .unwrap_err();
    assert_eq!(
        error.code(),
        "provider_unreachable",
        "trusted, but no HTTP server"
    );
}

#[tokio::test]
async fn endpoints_that_are_not_https_are_refused() {
    let server = MockServer::start().await;
    let metadata = json!({
        "issuer": server.uri(),
        "authorization_endpoint": format!("{}/authorize", server.uri()),
        "token_endpoint": "http://10.0.0.1/token"
    });
    let answer = ResponseTemplate::new(200).set_body_json(metadata);
    Mock::given(path("/.well-known/openid-configuration"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let error = connect(registration(&server.uri(), "c", None), Duration::from_secs(5))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "metadata_unusable");
}
