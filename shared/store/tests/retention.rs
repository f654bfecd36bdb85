//! What is old is forgotten, in order and in bounds.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use common::{account, keys, on_both, postgres, sql, tenant};
use postroom_events::{Consumer, EventEnvelope, EventId, EventMetadata, ReplayId, SyncRequested, WorkerId};
use postroom_store::{
    Account, EventDelivery, Store, credentials, dead_letters,
    events::{self, EventFilter},
    grants,
    handled::{self, NewOutcome},
    leases,
    retention::{forget_old_rows, keep_partitions},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const KEEP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

async fn now(store: &Store) -> DateTime<Utc> {
    store.now(store.read()).await.unwrap()
}

async fn an_account(store: &Store) -> Account {
    account(store, &keys(), tenant(store).await, "a@example.test").await
}

/// Events of an account, all of them handled.
async fn handled_events(store: &Store, account: &Account, count: usize) -> Vec<EventEnvelope> {
    let sync = SyncRequested {
        account_id: account.id,
        folder_id: None,
    };
    let metadata = EventMetadata::started_by("test", account.tenant_id);
    let tx = store.begin("test.events").await.unwrap();
    let written = events::append(&tx, &metadata, vec![sync.into(); count])
        .await
        .unwrap();
    let keys: Vec<_> = written
        .iter()
        .map(|event| (event.id, ReplayId::FIRST_RUN))
        .collect();
    handled::record(&tx, Consumer::ImapFetcher, &keys).await.unwrap();
    let at = tx.store().clock().now();
    let outcomes = written.iter().map(|event| NewOutcome {
        consumer: Consumer::ImapFetcher,
        event_id: event.id,
        replay_id: ReplayId::FIRST_RUN,
        attempt: 1,
        verdict: "done",
        error_class: None,
        error: None,
        answers: serde_json::Value::Null,
        caused: Vec::new(),
        started_at: at,
        finished_at: at,
    });
    handled::record_outcomes(&tx, outcomes.collect()).await.unwrap();
    tx.commit().await.unwrap();
    written
}

async fn logged(store: &Store) -> HashSet<EventId> {
    let filter = EventFilter {
        limit: 1000,
        ..Default::default()
    };
    let events = events::list(store.read(), &filter).await.unwrap();
    events.into_iter().map(|event| event.id).collect()
}

/// Events, and how they were handled: rows of each.
async fn counts(store: &Store) -> [i64; 3] {
    let count = |table| sql::count(store, table, []);
    [
        count("event_log").await,
        count("processed_events").await,
        count("handling_outcomes").await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_forgotten_in_bounds_and_never_after_how_they_were_handled() {
    on_both(|store| async move {
        let account = an_account(&store).await;
        let events = handled_events(&store, &account, 25).await;
        let now = now(&store).await;
        assert_eq!(
            forget_old_rows(&store, now + KEEP - DAY, KEEP, 10).await.unwrap(),
            0
        );
        assert_eq!(counts(&store).await, [25, 25, 25]);

        let later = now + KEEP + 5 * DAY;
        for rest in [15, 5] {
            assert_eq!(forget_old_rows(&store, later, KEEP, 10).await.unwrap(), 10);
            assert_eq!(counts(&store).await, [rest, 25, 25], "the log is behind");
        }
        assert_eq!(forget_old_rows(&store, later, KEEP, 10).await.unwrap(), 25);
        assert_eq!(counts(&store).await, [0, 15, 15]);

        // What came since is kept, and so is how it was handled.
        let young = handled_events(&store, &account, 3).await;
        let key = (young[0].id, ReplayId::FIRST_RUN);
        let text = "update processed_events set processed_at = $1 where event_id <> $2";
        let long_ago = now - 3 * DAY;
        sql::run(&store, text, [long_ago.into(), key.0.into()]).await;
        while forget_old_rows(&store, now + KEEP - DAY, KEEP, 10).await.unwrap() > 0 {}
        let known = handled::already(store.read(), Consumer::ImapFetcher, &[key]).await;
        assert!(known.unwrap().contains(&key));
        assert_eq!(logged(&store).await, young.iter().map(|event| event.id).collect());
        assert_eq!(sql::count(&store, "processed_events", []).await, 1);
        assert!(!events.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_batch_is_forgotten_at_once() {
    on_both(|store| async move {
        let account = an_account(&store).await;
        handled_events(&store, &account, 2100).await;
        let later = now(&store).await + KEEP + 5 * DAY;
        assert_eq!(
            forget_old_rows(&store, later, KEEP, 5000).await.unwrap(),
            3 * 2100
        );
        assert_eq!(counts(&store).await, [0, 0, 0]);
    })
    .await;
}

async fn dead_letter(store: &Store, event: &EventEnvelope, settle: bool) {
    let letter = dead_letters::NewDeadLetter::of(
        Consumer::ImapFetcher,
        event.clone(),
        ReplayId::FIRST_RUN,
        "no luck".into(),
        3,
    );
    let tx = store.begin("test.letter").await.unwrap();
    let id = dead_letters::keep(&tx, letter).await.unwrap();
    if settle {
        dead_letters::settle(&tx, id, "discarded").await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_forgotten_and_what_is_open_or_named_stays() {
    on_both(|store| async move {
        let account = an_account(&store).await;
        let event = handled_events(&store, &account, 1).await.remove(0);
        dead_letter(&store, &event, true).await;
        dead_letter(&store, &event, false).await;
        for _ in 0..2 {
            let held = leases::acquire(&store, WorkerId::generate(), 10, DAY)
                .await
                .unwrap();
            if held[0].fencing == 1 {
                leases::release(&store, &held).await.unwrap();
            }
        }
        // One that the account signs in with, and one that it signed in with before.
        let tx = store.begin("test.credentials").await.unwrap();
        let like = account.credential_id.unwrap();
        let grant_id = common::grant(&tx, &keys(), account.tenant_id).await;
        let former = credentials::add_grant(&tx, account.tenant_id, grant_id)
            .await
            .unwrap();
        let living = common::grant(&tx, &keys(), account.tenant_id).await;
        for id in [like, former] {
            credentials::erase(&tx, id).await.unwrap();
        }
        tx.commit().await.unwrap();
        let revoke = "update grants set state = 'revoked' where id = $1";
        sql::run(&store, revoke, [grant_id.into()]).await;

        let counts = async || {
            let mut counts = Vec::new();
            for table in ["dead_letters", "lease_history", "credentials", "grants"] {
                counts.push(sql::count(&store, table, []).await);
            }
            counts
        };
        let now = now(&store).await;
        assert_eq!(
            forget_old_rows(&store, now + KEEP - DAY, KEEP, 100)
                .await
                .unwrap(),
            0
        );
        assert_eq!(counts().await, [2, 2, 2, 2]);
        forget_old_rows(&store, now + KEEP + DAY, KEEP, 100)
            .await
            .unwrap();
        assert_eq!(counts().await, [1, 1, 1, 1]);
        assert_eq!(dead_letters::open(store.read(), None, 10).await.unwrap().len(), 1);
        let holdings = leases::history(store.read(), account.id).await.unwrap();
        assert_eq!(holdings[0].fencing, 2);
        credentials::find(store.read(), account.tenant_id, like)
            .await
            .unwrap();
        grants::find(store.read(), account.tenant_id, living)
            .await
            .unwrap();
    })
    .await;
}

async fn partitions(store: &Store) -> Vec<String> {
    let query = "select inhrelid::regclass::text as text from pg_inherits \
                 where inhparent = 'event_log'::regclass order by 1";
    sql::texts(store, query).await
}

fn month(time: DateTime<Utc>) -> String {
    time.format("event_log_%Y_%m").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_has_a_partition_for_this_month_and_the_next_two_and_drops_those_that_are_past() {
    let database = postgres(EventDelivery::Queues).await;
    let store = &database.store;
    let account = an_account(store).await;
    let now = now(store).await;
    assert_eq!(keep_partitions(store, now, KEEP).await.unwrap(), 0);
    let made = partitions(store).await;
    assert_eq!(made.len(), 4, "{made:?}");
    assert!(made.contains(&month(now)) && made.contains(&"event_log_default".to_owned()));
    assert_eq!(keep_partitions(store, now, KEEP).await.unwrap(), 0);
    assert_eq!(partitions(store).await, made);

    handled_events(store, &account, 3).await;
    assert_eq!(sql::count(store, &month(now), []).await, 3);
    // A month is forgotten as a whole: until it is past, how its events were handled is kept as well.
    forget_old_rows(store, now + KEEP + 3 * DAY, KEEP, 100)
        .await
        .unwrap();
    assert_eq!(counts(store).await, [3, 3, 3]);

    let later = now + KEEP + 35 * DAY;
    assert!(keep_partitions(store, later, KEEP).await.unwrap() >= 1);
    let rest = partitions(store).await;
    assert!(!rest.contains(&month(now)), "{rest:?}");
    assert!(rest.contains(&month(later)), "{rest:?}");
    forget_old_rows(store, later, KEEP, 100).await.unwrap();
    assert_eq!(counts(store).await, [0, 0, 0]);

    // An event whose month has no partition is not lost: the default one takes it, and the month gets none of its own.
    handled_events(store, &account, 2).await;
    assert_eq!(sql::count(store, "event_log_default", []).await, 2);
    assert_eq!(keep_partitions(store, now, KEEP).await.unwrap(), 0);
    assert!(!partitions(store).await.contains(&month(now)));
    forget_old_rows(store, later, KEEP, 100).await.unwrap();
    assert_eq!(sql::count(store, "event_log", []).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_who_keep_the_partitions_at_once_do_no_harm() {
    let database = postgres(EventDelivery::Queues).await;
    let now = now(&database.store).await;
    let both = (0..2).map(|_| keep_partitions(&database.store, now, KEEP));
    for kept in futures::future::join_all(both).await {
        assert_eq!(kept.unwrap(), 0);
    }
    keep_partitions(&database.store, now, KEEP).await.unwrap();
    assert_eq!(partitions(&database.store).await.len(), 4);
}
