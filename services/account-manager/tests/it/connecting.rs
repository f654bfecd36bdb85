//! A mailbox from connecting to disconnecting, by password, on the real servers.

use std::time::Duration;

use postroom_events::{AccountState, EventMetadata, WhoCanAct};
use postroom_store::{
    accounts::{self, StateChange},
    credentials::{self, SignInMaterial},
};
use postroom_test_support::eventually;
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::rig::Rig;

#[tokio::test]
async fn a_proved_password_connects() {
    let rig = Rig::start().await;
    let (user, id) = rig.connected("connect").await;
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    assert_eq!(account["state"], "syncing");
    assert_eq!(account["method"], "password");
    assert_eq!(account["sending"]["condition"], "ok");
    assert_eq!(account["imap"]["tls"], "implicit");
    assert!(!account.to_string().contains(&user.password));
    assert_eq!(
        rig.event_types().await,
        ["account.connected", "account.state_changed"]
    );
    let row = accounts::find(rig.store.read(), id).await.unwrap();
    let material = credentials::load(rig.store.read(), &rig.keys, &row)
        .await
        .unwrap();
    let SignInMaterial::Password { password } = material else {
        panic!("{material:?}")
    };
    assert_eq!(password.expose_secret(), user.password);
}

#[tokio::test]
async fn the_same_address_twice_names_the_account_that_is_there() {
    let rig = Rig::start().await;
    let (user, id) = rig.connected("twice").await;
    let (status, problem) = rig.post("/v1/accounts", &rig.by_password(&user)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(
        (problem["code"].as_str(), problem["account_id"].as_str()),
        (Some("account_exists"), Some(id.to_string().as_str()))
    );
}

#[tokio::test]
async fn pause_resume_disconnect() {
    live_and_end(Rig::start().await).await;
}

#[tokio::test]
async fn pause_resume_disconnect_on_postgres() {
    live_and_end(Rig::start_on_postgres().await).await;
}

async fn live_and_end(rig: Rig) {
    let (_, id) = rig.connected("lifecycle").await;
    let path = format!("/v1/accounts/{id}");
    let (_, paused) = rig.post(&format!("{path}/pause"), &json!({})).await;
    assert_eq!(
        (paused["state"].as_str(), paused["next_step"]["kind"].as_str()),
        (Some("paused"), Some("resume"))
    );
    rig.post(&format!("{path}/pause"), &json!({})).await;
    let (_, resumed) = rig.post(&format!("{path}/resume"), &json!({})).await;
    assert_eq!(resumed["state"], "syncing");
    let (_, gone) = rig
        .post(&format!("{path}/disconnect"), &json!({"purge": true}))
        .await;
    assert_eq!(
        (gone["state"].as_str(), gone["credential_generation"].as_i64()),
        (Some("disconnected"), Some(2))
    );
    for action in ["pause", "resume", "disconnect", "send", "sync"] {
        let (status, problem) = rig.post(&format!("{path}/{action}"), &json!({})).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::CONFLICT, Some("account_disconnected")),
            "{action}"
        );
    }
    let (_, list) = rig.get("/v1/accounts").await;
    assert_eq!(list["items"], json!([]));
    let events = rig.event_types().await;
    let count = |name: &str| events.iter().filter(|event| *event == name).count();
    assert_eq!(
        count("account.settings_changed"),
        2,
        "pausing twice is pausing once: {events:?}"
    );
    assert_eq!(count("account.disconnected"), 1);
}

#[tokio::test]
async fn connecting_again_keeps_the_account_and_a_wrong_password_changes_nothing() {
    connected_again(Rig::start().await).await;
}

#[tokio::test]
async fn connecting_again_keeps_the_account_on_postgres() {
    connected_again(Rig::start_on_postgres().await).await;
}

async fn connected_again(rig: Rig) {
    let (mut user, id) = rig.connected("again").await;
    let tx = rig.store.begin("test.reauthorization").await.unwrap();
    let change = StateChange {
        account_id: id,
        credential_generation: Some(1),
        from: &[AccountState::Syncing],
        to: AccountState::NeedsReauthorization,
        cause: Some("password_refused"),
        who_can_act: WhoCanAct::User,
    };
    let metadata = EventMetadata::started_by("imap-fetcher", rig.tenant.id);
    accounts::change_state(&tx, &metadata, change).await.unwrap();
    tx.commit().await.unwrap();
    rig.testbed
        .set_password(&mut user, "another-password")
        .await
        .unwrap();

    let path = format!("/v1/accounts/{id}");
    let (_, stuck) = rig.get(&path).await;
    assert_eq!(stuck["next_step"]["kind"], "reconnect");
    assert!(
        stuck["sentence"].as_str().unwrap().contains(&user.address),
        "{stuck}"
    );
    let wrong = json!({"method": "password", "password": "still the old one"});
    let (status, problem) = rig.post(&format!("{path}/reconnect"), &wrong).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (422, Some("imap_password_refused"))
    );
    let (_, same) = rig.get(&path).await;
    assert_eq!(
        (same["state"].as_str(), same["credential_generation"].as_i64()),
        (Some("needs_reauthorization"), Some(1))
    );

    let right = json!({"method": "app_password", "password": "another-password"});
    // Dovecot looks at a user's file once a second.
    let account = eventually(
        Duration::from_secs(5),
        "the new password to be taken",
        async || {
            let (status, account) = rig.post(&format!("{path}/reconnect"), &right).await;
            if status == StatusCode::OK {
                Ok(account)
            } else {
                Err(account)
            }
        },
    )
    .await;
    assert_eq!(
        (account["id"].as_str(), account["state"].as_str()),
        (Some(id.to_string().as_str()), Some("syncing"))
    );
    assert_eq!(
        (
            account["method"].as_str(),
            account["credential_generation"].as_i64()
        ),
        (Some("app_password"), Some(2))
    );
    let events = rig.event_types().await;
    assert!(
        events.contains(&"account.authentication_method_changed".to_owned()),
        "{events:?}"
    );
}
