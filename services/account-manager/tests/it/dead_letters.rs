//! Dead letters: seen by their owner, settled once.

use postroom_events::{AccountId, Consumer, EventId, EventMetadata, ReplayId, SyncRequested, TenantId};
use postroom_store::{
    dead_letters::{self, NewDeadLetter},
    events, retries,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{Rig, answer};

/// A delivery that imap-fetcher gave up. With a `body`, that is what is left of it.
async fn given_up(rig: &Rig, tenant_id: TenantId, body: Option<&str>) -> (String, EventId) {
    let sync = SyncRequested {
        account_id: AccountId::generate(),
        folder_id: None,
    };
    let tx = rig.store.begin("test.given_up").await.unwrap();
    let metadata = EventMetadata::started_by("test", tenant_id);
    let written = events::append(&tx, &metadata, vec![sync.into()]).await.unwrap();
    let (event_id, replay_id) = (written[0].id, ReplayId::FIRST_RUN);
    let reason = "the server was away".to_owned();
    let mut letter = NewDeadLetter::of(Consumer::ImapFetcher, written[0].clone(), replay_id, reason, 7);
    if let Some(body) = body {
        letter.body = body.into();
    }
    let id = dead_letters::keep(&tx, letter).await.unwrap();
    tx.commit().await.unwrap();
    (id.to_string(), event_id)
}

async fn act(rig: &Rig, id: &str, action: &str) -> (StatusCode, Value) {
    rig.post(&format!("/v1/dead-letters/{id}/{action}"), &json!({}))
        .await
}

async fn settled_once(rig: Rig) {
    let (id, event_id) = given_up(&rig, rig.tenant.id, None).await;
    let (_, listed) = rig.get("/v1/dead-letters").await;
    assert_eq!(listed["items"][0]["id"], id, "{listed}");

    // As by two people who press the button at the same time.
    let (one, other) = tokio::join!(act(&rig, &id, "requeue"), act(&rig, &id, "discard"));
    let (won, lost) = if one.0 == StatusCode::OK {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(won.0, StatusCode::OK, "{}", won.1);
    assert_eq!(lost.0, StatusCode::CONFLICT, "{}", lost.1);
    assert_eq!(lost.1["code"], "dead_letter_settled");
    let requeued = won.1["settled_as"] == "requeued";
    let planned = retries::planned(rig.store.read(), event_id).await.unwrap();
    assert_eq!(planned, requeued, "it comes again if that was what won");
    let (status, again) = act(&rig, &id, "requeue").await;
    assert_eq!(
        (status, again["code"].as_str()),
        (StatusCode::CONFLICT, Some("dead_letter_settled"))
    );
    let (_, listed) = rig.get("/v1/dead-letters").await;
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn of_two_who_settle_a_dead_letter_one_is_told_that_it_is_too_late() {
    settled_once(Rig::start().await).await;
}

#[tokio::test]
async fn of_two_who_settle_a_dead_letter_one_is_told_that_it_is_too_late_on_postgres() {
    settled_once(Rig::start_on_postgres().await).await;
}

#[tokio::test]
async fn one_that_cannot_be_read_stays_open_and_can_be_discarded() {
    let rig = Rig::start().await;
    let (id, event_id) = given_up(&rig, rig.tenant.id, Some("{\"cut o")).await;
    let (status, refused) = act(&rig, &id, "requeue").await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (StatusCode::CONFLICT, Some("dead_letter_unreadable"))
    );
    assert!(!retries::planned(rig.store.read(), event_id).await.unwrap());
    let (status, discarded) = act(&rig, &id, "discard").await;
    assert_eq!(status, StatusCode::OK, "{discarded}");
    assert_eq!(discarded["settled_as"], "discarded");
}

#[tokio::test]
async fn another_tenants_dead_letter_does_not_exist() {
    let rig = Rig::start().await;
    let other = rig.another_tenant().await;
    let (id, _) = given_up(&rig, other.id, None).await;
    for action in ["requeue", "discard"] {
        let (status, refused) = act(&rig, &id, action).await;
        assert_eq!(
            (status, refused["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("dead_letter_not_found"))
        );
    }
    let listed = rig.ask_as(&other, Method::GET, "/v1/dead-letters").send().await;
    let (_, listed) = answer(listed.unwrap()).await;
    assert_eq!(listed["items"][0]["id"], id, "untouched");
}
