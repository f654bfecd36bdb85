//! The link that a person passes on to the administrator, and what comes back from there.

use std::time::Duration;

use crate::support::{at, connect, microsoft, parameter, registration};
use postroom_events::{AccountState, WhoCanAct};
use postroom_oauth::{AdminConsentAnswer, NextStep, RedirectError};
use postroom_providers::OAuthRegistration;
use secrecy::ExposeSecret;
use url::Url;
use wiremock::MockServer;

fn redirect() -> Url {
    "https://postroom.example/oauth/admin-consent".parse().unwrap()
}

#[tokio::test]
async fn the_link_names_client_scopes_and_tenant() {
    let (server, provider) = microsoft().await;
    let request = provider.admin_consent_request(&redirect(), None).unwrap();
    let expected = format!("{}/contoso.example/v2.0/adminconsent?", server.uri());
    assert!(request.url.as_str().starts_with(&expected), "{}", request.url);
    let parameter = |name| parameter(&request.url, name).unwrap();
    assert_eq!(parameter("client_id"), "client");
    assert_eq!(parameter("redirect_uri"), redirect().as_str());
    assert_eq!(parameter("state"), request.csrf_state.expose_secret());
    assert!(parameter("state").len() >= 43, "256 bits");
    assert!(parameter("scope").contains("IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send"));
    let another = provider.admin_consent_request(&redirect(), None).unwrap();
    assert_ne!(
        another.csrf_state.expose_secret(),
        request.csrf_state.expose_secret()
    );
}

#[tokio::test]
async fn the_tenant_is_one_that_has_an_administrator() {
    let server = MockServer::start().await;
    for (registered, known, expected) in [
        (None, None, "organizations"),
        (Some("common"), None, "organizations"),
        (Some("consumers"), None, "organizations"),
        (Some("organizations"), None, "organizations"),
        (Some("contoso.example"), None, "contoso.example"),
        (
            Some("common"),
            Some("9188040d-6c67-4c5b-b112-36a304b66dad"),
            "9188040d-6c67-4c5b-b112-36a304b66dad",
        ),
    ] {
        let registration = OAuthRegistration {
            tenant: registered.map(str::to_owned),
            ..at(&server, registration("microsoft", "client", None))
        };
        let provider = connect(registration, Duration::from_secs(5)).await.unwrap();
        let url = provider.admin_consent_request(&redirect(), known).unwrap().url;
        assert_eq!(url.path(), format!("/{expected}/v2.0/adminconsent"));
    }
    let (_server, provider) = microsoft().await;
    for hostile in ["../evil", "a/b", "a?b", "a#b", "a b", ".."] {
        assert!(
            provider
                .admin_consent_request(&redirect(), Some(hostile))
                .is_none(),
            "{hostile}"
        );
    }
    let google = connect(registration("google", "client", None), Duration::from_secs(5));
    assert!(
        google
            .await
            .unwrap()
            .admin_consent_request(&redirect(), None)
            .is_none()
    );
}

#[tokio::test]
async fn yes_is_yes_and_its_tenant_is_a_claim() {
    let (_server, provider) = microsoft().await;
    let claimed = |tenant| {
        let answer = AdminConsentAnswer {
            admin_consent: Some("True"),
            tenant,
            error: None,
        };
        provider.admin_consent_answer(&answer).unwrap().claimed_tenant
    };
    assert_eq!(
        claimed(Some("aaaabbbb-0000-cccc-1111-dddd2222eeee")).unwrap(),
        "aaaabbbb-0000-cccc-1111-dddd2222eeee"
    );
    assert_eq!(claimed(None), None);
    assert_eq!(claimed(Some("<script>")), None);
    assert_eq!(claimed(Some(&"a".repeat(256))), None);
}

#[tokio::test]
async fn anything_else_is_no() {
    let (_server, provider) = microsoft().await;
    let error = |error, description| {
        Some(RedirectError {
            error,
            suberror: None,
            description,
        })
    };
    let cases = [
        // Microsoft says `admin_consent=True` beside an error too.
        (
            Some("True"),
            error("consent_required", Some("AADSTS65004: denied")),
            "admin_approval_declined",
        ),
        (
            Some("True"),
            error("permission_denied", Some("The admin canceled the request")),
            "admin_approval_declined",
        ),
        (None, error("access_denied", None), "admin_approval_declined"),
        (
            None,
            error("invalid_request", Some("AADSTS50011: no")),
            "redirect_not_registered",
        ),
        (None, error("temporarily_unavailable", None), "provider_busy"),
        (None, None, "admin_approval_required"),
        (Some("False"), None, "admin_approval_required"),
    ];
    for (admin_consent, error, code) in cases {
        let answer = AdminConsentAnswer {
            admin_consent,
            tenant: Some("contoso.example"),
            error,
        };
        let refused = provider.admin_consent_answer(&answer).unwrap_err();
        assert_eq!(refused.code(), code);
        if refused.who_acts() == WhoCanAct::Administrator {
            assert_eq!(refused.cause.account_state(), Some(AccountState::AwaitingAdmin));
            assert_eq!(refused.cause.next_step(), NextStep::PassApprovalLinkOn);
        }
    }
}
