//! Tokens from a service of the operator's. A stand-in plays it: there is no such service but the operator's own.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{TENANT, connect, mailbox, of_kind, on_loopback, providers};
use postroom_events::{AccountId, WhoCanAct};
use postroom_oauth::{IdentityProvider, Mailbox};
use postroom_providers::{OAuthRegistration, RegistrationKind};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn registration(url: &str) -> OAuthRegistration {
    let kind = RegistrationKind::TokenService {
        url: url.parse().unwrap(),
        secret: "canary-secret".into(),
    };
    OAuthRegistration {
        reach: Default::default(),
        ..of_kind("microsoft", kind)
    }
}

async fn service() -> (MockServer, Arc<IdentityProvider>) {
    let server = MockServer::start().await;
    let registration = registration(&format!("{}/tokens", server.uri()));
    let provider = connect(registration, Duration::from_secs(2)).await.unwrap();
    (server, provider)
}

#[tokio::test]
async fn it_is_asked_for_one_mailbox_and_its_token_is_taken() {
    let (server, provider) = service().await;
    let account_id = AccountId::generate();
    let asked = json!({
        "registration": "r", "tenant_id": TENANT, "account_id": account_id, "address": "ada@contoso.example"
    });
    Mock::given(method("POST"))
        .and(path("/tokens"))
        .and(header("authorization", "Bearer canary-secret"))
        .and(body_json(asked))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({ "access_token": "canary-at", "expires_in": 1200 })),
        )
        .expect(1)
        .mount(&server)
        .await;
    let mailbox = Mailbox {
        account_id: Some(account_id),
        ..mailbox("ada@contoso.example")
    };
    let tokens = provider.renew(None, mailbox).await.unwrap();
    assert_eq!(tokens.access_token.expose_secret(), "canary-at");
    assert_eq!(tokens.expires_in, Duration::from_secs(1200));
    assert!(tokens.refresh_token.is_none());
    assert!(!format!("{tokens:?} {provider:?}").contains("canary"));
}

#[tokio::test]
async fn every_refusal_ends_in_who_can_act() {
    let (server, provider) = service().await;
    for (status, code, who) in [
        (401, "token_service_refuses", WhoCanAct::Operator),
        (403, "token_service_refuses", WhoCanAct::Operator),
        (404, "not_connected_there", WhoCanAct::User),
        (410, "not_connected_there", WhoCanAct::User),
        (400, "token_service_unfit", WhoCanAct::Operator),
        (302, "token_service_unfit", WhoCanAct::Operator),
        (429, "provider_busy", WhoCanAct::Nobody),
        (500, "provider_fault", WhoCanAct::Nobody),
        (503, "provider_fault", WhoCanAct::Nobody),
    ] {
        // What its body says is not OAuth, whatever it looks like.
        let answer = ResponseTemplate::new(status)
            .set_body_json(json!({ "error": "invalid_grant", "error_description": "canary" }))
            .insert_header("Retry-After", "17")
            .insert_header("Location", "/elsewhere");
        let _guard = Mock::given(path("/tokens"))
            .respond_with(answer)
            .mount_as_scoped(&server)
            .await;
        let error = provider.obtain(mailbox("ada@contoso.example")).await.unwrap_err();
        assert_eq!((error.code(), error.who_acts()), (code, who), "{status}");
        let waits = (who == WhoCanAct::Nobody).then_some(Duration::from_secs(17));
        assert_eq!(error.retry_after, waits, "{status}");
        let printed = format!("{error} {error:?}");
        assert!(
            printed.contains("127.0.0.1") && !printed.contains("canary"),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn answers_that_are_none_are_survived() {
    let (server, provider) = service().await;
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let endless = json!({ "access_token": "x".repeat(2 * 1024 * 1024), "expires_in": 60 });
    let answers = [
        (json(json!({ "access_token": "at" })), "answer_not_understood"),
        (
            json(json!({ "access_token": "at", "expires_in": 0 })),
            "answer_not_understood",
        ),
        (
            json(json!({ "access_token": "at", "expires_in": -1 })),
            "answer_not_understood",
        ),
        (
            json(json!({ "access_token": "a\r\nb", "expires_in": 60 })),
            "answer_not_understood",
        ),
        (
            json(json!({ "access_token": "", "expires_in": 60 })),
            "answer_not_understood",
        ),
        (json(json!([])), "answer_not_understood"),
        (json(endless), "answer_not_understood"),
        (
            ResponseTemplate::new(200).set_body_string("at"),
            "answer_not_understood",
        ),
        (
            json(json!({ "access_token": "at", "expires_in": 60 })).set_delay(Duration::from_secs(10)),
            "provider_timed_out",
        ),
    ];
    for (answer, code) in answers {
        let _guard = Mock::given(path("/tokens"))
            .respond_with(answer)
            .mount_as_scoped(&server)
            .await;
        let error = provider.obtain(mailbox("ada@contoso.example")).await.unwrap_err();
        assert_eq!((error.code(), error.is_transient()), (code, true));
    }
}

#[tokio::test]
async fn it_must_be_reached_by_tls() {
    for url in [
        "http://crm.example/tokens",
        "https://user:secret@crm.example/tokens",
    ] {
        let error = providers(registration(url), &on_loopback()).unwrap_err();
        assert!(error.contains("`r`") && error.contains("is not https"), "{error}");
    }
    assert!(providers(registration("https://crm.example/tokens"), &on_loopback()).is_ok());
}
