//! How a client proves itself on the wire, read by a stand-in; two live secrets.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{TOKEN_PATH, at, client, connect, registration};
use postroom_oauth::{IdentityProvider, Revocation};
use postroom_providers::{ClientProof, ClientSecret, OAuthRegistration, RegistrationKind};
use serde_json::json;
use wiremock::matchers::{basic_auth, body_string_contains, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn tokens() -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({ "access_token": "at", "token_type": "Bearer", "expires_in": 3600 }))
}

/// A provider that takes the secret in the `Authorization` header alone.
async fn basic(server: &MockServer, secret: &str) -> Arc<IdentityProvider> {
    let metadata = json!({
        "issuer": server.uri(),
        "authorization_endpoint": format!("{}/authorize", server.uri()),
        "token_endpoint": format!("{}/token", server.uri()),
        "revocation_endpoint": format!("{}/revoke", server.uri()),
        "token_endpoint_auth_methods_supported": ["client_secret_basic"]
    });
    Mock::given(path("/.well-known/openid-configuration"))
        .respond_with(ResponseTemplate::new(200).set_body_json(metadata))
        .mount(server)
        .await;
    let registration = registration(&server.uri(), "client:1", Some(secret));
    connect(registration, Duration::from_secs(5)).await.unwrap()
}

#[tokio::test]
async fn a_secret_in_the_header_is_escaped_and_stands_nowhere_else() {
    let server = MockServer::start().await;
    let provider = basic(&server, "s&cret ü").await;
    // RFC 6749 section 2.3.1: each half as in a form
    for (at, answer) in [("/token", tokens()), ("/revoke", ResponseTemplate::new(200))] {
        Mock::given(path(at))
            .and(basic_auth("client%3A1", "s%26cret+%C3%BC"))
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
    }
    provider.refresh(&"rt".into()).await.unwrap();
    assert_eq!(provider.revoke(&"rt".into()).await.unwrap(), Revocation::Done);
    for request in server.received_requests().await.unwrap() {
        let body = String::from_utf8(request.body).unwrap();
        assert!(!body.contains("client"), "{body}");
    }
}

/// A client at the stand-in for Microsoft with two secrets, of which it takes the one given.
async fn two_secrets(server: &MockServer, taken: &str) -> Arc<IdentityProvider> {
    let secret = |value: &str| ClientSecret {
        value: value.into(),
        ends_at: None,
    };
    let proof = ClientProof::Secrets(vec![secret("old"), secret("new")]);
    let registration = OAuthRegistration {
        kind: RegistrationKind::Delegated(client("client", proof)),
        ..at(server, registration("microsoft", "client", None))
    };
    Mock::given(path(TOKEN_PATH))
        .and(body_string_contains(format!("client_secret={taken}")))
        .respond_with(tokens())
        .mount(server)
        .await;
    connect(registration, Duration::from_secs(5)).await.unwrap()
}

async fn answer_otherwise(server: &MockServer, status: u16, error: &str, number: u32) {
    let body = json!({ "error": error, "error_codes": [number], "error_description": format!("AADSTS{number}: no") });
    Mock::given(path(TOKEN_PATH))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(server)
        .await;
}

/// How often the token endpoint was asked.
async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn a_second_secret_takes_over_from_one_that_has_expired() {
    let server = MockServer::start().await;
    let provider = two_secrets(&server, "new").await;
    answer_otherwise(&server, 401, "invalid_client", 7000222).await;
    provider.refresh(&"rt".into()).await.unwrap();
    assert_eq!(asked(&server).await, 2);
    provider.refresh(&"rt".into()).await.unwrap();
    assert_eq!(asked(&server).await, 3, "the old one is not tried again");
}

#[tokio::test]
async fn the_second_secret_is_left_alone_while_the_first_is_good() {
    let server = MockServer::start().await;
    let provider = two_secrets(&server, "old").await;
    provider.refresh(&"rt".into()).await.unwrap();
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn what_is_not_about_the_secret_is_asked_once() {
    for (status, error, number, code) in [
        (400, "invalid_grant", 700082, "grant_expired"),
        (503, "temporarily_unavailable", 90033, "provider_busy"),
        (400, "unauthorized_client", 700016, "application_unknown"),
    ] {
        let server = MockServer::start().await;
        let provider = two_secrets(&server, "neither").await;
        answer_otherwise(&server, status, error, number).await;
        assert_eq!(provider.refresh(&"rt".into()).await.unwrap_err().code(), code);
        assert_eq!(asked(&server).await, 1, "{code}");
    }
}

#[tokio::test]
async fn when_both_are_refused_the_operator_hears_it() {
    let server = MockServer::start().await;
    let provider = two_secrets(&server, "neither").await;
    answer_otherwise(&server, 401, "invalid_client", 7000222).await;
    let error = provider.refresh(&"rt".into()).await.unwrap_err();
    assert_eq!(error.code(), "client_secret_expired");
    assert_eq!(asked(&server).await, 2);
}
