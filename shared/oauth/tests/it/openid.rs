//! Against a real OpenID provider: the whole way through its pages, rotation, revocation, and its faults.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{connect, parameter, registration};
use postroom_events::WhoCanAct;
use postroom_oauth::{
    AuthorizationOptions, AuthorizationRequest, CodeExchange, IdentityProvider, RedirectError, Revocation,
    TokenError, Tokens,
};
use postroom_test_support::{Decision, Fault, FaultMode, Rotation, Settings, TestUser, Testbed, WebClient};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

const REDIRECT: &str = "http://127.0.0.1:8025/oauth/callback";

/// A client that no other test has, so that faults can strike it alone.
struct World {
    testbed: Testbed,
    user: TestUser,
    provider: Arc<IdentityProvider>,
    client: WebClient,
}

impl World {
    async fn new(name: &str) -> Self {
        Self::with_time_out(name, Duration::from_secs(20)).await
    }

    async fn with_time_out(name: &str, timeout: Duration) -> Self {
        let testbed = Testbed::load().unwrap();
        let user = testbed.create_user(name).unwrap();
        let client = testbed.openid().create_client(REDIRECT).await.unwrap();
        let registration = registration(&testbed.openid_address.issuer, &client.id, Some(&client.secret));
        let provider = connect(registration, timeout).await.unwrap();
        Self {
            testbed,
            user,
            provider,
            client,
        }
    }

    fn begin(&self) -> AuthorizationRequest {
        let options = AuthorizationOptions {
            login_hint: Some(&self.user.address),
            ..AuthorizationOptions::default()
        };
        self.provider.authorization_request(&redirect(), options).unwrap()
    }

    /// Walks through the provider's pages and returns where it sends the browser.
    async fn walk(&self, request: &AuthorizationRequest, decision: Decision) -> Url {
        let openid = self.testbed.openid();
        let back = openid
            .sign_in(&self.user, request.url.as_str(), decision)
            .await
            .unwrap();
        assert_eq!(
            parameter(&back, "state").as_deref(),
            Some(request.csrf_state.expose_secret())
        );
        back
    }

    async fn exchange(&self, request: &AuthorizationRequest, back: &Url) -> Result<Tokens, TokenError> {
        let code = SecretString::from(parameter(back, "code").expect("a code came back"));
        let issuer = parameter(back, "iss");
        let exchange = CodeExchange {
            code: &code,
            issuer: issuer.as_deref(),
            redirect_url: &redirect(),
            pkce_verifier: &request.pkce_verifier,
            nonce: &request.nonce,
        };
        self.provider.exchange_code(exchange).await
    }

    async fn sign_in(&self) -> Tokens {
        let request = self.begin();
        let back = self.walk(&request, Decision::Accept).await;
        self.exchange(&request, &back).await.unwrap()
    }

    async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, TokenError> {
        self.provider
            .refresh(tokens.refresh_token.as_ref().unwrap())
            .await
    }

    async fn fault(&self, mode: FaultMode) {
        self.set(Fault::for_client(mode, &self.client.id)).await;
    }

    async fn set(&self, fault: Fault) {
        self.testbed.openid().set_fault(fault).await.unwrap();
    }
}

fn redirect() -> Url {
    REDIRECT.parse().unwrap()
}

#[tokio::test]
async fn a_person_signs_in_and_the_grant_lives_on() {
    let world = World::new("oauth-life").await;
    let tokens = world.sign_in().await;
    let identity = tokens.identity.as_ref().unwrap();
    assert!(identity.has_address(&world.user.address), "{identity:?}");
    assert_eq!(identity.issuer, world.testbed.openid_address.issuer);
    assert_eq!(tokens.missing_scopes, Vec::<String>::new());
    assert!(
        tokens.access_token.expose_secret().len() > 1_000,
        "as long as real ones"
    );
    assert_eq!(tokens.expires_in, Duration::from_secs(3600));

    let second = world.refresh(&tokens).await.unwrap();
    assert_ne!(
        second.access_token.expose_secret(),
        tokens.access_token.expose_secret()
    );
    let rotated = second.refresh_token.as_ref().unwrap().expose_secret();
    assert_ne!(
        rotated,
        tokens.refresh_token.as_ref().unwrap().expose_secret(),
        "it rotates"
    );
    let third = world.refresh(&second).await.unwrap();

    let last = third.refresh_token.as_ref().unwrap();
    assert_eq!(world.provider.revoke(last).await.unwrap(), Revocation::Done);
    let dead = world.refresh(&third).await.unwrap_err();
    assert_eq!((dead.code(), dead.who_acts()), ("sign_in_again", WhoCanAct::User));
    assert!(dead.ends_the_grant());
}

#[tokio::test]
async fn a_strict_provider_ends_the_grant_of_who_uses_an_old_token() {
    let world = World::new("oauth-strict").await;
    let first = world.sign_in().await;
    let second = world.refresh(&first).await.unwrap();
    assert_eq!(world.refresh(&first).await.unwrap_err().code(), "sign_in_again");
    assert_eq!(
        world.refresh(&second).await.unwrap_err().code(),
        "sign_in_again",
        "the whole grant is gone"
    );
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again_where_old_tokens_work() {
    let world = World::new("oauth-lost").await;
    let lenient = Settings {
        rotation: Some(Rotation::Lenient),
        ..Settings::default()
    };
    world
        .testbed
        .openid()
        .configure(&world.user, lenient)
        .await
        .unwrap();
    let tokens = world.sign_in().await;
    world.fault(FaultMode::DropAfter).await;
    let lost = world.refresh(&tokens).await.unwrap_err();
    assert_eq!((lost.code(), lost.is_transient()), ("provider_unreachable", true));
    assert!(world.refresh(&tokens).await.is_ok());
}

#[tokio::test]
async fn a_code_works_once_and_only_with_its_own_verifier_and_nonce() {
    let world = World::new("oauth-code").await;
    let request = world.begin();
    let back = world.walk(&request, Decision::Accept).await;
    world.exchange(&request, &back).await.unwrap();
    assert_eq!(
        world.exchange(&request, &back).await.unwrap_err().code(),
        "code_used_or_expired"
    );

    let other = world.begin();
    let back = world.walk(&other, Decision::Accept).await;
    let wrong_verifier = AuthorizationRequest {
        pkce_verifier: request.pkce_verifier.clone(),
        ..other.clone()
    };
    assert_eq!(
        world.exchange(&wrong_verifier, &back).await.unwrap_err().code(),
        "code_used_or_expired"
    );

    let back = world.walk(&other, Decision::Accept).await;
    let (code, issuer) = (parameter(&back, "code").unwrap().into(), parameter(&back, "iss"));
    let exchange = CodeExchange {
        code: &code,
        issuer: issuer.as_deref(),
        redirect_url: &format!("{REDIRECT}/").parse().unwrap(),
        pkce_verifier: &other.pkce_verifier,
        nonce: &other.nonce,
    };
    assert_eq!(
        world.provider.exchange_code(exchange).await.unwrap_err().code(),
        "code_used_or_expired",
        "a redirect URL is exact"
    );

    let back = world.walk(&other, Decision::Accept).await;
    let wrong_nonce = AuthorizationRequest {
        nonce: request.nonce.clone(),
        ..other
    };
    assert_eq!(
        world.exchange(&wrong_nonce, &back).await.unwrap_err().code(),
        "sign_in_mixed_up"
    );
}

#[tokio::test]
async fn a_redirect_in_the_name_of_another_issuer_is_refused_before_the_code_is_shown_to_anybody() {
    let world = World::new("oauth-mixup").await;
    let request = world.begin();
    let code = SecretString::from("stolen");
    for issuer in [Some("https://evil.example"), None] {
        let exchange = CodeExchange {
            code: &code,
            issuer,
            redirect_url: &redirect(),
            pkce_verifier: &request.pkce_verifier,
            nonce: &request.nonce,
        };
        assert_eq!(
            world.provider.exchange_code(exchange).await.unwrap_err().code(),
            "sign_in_mixed_up"
        );
    }
    assert_eq!(
        world
            .testbed
            .openid()
            .counts(&world.user)
            .await
            .unwrap()
            .token
            .total,
        0
    );
}

#[tokio::test]
async fn consent_that_is_refused_says_so() {
    let world = World::new("oauth-declined").await;
    let back = world.walk(&world.begin(), Decision::Cancel).await;
    let (error, description) = (
        parameter(&back, "error").unwrap(),
        parameter(&back, "error_description"),
    );
    let error = world.provider.redirect_error(&RedirectError {
        error: &error,
        suberror: None,
        description: description.as_deref(),
    });
    assert_eq!(
        (error.code(), error.who_acts()),
        ("consent_declined", WhoCanAct::User)
    );
}

#[tokio::test]
async fn a_public_client_needs_no_secret() {
    let testbed = Testbed::load().unwrap();
    let (user, address) = (
        testbed.create_user("oauth-native").unwrap(),
        &testbed.openid_address,
    );
    let registration = registration(&address.issuer, &address.native_client.id, None);
    let provider = connect(registration, Duration::from_secs(20)).await.unwrap();
    let client = WebClient {
        id: address.native_client.id.clone(),
        secret: String::new(),
    };
    let world = World {
        testbed,
        user,
        provider,
        client,
    };
    let tokens = world.sign_in().await;
    let tokens = world.refresh(&tokens).await.unwrap();
    assert_eq!(
        world
            .provider
            .revoke(&tokens.refresh_token.unwrap())
            .await
            .unwrap(),
        Revocation::Done
    );
}

#[tokio::test]
async fn every_fault_of_the_token_endpoint_ends_in_who_can_act() {
    let world = World::new("oauth-faults").await;
    let tokens = world.sign_in().await;
    let cases = [
        (FaultMode::ServerError, "provider_fault", WhoCanAct::Nobody),
        (FaultMode::Unavailable, "provider_busy", WhoCanAct::Nobody),
        (FaultMode::Html, "answer_not_understood", WhoCanAct::Nobody),
        (FaultMode::Reset, "provider_unreachable", WhoCanAct::Nobody),
        (FaultMode::InvalidGrant, "grant_expired", WhoCanAct::User),
        (
            FaultMode::InteractionRequired,
            "more_proof_required",
            WhoCanAct::User,
        ),
        (FaultMode::ConsentRequired, "consent_required", WhoCanAct::User),
        (
            FaultMode::InvalidClient,
            "client_secret_expired",
            WhoCanAct::Operator,
        ),
    ];
    for (mode, code, who) in cases {
        world.fault(mode).await;
        let error = world.refresh(&tokens).await.unwrap_err();
        assert_eq!((error.code(), error.who_acts()), (code, who), "{mode:?}");
    }
    assert!(
        world.refresh(&tokens).await.is_ok(),
        "none of them touched the grant"
    );
}

#[tokio::test]
async fn retry_after_is_handed_on() {
    let world = World::new("oauth-429").await;
    let tokens = world.sign_in().await;
    world
        .set(Fault::for_client(FaultMode::TooManyRequests, &world.client.id).retry_after(17))
        .await;
    let error = world.refresh(&tokens).await.unwrap_err();
    assert_eq!(
        (error.code(), error.retry_after),
        ("provider_busy", Some(Duration::from_secs(17)))
    );
}

#[tokio::test]
async fn a_provider_that_hangs_is_left_in_time() {
    let world = World::with_time_out("oauth-hang", Duration::from_secs(2)).await;
    let tokens = world.sign_in().await;
    world.fault(FaultMode::Hang).await;
    let before = std::time::Instant::now();
    let error = world.refresh(&tokens).await.unwrap_err();
    assert_eq!((error.code(), error.is_transient()), ("provider_timed_out", true));
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_wrong_client_secret_is_the_operators() {
    let world = World::new("oauth-secret").await;
    let tokens = world.sign_in().await;
    let registration = registration(
        &world.testbed.openid_address.issuer,
        &world.client.id,
        Some("wrong"),
    );
    let provider = connect(registration, Duration::from_secs(20)).await.unwrap();
    let error = provider
        .refresh(tokens.refresh_token.as_ref().unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.who_acts()),
        ("client_refused", WhoCanAct::Operator)
    );
    assert!(!error.ends_the_grant());
}

#[tokio::test]
async fn an_issuer_is_taken_to_the_letter() {
    let issuer = Testbed::load().unwrap().openid_address.issuer;
    let error = connect(
        registration(&issuer.replace("localhost", "127.0.0.1"), "c", None),
        Duration::from_secs(5),
    )
    .await;
    assert_eq!(error.unwrap_err().code(), "issuer_mismatch");
    let error = connect(
        registration(&format!("{issuer}/nothing/here"), "c", None),
        Duration::from_secs(5),
    )
    .await;
    assert_eq!(error.unwrap_err().code(), "metadata_unusable");
}

#[tokio::test]
async fn a_grant_survives_a_scope_that_was_added_later() {
    let world = World::new("oauth-scope").await;
    let tokens = world.sign_in().await;
    let WebClient { id, secret } = &world.client;
    let mut registration = registration(&world.testbed.openid_address.issuer, id, Some(secret));
    registration.scopes.as_mut().unwrap().push("profile".to_owned());
    let provider = connect(registration, Duration::from_secs(20)).await.unwrap();
    assert!(
        provider
            .refresh(tokens.refresh_token.as_ref().unwrap())
            .await
            .is_ok()
    );
}
