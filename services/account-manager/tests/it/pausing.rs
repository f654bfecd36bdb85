//! A paused account comes back to what it was, or to what has become of it since.

use postroom_events::{AccountId, AccountState, EventMetadata, WhoCanAct};
use postroom_store::accounts::{self, StateChange};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::rig::Rig;

/// What whoever looks after the mailbox, or its token, has observed. It does not ask whether the account is paused.
async fn observe(rig: &Rig, id: AccountId, to: AccountState, cause: &str, who_can_act: WhoCanAct) {
    use AccountState::{Connected, Connecting, Syncing, Unreachable};
    let tx = rig.store.begin("test.observe").await.unwrap();
    let change = StateChange {
        account_id: id,
        credential_generation: Some(1),
        from: &[Connecting, Syncing, Connected, Unreachable],
        to,
        cause: Some(cause),
        who_can_act,
    };
    let metadata = EventMetadata::started_by("imap-fetcher", rig.tenant.id);
    assert!(accounts::change_state(&tx, &metadata, change).await.unwrap());
    tx.commit().await.unwrap();
}

async fn act(rig: &Rig, id: AccountId, action: &str) -> Value {
    let (status, account) = rig.post(&format!("/v1/accounts/{id}/{action}"), &json!({})).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    account
}

#[track_caller]
fn is(account: &Value, state: &str, cause: Option<&str>, who: &str, next_step: Option<&str>) {
    assert_eq!(
        (
            account["state"].as_str(),
            account["cause"].as_str(),
            account["who_can_act"].as_str(),
            account["next_step"]["kind"].as_str(),
        ),
        (Some(state), cause, Some(who), next_step),
        "{account}"
    );
}

#[tokio::test]
async fn who_had_to_sign_in_before_the_pause_has_to_after_it() {
    signs_in_after_the_pause(Rig::start().await).await;
}

#[tokio::test]
async fn who_had_to_sign_in_before_the_pause_has_to_after_it_on_postgres() {
    signs_in_after_the_pause(Rig::start_on_postgres().await).await;
}

async fn signs_in_after_the_pause(rig: Rig) {
    let (_, id) = rig.connected("before-the-pause").await;
    let refused = Some("password_refused");
    let needed = AccountState::NeedsReauthorization;
    observe(&rig, id, needed, "password_refused", WhoCanAct::User).await;
    for _ in 0..2 {
        let paused = act(&rig, id, "pause").await;
        is(&paused, "paused", Some("paused_by_user"), "user", Some("resume"));
        act(&rig, id, "pause").await;
        let resumed = act(&rig, id, "resume").await;
        is(
            &resumed,
            "needs_reauthorization",
            refused,
            "user",
            Some("reconnect"),
        );
    }
}

#[tokio::test]
async fn what_is_observed_during_the_pause_is_seen_after_it() {
    seen_after_the_pause(Rig::start().await).await;
}

#[tokio::test]
async fn what_is_observed_during_the_pause_is_seen_after_it_on_postgres() {
    seen_after_the_pause(Rig::start_on_postgres().await).await;
}

async fn seen_after_the_pause(rig: Rig) {
    let (_, id) = rig.connected("during-the-pause").await;
    act(&rig, id, "pause").await;
    let before = rig.event_types().await;
    let (state, cause) = (AccountState::AwaitingAdmin, "admin_approval_required");
    observe(&rig, id, state, cause, WhoCanAct::Administrator).await;
    assert_eq!(rig.event_types().await, before, "people see a paused account");
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    is(&account, "paused", Some("paused_by_user"), "user", Some("resume"));
    let resumed = act(&rig, id, "resume").await;
    let ask = Some("ask_administrator");
    is(&resumed, "awaiting_admin", Some(cause), "administrator", ask);
}

#[tokio::test]
async fn who_has_signed_in_again_during_the_pause_is_not_asked_after_it() {
    let rig = Rig::start().await;
    let (user, id) = rig.connected("again-in-the-pause").await;
    let needed = AccountState::NeedsReauthorization;
    observe(&rig, id, needed, "password_refused", WhoCanAct::User).await;
    act(&rig, id, "pause").await;
    let way_in = json!({ "method": "password", "password": user.password });
    let (status, account) = rig.post(&format!("/v1/accounts/{id}/reconnect"), &way_in).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    assert_eq!(account["state"], "paused");
    is(&act(&rig, id, "resume").await, "syncing", None, "nobody", None);
}
