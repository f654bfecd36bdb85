//! Mix-up of two providers (RFC 9700 section 4.4, RFC 9207): one of them is the testbed's real one, the other is an
//! attacker's, and must never see a code of the first.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{connect, parameter, registration};
use postroom_oauth::{
    AuthorizationOptions, AuthorizationRequest, CodeExchange, IdentityProvider, TokenError,
};
use postroom_test_support::{Decision, TestUser, Testbed};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const REDIRECT: &str = "http://127.0.0.1:8025/oauth/callback";

fn redirect() -> Url {
    REDIRECT.parse().unwrap()
}

/// An attacker's provider. It promises to name itself, or not, and counts on getting a code.
async fn attacker(names_itself: bool) -> (MockServer, Arc<IdentityProvider>) {
    let server = MockServer::start().await;
    let metadata = json!({
        "issuer": server.uri(),
        "authorization_endpoint": format!("{}/authorize", server.uri()),
        "token_endpoint": format!("{}/token", server.uri()),
        "authorization_response_iss_parameter_supported": names_itself
    });
    Mock::given(path("/.well-known/openid-configuration"))
        .respond_with(ResponseTemplate::new(200).set_body_json(metadata))
        .mount(&server)
        .await;
    Mock::given(path("/token"))
        .respond_with(ResponseTemplate::new(400))
        .expect(0)
        .mount(&server)
        .await;
    let provider = connect(
        registration(&server.uri(), "evil-client", None),
        Duration::from_secs(5),
    );
    (server, provider.await.unwrap())
}

struct Honest {
    testbed: Testbed,
    user: TestUser,
    client_id: String,
    provider: Arc<IdentityProvider>,
}

impl Honest {
    async fn new(name: &str) -> Self {
        let testbed = Testbed::load().unwrap();
        let user = testbed.create_user(name).unwrap();
        let client = testbed.openid().create_client(REDIRECT).await.unwrap();
        let registration = registration(&testbed.openid_address.issuer, &client.id, Some(&client.secret));
        let provider = connect(registration, Duration::from_secs(20)).await.unwrap();
        Self {
            testbed,
            user,
            client_id: client.id,
            provider,
        }
    }

    /// Walks through the honest provider's pages and returns where it sends the browser.
    async fn walk(&self, url: &Url) -> Url {
        let openid = self.testbed.openid();
        openid
            .sign_in(&self.user, url.as_str(), Decision::Accept)
            .await
            .unwrap()
    }
}

fn begin(provider: &IdentityProvider) -> AuthorizationRequest {
    provider
        .authorization_request(&redirect(), AuthorizationOptions::default())
        .unwrap()
}

async fn exchange(
    provider: &IdentityProvider,
    request: &AuthorizationRequest,
    back: &Url,
) -> Result<(), TokenError> {
    let code = SecretString::from(parameter(back, "code").unwrap());
    let issuer = parameter(back, "iss");
    let exchange = CodeExchange {
        code: &code,
        issuer: issuer.as_deref(),
        redirect_url: &redirect(),
        pkce_verifier: &request.pkce_verifier,
        nonce: &request.nonce,
    };
    provider.exchange_code(exchange).await.map(drop)
}

#[tokio::test]
async fn a_code_of_the_honest_provider_never_reaches_the_attackers() {
    let honest = Honest::new("mixup-honest").await;
    for names_itself in [true, false] {
        let (_server, evil) = attacker(names_itself).await;
        // The person chose the attacker's provider; that sends the browser on to the honest one, in our name there, with
        // the state and the challenge of the request that it got.
        let request = begin(&evil);
        let mut url = begin(&honest.provider).url;
        let swapped: Vec<_> = url
            .query_pairs()
            .into_owned()
            .map(|(name, value)| match name.as_str() {
                "state" | "code_challenge" | "nonce" => {
                    let theirs = parameter(&request.url, &name).unwrap();
                    (name, theirs)
                }
                _ => (name, value),
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(swapped);
        assert_eq!(
            parameter(&url, "client_id").as_deref(),
            Some(honest.client_id.as_str())
        );
        let back = honest.walk(&url).await;
        assert_eq!(
            parameter(&back, "state").as_deref(),
            Some(request.csrf_state.expose_secret()),
            "the state fits: only the issuer tells"
        );
        let error = exchange(&evil, &request, &back).await.unwrap_err();
        assert_eq!(error.code(), "sign_in_mixed_up");
    }
}

#[tokio::test]
async fn an_answer_of_another_provider_is_refused_be_it_a_code_or_an_error() {
    let honest = Honest::new("mixup-error").await;
    let (server, evil) = attacker(true).await;
    let (issuer, theirs) = (honest.testbed.openid_address.issuer.clone(), server.uri());
    for (provider, named, fits) in [
        (&honest.provider, Some(issuer.as_str()), true),
        (&honest.provider, Some(theirs.as_str()), false),
        (&honest.provider, None, false),
        (&evil, Some(theirs.as_str()), true),
        (&evil, Some(issuer.as_str()), false),
        (&evil, None, false),
    ] {
        assert_eq!(provider.check_issuer_parameter(named).is_ok(), fits, "{named:?}");
    }
}

#[tokio::test]
async fn a_code_of_one_sign_in_is_of_no_use_in_another() {
    // Code injection: a code that was caught elsewhere is put into the attacker's own sign-in at the same provider.
    let honest = Honest::new("mixup-inject").await;
    let (victims, attackers) = (begin(&honest.provider), begin(&honest.provider));
    let back = honest.walk(&victims.url).await;
    let error = exchange(&honest.provider, &attackers, &back).await.unwrap_err();
    assert_eq!(error.code(), "code_used_or_expired", "PKCE binds it");
}

#[tokio::test]
async fn a_provider_without_an_issuer_is_told_by_its_host() {
    let provider = connect(registration("yahoo", "client", None), Duration::from_secs(5))
        .await
        .unwrap();
    assert!(provider.check_issuer_parameter(None).is_ok());
    assert!(
        provider
            .check_issuer_parameter(Some("https://api.login.yahoo.com"))
            .is_ok()
    );
    for other in ["https://accounts.google.com", "https://evil.example", ""] {
        let refused = provider.check_issuer_parameter(Some(other)).unwrap_err();
        assert_eq!(refused.code(), "sign_in_mixed_up", "{other}");
    }
}
