//! Who follows the log sees every event once, whatever order transactions end in.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::{on_both, postgres, tenant};
use postroom_events::{AccountId, Event, EventId, EventMetadata, SyncRequested, TenantId};
use postroom_store::{
    Backend, EventDelivery, Store, Tx,
    events::{self, EventFilter},
    tenants,
};

/// Somebody who asks for the next page again and again.
#[derive(Default)]
struct Follower {
    after: Option<(DateTime<Utc>, EventId)>,
    seen: Vec<EventId>,
}

impl Follower {
    async fn look(&mut self, store: &Store) -> &[EventId] {
        let filter = EventFilter {
            after: self.after,
            limit: 100,
            ..EventFilter::default()
        };
        for event in events::list(store.read(), &filter).await.unwrap() {
            self.after = Some((event.time, event.id));
            self.seen.push(event.id);
        }
        &self.seen
    }
}

async fn append(tx: &Tx, tenant_id: TenantId, account_id: AccountId) -> EventId {
    let event: Event = SyncRequested {
        account_id,
        folder_id: None,
    }
    .into();
    let metadata = EventMetadata::started_by("test", tenant_id);
    events::append(tx, &metadata, vec![event]).await.unwrap()[0].id
}

async fn appended(store: &Store, tenant_id: TenantId, account_id: AccountId) -> EventId {
    let tx = store.begin("test.append").await.unwrap();
    let id = append(&tx, tenant_id, account_id).await;
    tx.commit().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_committed_late_is_not_passed_by() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let (a, b) = (AccountId::generate(), AccountId::generate());
        let mut follower = Follower::default();
        let before = appended(&store, tenant_id, a).await;
        assert_eq!(follower.look(&store).await, [before], "nothing is open: at once");

        let slow = store.begin("test.slow").await.unwrap();
        let first = append(&slow, tenant_id, a).await;
        let quick = {
            let store = store.clone();
            tokio::spawn(async move { appended(&store, tenant_id, b).await })
        };
        if store.backend() == Backend::Postgres {
            while !quick.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } else {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!quick.is_finished(), "there is one writer");
        }
        assert_eq!(follower.look(&store).await, [before], "the younger one waits");
        slow.commit().await.unwrap();
        let second = quick.await.unwrap();
        assert_eq!(follower.look(&store).await, [before, first, second]);
        assert_eq!(follower.look(&store).await.len(), 3, "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_without_events_holds_nobody_up() {
    let database = postgres(EventDelivery::Queues).await;
    let store = &database.store;
    let tenant_id = tenant(store).await;
    let writing = store.begin("test.writing").await.unwrap();
    tenants::create(&writing, "Another CRM").await.unwrap();
    let id = appended(store, tenant_id, AccountId::generate()).await;
    assert_eq!(Follower::default().look(store).await, [id]);
    writing.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_that_is_kept_or_taken_back_changes_nothing_about_that() {
    let database = postgres(EventDelivery::Queues).await;
    let store = &database.store;
    let tenant_id = tenant(store).await;
    let account_id = AccountId::generate();
    let slow = store.begin("test.slow").await.unwrap();
    let kept = slow.savepoint().await.unwrap();
    let first = append(&kept, tenant_id, account_id).await;
    kept.commit().await.unwrap();
    let taken_back = slow.savepoint().await.unwrap();
    append(&taken_back, tenant_id, account_id).await;
    drop(taken_back);
    let second = appended(store, tenant_id, AccountId::generate()).await;
    let mut follower = Follower::default();
    assert_eq!(follower.look(store).await, []);
    slow.commit().await.unwrap();
    assert_eq!(follower.look(store).await, [first, second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_a_follower_misses_nothing() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut written = Vec::new();
                    for number in 0..20 {
                        let tx = store.begin("test.crowd").await.unwrap();
                        written.push(append(&tx, tenant_id, AccountId::generate()).await);
                        tokio::time::sleep(Duration::from_millis((writer * number) % 7)).await;
                        tx.commit().await.unwrap();
                    }
                    written
                })
            })
            .collect();
        let mut follower = Follower::default();
        while !writers.iter().all(|writer| writer.is_finished()) {
            follower.look(&store).await;
        }
        let mut written = Vec::new();
        for writer in writers {
            written.extend(writer.await.unwrap());
        }
        follower.look(&store).await;
        follower.look(&store).await; // the pages of this test are of 100
        let mut seen = follower.seen;
        seen.sort_unstable();
        written.sort_unstable();
        assert_eq!(seen, written);
    })
    .await;
}
