//! A stored event that cannot be read stops nobody: it becomes a dead letter, and its neighbours go on.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::time::Duration;

use common::{on_both, postgres, sqlite, tenant};
use postroom_events::{
    AccountId, Consumer, EventEnvelope, EventMetadata, ReplayId, SyncRequested, TenantId, WorkerId,
};
use postroom_store::{
    Backend, ConnectionTrait, DeadLetter, EventDelivery, Store, dead_letters, events, outbox, queue,
    retries::{self, Retry},
};

const HOLD: Duration = Duration::from_secs(60);

/// SQL literals of what stands where an envelope should: an envelope of another kind, and on SQLite, which keeps JSON as
/// text, what is no JSON and no text.
fn damages(store: &Store) -> &'static [&'static str] {
    match store.backend() {
        Backend::Postgres => &["'{\"half\": true}'", "'7'"],
        Backend::Sqlite => &["'{\"half\": true}'", "'{\"cut o'", "x'ff00'"],
    }
}

async fn execute(store: &Store, sql: &str) {
    let tx = store.begin("test.damage").await.unwrap();
    tx.db().execute_unprepared(sql).await.unwrap();
    tx.commit().await.unwrap();
}

/// Appends `count` events that imap-fetcher handles.
async fn append(store: &Store, tenant_id: TenantId, count: usize) -> Vec<EventEnvelope> {
    let account_id = AccountId::generate();
    let sync = SyncRequested {
        account_id,
        folder_id: None,
    };
    let tx = store.begin("test.append").await.unwrap();
    let metadata = EventMetadata::started_by("test", tenant_id);
    let events = vec![sync.into(); count];
    let envelopes = events::append(&tx, &metadata, events).await.unwrap();
    tx.commit().await.unwrap();
    envelopes
}

/// The event's only dead letter, as its owner sees it.
async fn letter(store: &Store, envelope: &EventEnvelope) -> DeadLetter {
    let mut letters = dead_letters::open(store.read(), Some(envelope.tenant_id), 10)
        .await
        .unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = letters.remove(0);
    assert_eq!(letter.event_id, Some(envelope.id));
    assert_eq!(letter.event_type.as_ref(), Some(&envelope.event_type));
    assert_eq!(letter.subject, Some(envelope.subject));
    assert!(!letter.body.is_empty(), "what was stored is kept");
    assert_ne!(letter.body, serde_json::to_vec(envelope).unwrap());
    letter
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_outbox() {
    for database in [
        sqlite(EventDelivery::Outbox).await,
        postgres(EventDelivery::Outbox).await,
    ] {
        let store = &database.store;
        for damage in damages(store) {
            let written = append(store, tenant(store).await, 3).await;
            execute(
                store,
                &format!(
                    "update event_outbox set envelope = {damage} where position = \
                     (select min(position) + 1 from event_outbox)"
                ),
            )
            .await;
            let claimed = outbox::claim(store, WorkerId::generate(), 10, HOLD)
                .await
                .unwrap();
            let ids: Vec<_> = claimed.iter().map(|row| row.envelope.id).collect();
            assert_eq!(ids, [written[0].id, written[2].id], "{damage}");
            assert_eq!(outbox::waiting(store.read()).await.unwrap(), 2);
            let letter = letter(store, &written[1]).await;
            assert_eq!(letter.consumer, outbox::NAME);
            assert!(letter.reason.contains("cannot be read"), "{}", letter.reason);
            outbox::published(store, claimed.iter().map(|row| row.position).collect())
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn among_the_retries() {
    on_both(|store| async move {
        for damage in damages(&store) {
            let written = append(&store, tenant(&store).await, 3).await;
            let tx = store.begin("test.schedule").await.unwrap();
            let now = store.now(tx.db()).await.unwrap();
            for (number, envelope) in written.iter().enumerate() {
                let retry = Retry {
                    consumer: Consumer::ImapFetcher,
                    envelope: envelope.clone(),
                    attempt: 2 + number as i32,
                    replay_id: ReplayId::FIRST_RUN,
                };
                let at = now - chrono::TimeDelta::seconds(10 - number as i64);
                retries::schedule(&tx, &retry, at, "the server was away")
                    .await
                    .unwrap();
            }
            tx.commit().await.unwrap();
            execute(
                &store,
                &format!("update scheduled_retries set envelope = {damage} where attempt = 3"),
            )
            .await;
            let due = retries::claim_due(&store, WorkerId::generate(), 10, HOLD)
                .await
                .unwrap();
            let mut ids: Vec<_> = due.iter().map(|retry| retry.envelope.id).collect();
            ids.sort_unstable();
            assert_eq!(ids, [written[0].id, written[2].id], "{damage}");
            assert!(!retries::planned(store.read(), written[1].id).await.unwrap());
            let letter = letter(&store, &written[1]).await;
            assert_eq!(
                (letter.consumer.as_str(), letter.attempts),
                (Consumer::ImapFetcher.name(), 3)
            );
            let tx = store.begin("test.handed_over").await.unwrap();
            retries::handed_over(&tx, &due).await.unwrap();
            tx.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_a_consumer_of_a_newer_version_waits_for_it() {
    on_both(|store| async move {
        let written = append(&store, tenant(&store).await, 2).await;
        let tx = store.begin("test.schedule").await.unwrap();
        let now = store.now(tx.db()).await.unwrap();
        for (number, envelope) in written.iter().enumerate() {
            let retry = Retry {
                consumer: Consumer::ImapFetcher,
                envelope: envelope.clone(),
                attempt: 2 + number as i32,
                replay_id: ReplayId::FIRST_RUN,
            };
            let at = now - chrono::TimeDelta::seconds(10 - number as i64);
            retries::schedule(&tx, &retry, at, "the server was away")
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        execute(
            &store,
            "update scheduled_retries set consumer = 'tomorrow' where attempt = 2",
        )
        .await;
        let due = retries::claim_due(&store, WorkerId::generate(), 1, HOLD)
            .await
            .unwrap();
        assert_eq!(
            due.iter().map(|retry| retry.envelope.id).collect::<Vec<_>>(),
            [written[1].id],
            "the one that is due longer does not stand in its way"
        );
        let tx = store.begin("test.handed_over").await.unwrap();
        retries::handed_over(&tx, &due).await.unwrap();
        tx.commit().await.unwrap();
        assert!(
            retries::next_due(store.read()).await.unwrap().is_none(),
            "nothing for us"
        );
        assert!(
            retries::planned(store.read(), written[0].id).await.unwrap(),
            "it stays"
        );
        let letters = dead_letters::open(store.read(), None, 10).await.unwrap();
        assert!(letters.is_empty(), "{letters:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_queue_of_the_embedded_bus() {
    const CONSUMER: Consumer = Consumer::ImapFetcher;
    on_both(|store| async move {
        for damage in damages(&store) {
            let written = append(&store, tenant(&store).await, 3).await;
            execute(
                &store,
                &format!(
                    "update queued_deliveries set envelope = {damage} where position = \
                     (select min(position) + 1 from queued_deliveries)"
                ),
            )
            .await;
            assert!(queue::has_waiting(store.read(), CONSUMER).await.unwrap());
            let claimed = queue::claim(&store, CONSUMER, WorkerId::generate(), 10)
                .await
                .unwrap();
            let readable: Vec<_> = claimed
                .iter()
                .map(|delivery| serde_json::from_value::<EventEnvelope>(delivery.envelope.clone()).ok())
                .collect();
            assert_eq!(
                readable,
                [Some(written[0].clone()), None, Some(written[2].clone())]
            );
            let dead = [(claimed[1].position, "It cannot be read.".to_owned())];
            let good = [claimed[0].position, claimed[2].position];
            queue::settle(&store, CONSUMER, &good, &[], &dead).await.unwrap();
            assert_eq!(queue::depth(store.read(), CONSUMER).await.unwrap(), 0);
            assert_eq!(letter(&store, &written[1]).await.consumer, CONSUMER.name());
        }
    })
    .await;
}
