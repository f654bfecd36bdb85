//! The OpenID provider: login, permission, tokens, rotation, faults.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postroom_test_support::{
    Consent, Decision, Fault, FaultMode, OpenId, Revoke, Rotation, Settings, TestUser, Testbed, TokenSet,
    WebClient,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";
const CALLBACK: &str = "http://127.0.0.1:8025/oauth/callback";

struct Setting {
    testbed: Testbed,
    openid: OpenId,
    user: TestUser,
    client: WebClient,
    http: reqwest::Client,
}

/// An answer of the token endpoint.
struct Answer {
    status: u16,
    body: Value,
}

impl Setting {
    async fn new(prefix: &str) -> Result<Self> {
        let testbed = Testbed::load()?;
        let openid = testbed.openid();
        let user = testbed.create_user(prefix)?;
        let client = openid.create_client(CALLBACK).await?;
        Ok(Self {
            testbed,
            openid,
            user,
            client,
            http: reqwest::Client::new(),
        })
    }

    async fn discovery(&self, path: &str) -> Result<Value> {
        Ok(self
            .http
            .get(format!("{}{path}", self.testbed.openid_address.issuer))
            .send()
            .await?
            .json()
            .await?)
    }

    fn authorization_url(&self, endpoint: &str, redirect: &str) -> Result<Url> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let scope = "openid email profile offline_access https://outlook.office.com/IMAP.AccessAsUser.All";
        Ok(Url::parse_with_params(
            endpoint,
            [
                ("client_id", self.client.id.as_str()),
                ("response_type", "code"),
                ("redirect_uri", redirect),
                ("scope", scope),
                ("state", "the-state"),
                ("nonce", "the-nonce"),
                ("login_hint", &self.user.address),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )?)
    }

    async fn authorize(&self, decision: Decision) -> Result<Url> {
        let url = format!(
            "{}/common/oauth2/v2.0/authorize",
            self.testbed.openid_address.issuer
        );
        self.openid
            .sign_in(
                &self.user,
                self.authorization_url(&url, CALLBACK)?.as_str(),
                decision,
            )
            .await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> reqwest::Result<Answer> {
        let url = format!("{}/common/oauth2/v2.0/token", self.testbed.openid_address.issuer);
        let client = [
            ("client_id", self.client.id.as_str()),
            ("client_secret", &self.client.secret),
        ];
        let response = self
            .http
            .post(url)
            .form(&[&client, fields].concat())
            .send()
            .await?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: response.json().await.unwrap_or_default(),
        })
    }

    async fn refresh(&self, refresh_token: &str) -> reqwest::Result<Answer> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)])
            .await
    }

    async fn mint(&self) -> Result<TokenSet> {
        self.openid.mint(&self.user, &self.client.id).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<()> {
        self.openid
            .configure(
                &self.user,
                Settings {
                    rotation: Some(rotation),
                    ..Settings::default()
                },
            )
            .await
    }
}

impl Answer {
    fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn discovery_tells_microsofts_paths() -> Result<()> {
    let setting = Setting::new("discovery").await?;
    let metadata = setting.discovery("/.well-known/openid-configuration").await?;
    assert_eq!(metadata["issuer"], setting.testbed.openid_address.issuer);
    for (name, path) in [
        ("authorization_endpoint", "/common/oauth2/v2.0/authorize"),
        ("token_endpoint", "/common/oauth2/v2.0/token"),
        ("jwks_uri", "/common/discovery/v2.0/keys"),
    ] {
        assert!(
            metadata[name].as_str().context("missing")?.ends_with(path),
            "{name}: {}",
            metadata[name]
        );
    }
    assert_eq!(
        setting
            .discovery("/common/v2.0/.well-known/openid-configuration")
            .await?,
        metadata
    );
    Ok(())
}

#[tokio::test]
async fn a_code_comes_after_login_and_permission_and_buys_tokens_once() -> Result<()> {
    let setting = Setting::new("code").await?;
    let back = setting.authorize(Decision::Accept).await?;
    assert!(back.as_str().starts_with(CALLBACK), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("the-state"));
    let code = parameter(&back, "code").context("no code")?;
    let exchange = |verifier| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        let setting = &setting;
        async move { setting.token(&fields).await }
    };
    let answer = exchange(VERIFIER).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.text("access_token").len() > 1000 && !answer.text("refresh_token").is_empty());
    let claims = answer.text("id_token").split('.').nth(1).context("not a JWT")?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    assert_eq!(claims["email"], setting.user.address);
    assert_eq!(
        (&claims["nonce"], &claims["aud"]),
        (&"the-nonce".into(), &setting.client.id.clone().into())
    );
    assert_eq!(exchange(VERIFIER).await?.text("error"), "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn a_wrong_verifier_buys_nothing() -> Result<()> {
    let setting = Setting::new("pkce").await?;
    let back = setting.authorize(Decision::Accept).await?;
    let code = parameter(&back, "code").context("no code")?;
    let wrong = VERIFIER.replace('a', "b");
    let answer = setting
        .token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", &wrong),
        ])
        .await?;
    assert_eq!(answer.text("error"), "invalid_grant", "{}", answer.body);
    Ok(())
}

#[tokio::test]
async fn cancel_and_a_wrong_password_bring_no_code() -> Result<()> {
    let mut setting = Setting::new("cancel").await?;
    let back = setting.authorize(Decision::Cancel).await?;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "code"), None);
    setting.user.password = "wrong".to_owned();
    let error = setting.authorize(Decision::Accept).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("account or password is incorrect"),
        "{error:#}"
    );
    Ok(())
}

#[tokio::test]
async fn permission_can_be_taken_as_given() -> Result<()> {
    let setting = Setting::new("auto").await?;
    setting
        .openid
        .configure(
            &setting.user,
            Settings {
                consent: Some(Consent::Auto),
                ..Settings::default()
            },
        )
        .await?;
    // Cancel would be pressed on the page; the page does not come
    let back = setting.authorize(Decision::Cancel).await?;
    assert!(parameter(&back, "code").is_some(), "{back}");
    Ok(())
}

#[tokio::test]
async fn a_redirect_address_counts_only_when_registered() -> Result<()> {
    let setting = Setting::new("redirect").await?;
    let endpoint = format!(
        "{}/common/oauth2/v2.0/authorize",
        setting.testbed.openid_address.issuer
    );
    let elsewhere = "http://127.0.0.1:9999/oauth/callback";
    let url = setting.authorization_url(&endpoint, elsewhere)?;
    let error = setting
        .openid
        .sign_in(&setting.user, url.as_str(), Decision::Accept)
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("redirect_uri"), "{error:#}");
    setting
        .openid
        .register_redirect(&setting.client.id, elsewhere)
        .await?;
    let back = setting
        .openid
        .sign_in(&setting.user, url.as_str(), Decision::Accept)
        .await?;
    assert!(back.as_str().starts_with(elsewhere));
    assert!(
        setting.authorize(Decision::Accept).await.is_ok(),
        "the first address is no longer registered"
    );
    Ok(())
}

#[tokio::test]
async fn strict_rotation_ends_the_grant_when_a_spent_token_comes_again() -> Result<()> {
    let setting = Setting::new("strict").await?;
    let first = setting.mint().await?.refresh_token;
    let second = setting.refresh(&first).await?;
    assert_eq!(second.status, 200, "{}", second.body);
    assert_ne!(second.text("refresh_token"), first);
    assert_eq!(setting.refresh(&first).await?.text("error"), "invalid_grant");
    assert_eq!(
        setting.refresh(second.text("refresh_token")).await?.text("error"),
        "invalid_grant"
    );
    Ok(())
}

#[tokio::test]
async fn lenient_rotation_keeps_spent_tokens_and_off_gives_no_new_ones() -> Result<()> {
    let setting = Setting::new("lenient").await?;
    setting.rotate(Rotation::Lenient).await?;
    let first = setting.mint().await?.refresh_token;
    for _ in 0..2 {
        let answer = setting.refresh(&first).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_ne!(answer.text("refresh_token"), first);
    }
    setting.rotate(Rotation::Off).await?;
    let same = setting.mint().await?.refresh_token;
    for _ in 0..2 {
        assert_eq!(setting.refresh(&same).await?.text("refresh_token"), same);
    }
    Ok(())
}

#[tokio::test]
async fn an_access_token_lives_as_long_as_its_users_setting_says() -> Result<()> {
    let setting = Setting::new("ttl").await?;
    let neighbour = setting.testbed.create_user("ttl-neighbour")?;
    setting
        .openid
        .configure(
            &setting.user,
            Settings {
                access_token_ttl: Some(7),
                ..Settings::default()
            },
        )
        .await?;
    let tokens = setting.mint().await?;
    assert_eq!(tokens.expires_in, 7);
    assert_eq!(
        setting.refresh(&tokens.refresh_token).await?.body["expires_in"],
        7
    );
    assert_eq!(
        setting
            .openid
            .mint(&neighbour, &setting.client.id)
            .await?
            .expires_in,
        3600
    );
    Ok(())
}

#[tokio::test]
async fn a_revoked_grant_refreshes_no_more() -> Result<()> {
    let setting = Setting::new("revoke").await?;
    let tokens = setting.mint().await?;
    setting.openid.revoke(&setting.user, Revoke::All).await?;
    let answer = setting.refresh(&tokens.refresh_token).await?;
    assert_eq!((answer.status, answer.text("error")), (400, "invalid_grant"));
    Ok(())
}

#[tokio::test]
async fn faults_answer_in_the_providers_place_and_are_counted() -> Result<()> {
    let setting = Setting::new("faults").await?;
    let token = setting.mint().await?.refresh_token;
    for (mode, status, error) in [
        (FaultMode::TooManyRequests, 429, "temporarily_unavailable"),
        (FaultMode::ServerError, 500, "server_error"),
        (FaultMode::Unavailable, 503, "temporarily_unavailable"),
        (FaultMode::InvalidGrant, 400, "invalid_grant"),
        (FaultMode::InvalidClient, 401, "invalid_client"),
        (FaultMode::InteractionRequired, 400, "interaction_required"),
        (FaultMode::ConsentRequired, 400, "invalid_grant"),
        (FaultMode::Html, 200, ""),
    ] {
        let fault = setting
            .openid
            .set_fault(Fault::for_user(mode, &setting.user))
            .await?;
        let answer = setting.refresh(&token).await?;
        assert_eq!((answer.status, answer.text("error")), (status, error), "{mode:?}");
        assert_eq!(fault.hits().await?, 1);
    }
    // none of them has touched the token
    assert_eq!(setting.refresh(&token).await?.status, 200);
    let counts = setting.openid.counts(&setting.user).await?.token;
    assert_eq!(
        (
            counts.total,
            counts.by_grant["refresh_token"],
            counts.by_status["400"]
        ),
        (9, 9, 3)
    );
    Ok(())
}

#[tokio::test]
async fn faults_of_the_connection_lose_the_answer() -> Result<()> {
    let setting = Setting::new("reset").await?;
    let tokens = setting.mint().await?;
    setting
        .openid
        .set_fault(Fault::for_user(FaultMode::Reset, &setting.user))
        .await?;
    assert!(
        setting.refresh(&tokens.refresh_token).await.is_err(),
        "answered after a reset"
    );
    // the request never reached the provider
    let rotated = setting.refresh(&tokens.refresh_token).await?;
    assert_eq!(rotated.status, 200, "{}", rotated.body);

    setting
        .openid
        .set_fault(Fault::for_client(FaultMode::DropAfter, &setting.client.id))
        .await?;
    assert!(
        setting.refresh(rotated.text("refresh_token")).await.is_err(),
        "answered although dropped"
    );
    // this time it did, and under strict rotation the token is spent
    assert_eq!(
        setting
            .refresh(rotated.text("refresh_token"))
            .await?
            .text("error"),
        "invalid_grant"
    );
    Ok(())
}

#[tokio::test]
async fn a_slow_answer_is_right_and_a_hanging_one_does_not_come() -> Result<()> {
    let setting = Setting::new("slow").await?;
    let token = setting.mint().await?.refresh_token;
    let start = std::time::Instant::now();
    let slow = Fault::for_user(FaultMode::Slow, &setting.user).delay(Duration::from_millis(700));
    setting.openid.set_fault(slow).await?;
    let answer = setting.refresh(&token).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(start.elapsed() >= Duration::from_millis(700));
    setting
        .openid
        .set_fault(Fault::for_user(FaultMode::Hang, &setting.user))
        .await?;
    let patience = Duration::from_millis(500);
    let hanging = tokio::time::timeout(patience, setting.refresh(answer.text("refresh_token"))).await;
    assert!(hanging.is_err(), "it answered");
    Ok(())
}
