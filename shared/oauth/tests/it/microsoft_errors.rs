//! Every number of Microsoft's error table, through the real token path: a stand-in answers with Microsoft's bodies,
//! because Microsoft will not on command. Each must end in an account state, a sentence and a next step.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{TOKEN_PATH, microsoft, parameter};
use postroom_events::AccountState::{self, AwaitingAdmin, NeedsReauthorization};
use postroom_events::WhoCanAct::{self, Administrator, Nobody, Operator, User};
use postroom_oauth::NextStep::{self, AskAdministrator, AskOperator, PassApprovalLinkOn, SignInAgain, Wait};
use postroom_oauth::{AuthorizationOptions, CodeExchange, IdentityProvider, RedirectError, TokenError};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A number, what comes with it, and what it means here.
struct Row {
    number: u32,
    status: u16,
    error: &'static str,
    suberror: Option<&'static str>,
    challenge: bool,
    cause: &'static str,
}

const fn row(number: u32, status: u16, error: &'static str, cause: &'static str) -> Row {
    Row {
        number,
        status,
        error,
        suberror: None,
        challenge: false,
        cause,
    }
}

impl Row {
    const fn sub(self, suberror: &'static str) -> Self {
        Self {
            suberror: Some(suberror),
            ..self
        }
    }

    const fn challenge(self) -> Self {
        Self {
            challenge: true,
            ..self
        }
    }
}

/// A party, the state an account enters, what its owner is offered, and the numbers that lead there.
type Section = (WhoCanAct, Option<AccountState>, NextStep, &'static [Row]);

const TABLE: &[Section] = &[
    (
        User,
        Some(NeedsReauthorization),
        SignInAgain,
        &[
            row(65001, 400, "invalid_grant", "consent_required").sub("consent_required"),
            row(65004, 400, "access_denied", "consent_declined"),
            row(70000, 400, "invalid_grant", "sign_in_again").sub("bad_token"),
            row(70008, 400, "invalid_grant", "grant_expired"),
            row(700082, 400, "invalid_grant", "grant_expired").sub("bad_token"),
            row(700084, 400, "invalid_grant", "grant_expired"),
            row(50173, 400, "invalid_grant", "grant_revoked").sub("bad_token"),
            row(70043, 400, "invalid_grant", "sign_in_frequency")
                .sub("bad_token")
                .challenge(),
            row(50132, 400, "invalid_grant", "grant_revoked"),
            row(50133, 400, "invalid_grant", "grant_revoked"),
            row(54005, 400, "invalid_grant", "code_used_or_expired"),
            row(50055, 400, "invalid_grant", "grant_revoked").sub("user_password_expired"),
            row(50020, 400, "interaction_required", "wrong_account"),
            row(50034, 400, "invalid_grant", "wrong_account"),
            row(90072, 400, "invalid_grant", "wrong_account"),
        ],
    ),
    (
        User,
        Some(NeedsReauthorization),
        SignInAgain,
        &[
            row(50076, 400, "interaction_required", "more_proof_required")
                .sub("basic_action")
                .challenge(),
            row(50078, 400, "interaction_required", "more_proof_required").sub("basic_action"),
            row(50079, 400, "interaction_required", "more_proof_required")
                .sub("basic_action")
                .challenge(),
            row(50074, 400, "interaction_required", "more_proof_required").sub("basic_action"),
            row(50158, 400, "interaction_required", "more_proof_required").challenge(),
            row(53000, 400, "interaction_required", "device_not_managed")
                .sub("message_only")
                .challenge(),
            row(53001, 400, "interaction_required", "device_not_managed").sub("additional_action"),
        ],
    ),
    (
        Administrator,
        Some(AwaitingAdmin),
        PassApprovalLinkOn,
        &[
            row(90094, 400, "invalid_grant", "admin_approval_required").sub("consent_required"),
            row(90095, 400, "consent_required", "admin_approval_required"),
            row(500011, 400, "invalid_resource", "application_unknown"),
            row(700016, 400, "unauthorized_client", "application_unknown"),
            row(650052, 400, "invalid_client", "application_unknown"),
        ],
    ),
    (
        Administrator,
        Some(NeedsReauthorization),
        AskAdministrator,
        &[
            row(53003, 400, "interaction_required", "blocked_by_policy")
                .sub("message_only")
                .challenge(),
            row(530032, 400, "invalid_grant", "blocked_by_policy").sub("message_only"),
            row(50105, 400, "invalid_grant", "not_assigned"),
            row(50057, 400, "invalid_grant", "account_disabled"),
            row(7000112, 400, "unauthorized_client", "blocked_by_policy"),
        ],
    ),
    (
        Operator,
        None,
        AskOperator,
        &[
            row(7000215, 401, "invalid_client", "client_secret_wrong"),
            row(7000222, 401, "invalid_client", "client_secret_expired"),
            row(700027, 401, "invalid_client", "client_assertion_refused"),
            row(700024, 401, "invalid_client", "clock_wrong"),
            row(7000218, 401, "invalid_client", "client_refused"),
            row(50011, 400, "invalid_request", "redirect_not_registered"),
            row(70011, 400, "invalid_scope", "scope_refused"),
            row(700022, 400, "invalid_request", "scope_refused"),
            row(50194, 400, "invalid_request", "tenant_refused"),
            row(90002, 400, "invalid_request", "tenant_refused"),
            row(50196, 400, "invalid_grant", "request_loop"),
        ],
    ),
    (
        Nobody,
        None,
        Wait,
        &[
            row(50033, 400, "temporarily_unavailable", "provider_busy"),
            row(50087, 400, "invalid_grant", "provider_busy"),
            row(90006, 400, "invalid_request", "provider_busy"),
            row(90012, 400, "invalid_request", "provider_busy"),
            row(90024, 400, "invalid_request", "provider_busy"),
            row(90033, 503, "temporarily_unavailable", "provider_busy"),
            row(90055, 429, "temporarily_unavailable", "provider_busy"),
        ],
    ),
];

const CHALLENGE: &str =
    r#"{"access_token":{"capolids":{"essential":true,"values":["9ab03e19-ed42-4168-b6b7-7001fb3e933a"]}}}"#;

fn description(number: u32) -> String {
    format!(
        "AADSTS{number}: canary words for a developer.\r\nTrace ID: 255d1aef-8c98-452f-ac51-23d051240864\r\n\
         Correlation ID: fb3d2015-bc17-4bb9-bb85-30c5cf1aaaa7\r\nTimestamp: 2026-11-24 08:02:12Z"
    )
}

/// As Microsoft writes it: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn body(row: &Row) -> Value {
    let mut body = json!({
        "error": row.error,
        "error_description": description(row.number),
        "error_codes": [row.number],
        "timestamp": "2026-11-24 08:02:12Z",
        "trace_id": "255d1aef-8c98-452f-ac51-23d051240864",
        "correlation_id": "fb3d2015-bc17-4bb9-bb85-30c5cf1aaaa7",
        "error_uri": format!("https://login.microsoftonline.com/error?code={}", row.number)
    });
    if let Some(suberror) = row.suberror {
        body["suberror"] = suberror.into();
    }
    if row.challenge {
        body["claims"] = CHALLENGE.into();
    }
    body
}

async fn answer(server: &MockServer, row: &Row) -> wiremock::MockGuard {
    let mut answer = ResponseTemplate::new(row.status).set_body_json(body(row));
    if row.status >= 429 {
        answer = answer.insert_header("Retry-After", "17");
    }
    let mock = Mock::given(method("POST")).and(path(TOKEN_PATH));
    mock.respond_with(answer).mount_as_scoped(server).await
}

async fn refresh(provider: &Arc<IdentityProvider>) -> TokenError {
    let provider = provider.clone();
    // In a task of its own, as token-refresher does: it must be `Send`.
    tokio::spawn(async move { provider.refresh(&"canary-refresh-token".into()).await })
        .await
        .unwrap()
        .unwrap_err()
}

async fn exchange(provider: &IdentityProvider) -> TokenError {
    let exchange = CodeExchange {
        code: &"canary-code".into(),
        issuer: None,
        redirect_url: &"https://postroom.example/oauth/callback".parse().unwrap(),
        pkce_verifier: &"canary-verifier-of-forty-three-characters-0123456789".into(),
        nonce: &"canary-nonce".into(),
    };
    provider.exchange_code(exchange).await.unwrap_err()
}

fn redirected(provider: &IdentityProvider, row: &Row) -> TokenError {
    provider.redirect_error(&RedirectError {
        error: row.error,
        suberror: row.suberror,
        description: Some(&description(row.number)),
    })
}

fn rows() -> impl Iterator<Item = (&'static Section, &'static Row)> {
    TABLE
        .iter()
        .flat_map(|section| section.3.iter().map(move |row| (section, row)))
}

fn assert_ends_well(section: &Section, row: &Row, error: &TokenError) {
    let (who, state, step, _) = section;
    let number = row.number;
    assert_eq!(error.who_acts(), *who, "AADSTS{number}");
    assert_eq!(error.cause.account_state(), *state, "AADSTS{number}");
    assert_eq!(error.cause.next_step(), *step, "AADSTS{number}");
    assert_eq!(error.aadsts, Some(number), "for a person who searches for it");
    assert_eq!(error.ends_the_grant(), state.is_some(), "AADSTS{number}");
    let printed = format!("{error} {error:?}");
    assert!(
        printed.contains("Microsoft 365") || printed.contains("Your organization"),
        "{printed}"
    );
    assert!(!printed.contains("canary"), "{printed}");
}

#[tokio::test]
async fn a_refused_refresh_ends_in_state_sentence_and_next_step() {
    let (server, provider) = microsoft().await;
    for (section, row) in rows() {
        let _guard = answer(&server, row).await;
        let error = refresh(&provider).await;
        assert_ends_well(section, row, &error);
        assert_eq!(error.code(), row.cause, "AADSTS{}", row.number);
        assert_eq!(error.claims.is_some(), row.challenge, "AADSTS{}", row.number);
        let waits = (row.status >= 429).then_some(Duration::from_secs(17));
        assert_eq!(error.retry_after, waits, "AADSTS{}", row.number);
    }
}

#[tokio::test]
async fn a_refused_code_ends_in_state_sentence_and_next_step() {
    let (server, provider) = microsoft().await;
    for (section, row) in rows() {
        let _guard = answer(&server, row).await;
        let error = exchange(&provider).await;
        assert_ends_well(section, row, &error);
        // There was no grant yet that could have ended: the code has.
        let cause = match row.cause {
            "sign_in_again" | "grant_expired" => "code_used_or_expired",
            other => other,
        };
        assert_eq!(error.code(), cause, "AADSTS{}", row.number);
    }
}

#[tokio::test]
async fn a_redirect_with_an_error_ends_in_state_sentence_and_next_step() {
    let (_server, provider) = microsoft().await;
    for (section, row) in rows() {
        let error = redirected(&provider, row);
        assert_ends_well(section, row, &error);
        assert_eq!(error.code(), row.cause, "AADSTS{}", row.number);
    }
}

#[test]
fn the_whole_table_is_tried() {
    let facts: &[u32] = &[
        65001, 65004, 70000, 70008, 700082, 700084, 50173, 70043, 50132, 50133, 54005, 50076, 50078, 50079,
        50074, 50158, 53000, 53001, 90094, 90095, 53003, 530032, 50105, 50057, 500011, 700016, 650052,
        7000215, 7000222, 700027, 50011, 70011, 50033, 50087, 90006, 90012, 90024, 90033, 90055, 50196,
    ];
    for number in facts {
        assert!(rows().any(|(_, row)| row.number == *number), "AADSTS{number}");
    }
}

#[tokio::test]
async fn what_is_answered_without_a_number_is_sorted_by_the_protocol() {
    let (server, provider) = microsoft().await;
    for (status, error, suberror, cause) in [
        (400, "invalid_grant", None, "sign_in_again"),
        (400, "interaction_required", None, "more_proof_required"),
        (400, "invalid_grant", Some("message_only"), "blocked_by_policy"),
        (400, "invalid_grant", Some("consent_required"), "consent_required"),
        (401, "invalid_client", None, "client_refused"),
        (400, "invalid_scope", None, "scope_refused"),
        (503, "temporarily_unavailable", None, "provider_busy"),
        (500, "invalid_grant", None, "provider_fault"),
        (429, "invalid_grant", None, "provider_busy"),
    ] {
        let answer =
            ResponseTemplate::new(status).set_body_json(json!({ "error": error, "suberror": suberror }));
        let mock = Mock::given(method("POST")).and(path(TOKEN_PATH));
        let _guard = mock.respond_with(answer).mount_as_scoped(&server).await;
        assert_eq!(
            refresh(&provider).await.code(),
            cause,
            "{status} {error} {suberror:?}"
        );
    }
}

#[tokio::test]
async fn a_challenge_goes_into_the_next_request_word_for_word() {
    let (server, provider) = microsoft().await;
    let (_, challenged) = rows().find(|(_, row)| row.number == 50076).unwrap();
    let _guard = answer(&server, challenged).await;
    let claims = refresh(&provider).await.claims;
    let redirect = "https://postroom.example/oauth/callback".parse().unwrap();
    let options = AuthorizationOptions {
        claims: claims.as_deref(),
        ..AuthorizationOptions::default()
    };
    let request = provider.authorization_request(&redirect, options).unwrap();
    assert_eq!(parameter(&request.url, "claims").as_deref(), Some(CHALLENGE));
}
