//! Google's service accounts, at the testbed: it checks signature, times and delegation, and says no in Google's words.

use std::path::Path;
use std::time::Duration;

use crate::support::{connect, mailbox, of_kind, on_loopback, providers};
use postroom_events::WhoCanAct;
use postroom_oauth::TokenError;
use postroom_providers::{OAuthRegistration, RegistrationKind};
use postroom_test_support::{ImapStatus, Testbed, xoauth2};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

fn registration(key: &Path) -> OAuthRegistration {
    of_kind("google", RegistrationKind::ServiceAccount { key: key.to_owned() })
}

struct KeyFile {
    directory: tempfile::TempDir,
}

impl KeyFile {
    fn of(key: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("key.json"), key.to_string()).unwrap();
        Self { directory }
    }

    fn registration(&self) -> OAuthRegistration {
        registration(&self.directory.path().join("key.json"))
    }
}

async fn refused(key: &Value, address: &str) -> TokenError {
    let file = KeyFile::of(key);
    let provider = connect(file.registration(), Duration::from_secs(20))
        .await
        .unwrap();
    provider.obtain(mailbox(address)).await.unwrap_err()
}

#[tokio::test]
async fn it_opens_the_mailbox_that_it_acts_for_and_no_other() {
    let testbed = Testbed::load().unwrap();
    let key = testbed.openid().create_service_account(true).await.unwrap();
    let (user, other) = (
        testbed.create_user("sa-user").unwrap(),
        testbed.create_user("sa-other").unwrap(),
    );
    let file = KeyFile::of(&key);
    let provider = connect(file.registration(), Duration::from_secs(20))
        .await
        .unwrap();
    assert_eq!((provider.name(), provider.is_delegated()), ("Gmail", false));
    let tokens = provider.obtain(mailbox(&user.address)).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    for (address, status) in [(&user.address, ImapStatus::Ok), (&other.address, ImapStatus::No)] {
        let mut imap = testbed.imap_client().await.unwrap();
        let response = xoauth2(address, tokens.access_token.expose_secret());
        assert_eq!(
            imap.authenticate("XOAUTH2", &response).await.unwrap().status,
            status
        );
    }
}

#[tokio::test]
async fn every_refusal_ends_in_who_can_act() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("sa-refused").unwrap();
    let good = testbed.openid().create_service_account(true).await.unwrap();
    let undelegated = testbed.openid().create_service_account(false).await.unwrap();
    let with = |name: &str, value: &Value| {
        let mut key = good.clone();
        key[name] = value.clone();
        key
    };
    let unknown_account = with("client_email", &json!("nobody@testbed.iam.gserviceaccount.com"));
    let other_key = with("private_key", &undelegated["private_key"]);
    let cases = [
        (&good, "nobody@example.test", "mailbox_unknown", WhoCanAct::User),
        (
            &undelegated,
            &user.address,
            "delegation_missing",
            WhoCanAct::Administrator,
        ),
        (
            &other_key,
            &user.address,
            "service_key_refused",
            WhoCanAct::Operator,
        ),
        (
            &unknown_account,
            &user.address,
            "service_key_refused",
            WhoCanAct::Operator,
        ),
        (
            &good,
            "ada@other.example",
            "mailbox_not_covered",
            WhoCanAct::Operator,
        ),
    ];
    for (key, address, code, who) in cases {
        let error = refused(key, address).await;
        assert_eq!((error.code(), error.who_acts()), (code, who));
    }
}

#[test]
fn a_key_file_that_cannot_be_used_is_named_at_the_start() {
    let key = json!({
        "type": "service_account", "client_email": "a@b.example", "private_key": "canary",
        "private_key_id": "1", "token_uri": "https://oauth2.googleapis.com/token"
    });
    let with = |name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    for (key, words) in [
        (key.clone(), "holds no private key"),
        (
            with("type", json!("authorized_user")),
            "something else than a service account",
        ),
        (with("token_uri", json!("canary")), "not a JSON key"),
        (json!("canary"), "not a JSON key"),
    ] {
        let file = KeyFile::of(&key);
        let error = providers(file.registration(), &on_loopback()).unwrap_err();
        assert!(
            error.contains("`r`") && error.contains(words) && !error.contains("canary"),
            "{error}"
        );
    }
    let error = providers(registration(Path::new("/nowhere/key.json")), &on_loopback()).unwrap_err();
    assert!(error.contains("/nowhere/key.json cannot be read"), "{error}");
}
