//! Events: numbered without gaps, handed on in the same transaction, handled once.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{sync::Arc, sync::Mutex, time::Duration};

use common::{account, keys, on_both, postgres, sqlite, tenant};
use postroom_events::{AccountRecovered, Consumer, Event, EventMetadata, ReplayId, SyncRequested, WorkerId};
use postroom_store::{
    Committed, EventDelivery, StoreError, dead_letters, events, handled, outbox, queue,
    retries::{self, Retry},
};

fn sync(account_id: postroom_events::AccountId) -> Event {
    SyncRequested {
        account_id,
        folder_id: None,
    }
    .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_have_no_gaps_even_in_a_crowd_with_rollbacks() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let mut tasks = Vec::new();
        for number in 0..30 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let tx = store.begin("test.append").await.unwrap();
                let metadata = EventMetadata::started_by("test", tenant_id);
                events::append(&tx, &metadata, vec![sync(account.id), sync(account.id)])
                    .await
                    .unwrap();
                if number % 5 == 0 {
                    drop(tx);
                } else {
                    tx.commit().await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let filter = events::EventFilter {
            subject: Some(account.id.0),
            limit: 1000,
            ..Default::default()
        };
        let mut numbers: Vec<_> = events::list(store.read(), &filter)
            .await
            .unwrap()
            .iter()
            .map(|envelope| envelope.sequence)
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=48).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_an_event_is_in_its_consumers_queues_and_their_bells_ring() {
    on_both(|store| async move {
        let heard: Arc<Mutex<Vec<Committed>>> = Arc::default();
        let listener = Arc::clone(&heard);
        store.on_commit(Arc::new(move |committed| {
            listener.lock().unwrap().push(committed.clone())
        }));
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let tx = store.begin("test.append").await.unwrap();
        let metadata = EventMetadata::started_by("test", tenant_id);
        let recovered = AccountRecovered {
            account_id: account.id,
            credential_generation: 1,
        };
        let envelopes = events::append(&tx, &metadata, vec![sync(account.id), recovered.into()])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let queues = heard.lock().unwrap().last().unwrap().queues.clone();
        assert_eq!(
            queues.into_iter().collect::<Vec<_>>(),
            [Consumer::AccountManager, Consumer::ImapFetcher]
        );

        let me = WorkerId::generate();
        let claimed = queue::claim(&store, Consumer::ImapFetcher, me, 10).await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].envelope, serde_json::to_value(&envelopes[0]).unwrap());
        assert!(
            queue::claim(&store, Consumer::ImapFetcher, me, 10)
                .await
                .unwrap()
                .is_empty(),
            "it is taken"
        );
        assert_eq!(
            queue::recover(&store, WorkerId::generate()).await.unwrap(),
            1,
            "a new process takes it over"
        );
        let again = queue::claim(&store, Consumer::ImapFetcher, me, 10).await.unwrap();
        assert_eq!(again[0].delivery_count, 2);
        let dead = [(again[0].position, "it kills workers".to_owned())];
        queue::settle(&store, Consumer::ImapFetcher, &[], &[], &dead)
            .await
            .unwrap();
        assert_eq!(
            queue::depth(store.read(), Consumer::ImapFetcher).await.unwrap(),
            0
        );
        let letters = dead_letters::open(store.read(), Some(tenant_id), 10)
            .await
            .unwrap();
        assert_eq!((letters.len(), letters[0].event_id), (1, Some(envelopes[0].id)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn distributed_an_event_waits_in_the_outbox_until_it_is_published() {
    for database in [
        sqlite(EventDelivery::Outbox).await,
        postgres(EventDelivery::Outbox).await,
    ] {
        let store = &database.store;
        let tenant_id = tenant(store).await;
        let account = account(store, &keys(), tenant_id, "a@example.test").await;
        let tx = store.begin("test.append").await.unwrap();
        let metadata = EventMetadata::started_by("test", tenant_id);
        events::append(
            &tx,
            &metadata,
            vec![sync(account.id), sync(account.id), sync(account.id)],
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();

        let hold = Duration::from_secs(60);
        let first = outbox::claim(store, WorkerId::generate(), 2, hold).await.unwrap();
        let second = outbox::claim(store, WorkerId::generate(), 10, hold)
            .await
            .unwrap();
        assert_eq!(
            (first.len(), second.len()),
            (2, 1),
            "two relays never take the same row"
        );
        assert_eq!(first[0].envelope.sequence, 1, "oldest first");
        outbox::published(store, vec![first[0].position]).await.unwrap();
        outbox::release(store, vec![first[1].position]).await.unwrap();
        let again = outbox::claim(store, WorkerId::generate(), 10, hold)
            .await
            .unwrap();
        assert_eq!(again.len(), 1, "what the broker refused is taken again at once");
        assert_eq!(outbox::waiting(store.read()).await.unwrap(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_handled_once_per_run() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let tx = store.begin("test.append").await.unwrap();
        let metadata = EventMetadata::started_by("test", tenant_id);
        let envelope = events::append(&tx, &metadata, vec![sync(account.id)])
            .await
            .unwrap()
            .remove(0);
        let run = (envelope.id, ReplayId::FIRST_RUN);
        handled::record(&tx, Consumer::ImapFetcher, &[run]).await.unwrap();
        tx.commit().await.unwrap();

        let tx = store.begin("test.again").await.unwrap();
        let twice = handled::record(&tx, Consumer::ImapFetcher, &[run]).await;
        assert!(
            matches!(twice, Err(StoreError::AlreadyExists { .. })),
            "{twice:?}"
        );
        drop(tx);
        let other_run = (envelope.id, ReplayId(uuid::Uuid::now_v7()));
        let known = handled::already(store.read(), Consumer::ImapFetcher, &[run, other_run])
            .await
            .unwrap();
        assert!(known.contains(&run) && !known.contains(&other_run));
        assert!(
            handled::already(store.read(), Consumer::SmtpSender, &[run])
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_due_at_its_time_and_taken_by_one() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let tx = store.begin("test.append").await.unwrap();
        let metadata = EventMetadata::started_by("test", tenant_id);
        let mut envelopes = events::append(&tx, &metadata, vec![sync(account.id), sync(account.id)])
            .await
            .unwrap();
        let now = store.now(tx.db()).await.unwrap();
        for (envelope, after) in envelopes.drain(..).zip([-1, 3600]) {
            let retry = Retry {
                consumer: Consumer::ImapFetcher,
                envelope,
                attempt: 2,
                replay_id: ReplayId::FIRST_RUN,
            };
            retries::schedule(
                &tx,
                &retry,
                now + chrono::TimeDelta::seconds(after),
                "the server was away",
            )
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        let due = retries::claim_due(&store, WorkerId::generate(), 10, Duration::from_secs(60))
            .await
            .unwrap();
        assert_eq!((due.len(), due[0].attempt), (1, 2));
        assert!(
            retries::claim_due(&store, WorkerId::generate(), 10, Duration::from_secs(60))
                .await
                .unwrap()
                .is_empty()
        );
        let tx = store.begin("test.handed_over").await.unwrap();
        retries::handed_over(&tx, &due).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!retries::planned(store.read(), due[0].envelope.id).await.unwrap());
        assert!(retries::next_due(store.read()).await.unwrap().unwrap() > now);
    })
    .await;
}
