//! Who owns a mailbox, and what its owner is asked to do.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{collections::HashSet, time::Duration};

use common::{account, keys, on_both, tenant};
use postroom_events::{AccountId, SubmissionId, WorkerId};
use postroom_store::{
    Store, StoreError, accounts,
    leases::{self, Lease},
    work::{self, NewWork, WorkKind},
    workers,
};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(150);

async fn accounts(store: &Store, count: usize) -> Vec<AccountId> {
    let (keys, tenant_id) = (keys(), tenant(store).await);
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(
            account(store, &keys, tenant_id, &format!("{n}@example.test"))
                .await
                .id,
        );
    }
    ids
}

async fn guarded(store: &Store, lease: &Lease) -> Result<(), StoreError> {
    let tx = store.begin("test.guard").await.unwrap();
    leases::guard(&tx, lease).await?;
    tx.commit().await
}

#[test]
fn a_fair_share_leaves_no_account_alone() {
    for (accounts, workers, share) in [(20, 2, 10), (20, 3, 7), (1, 5, 1), (0, 5, 0), (7, 0, 7)] {
        assert_eq!(leases::fair_share(accounts, workers), share);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_one_holder_and_a_stale_ones_write_misses() {
    on_both(|store| async move {
        let ids = accounts(&store, 3).await;
        let (first, second) = (WorkerId::generate(), WorkerId::generate());
        let held = leases::acquire(&store, first, 2, SHORT).await.unwrap();
        assert_eq!(held.len(), 2);
        assert!(held.iter().all(|lease| lease.fencing == 1));
        assert_eq!(leases::acquire(&store, second, 9, SHORT).await.unwrap().len(), 1);
        assert!(
            leases::acquire(&store, second, 9, SHORT)
                .await
                .unwrap()
                .is_empty()
        );
        guarded(&store, &held[0]).await.unwrap();
        let forged = Lease {
            fencing: 2,
            ..held[0]
        };
        assert!(matches!(
            guarded(&store, &forged).await,
            Err(StoreError::Outdated { .. })
        ));

        tokio::time::sleep(SHORT * 2).await;
        let late = guarded(&store, &held[0]).await;
        assert!(
            matches!(late, Err(StoreError::Outdated { .. })),
            "it has run out: {late:?}"
        );
        assert!(leases::renew(&store, first, LONG).await.unwrap().is_empty());
        let taken = leases::acquire(&store, second, 9, LONG).await.unwrap();
        assert_eq!(taken.len(), 3);
        assert!(taken.iter().all(|lease| lease.fencing == 2));
        leases::release(&store, &held).await.unwrap();
        let holders = leases::holders(store.read(), &ids).await.unwrap();
        assert!(
            ids.iter().all(|id| holders.get(id) == Some(&second)),
            "a late release changes nothing"
        );

        for id in ids {
            let history = leases::history(store.read(), id).await.unwrap();
            let [before, now] = history.as_slice() else {
                panic!("{history:?}");
            };
            assert!(
                before.ended_at.unwrap() <= now.acquired_at,
                "they overlap: {history:?}"
            );
            assert!(now.ended_at.is_none());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_lease_goes_on_and_a_released_one_is_free_at_once() {
    on_both(|store| async move {
        let ids = accounts(&store, 2).await;
        let (first, second) = (WorkerId::generate(), WorkerId::generate());
        let held = leases::acquire(&store, first, 9, SHORT).await.unwrap();
        let mut renewed = leases::renew(&store, first, LONG).await.unwrap();
        renewed.sort_by_key(|lease| lease.account_id);
        let mut expected = held.clone();
        expected.sort_by_key(|lease| lease.account_id);
        assert_eq!(renewed, expected);
        tokio::time::sleep(SHORT * 2).await;
        guarded(&store, &held[0]).await.unwrap();
        assert_eq!(leases::of_holder(store.read(), first).await.unwrap().len(), 2);
        leases::release(&store, &held[..1]).await.unwrap();
        assert!(matches!(
            guarded(&store, &held[0]).await,
            Err(StoreError::Outdated { .. })
        ));
        let taken = leases::acquire(&store, second, 9, LONG).await.unwrap();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].account_id, held[0].account_id);
        let history = leases::history(store.read(), taken[0].account_id).await.unwrap();
        assert!(history[0].ended_at.unwrap() <= history[1].acquired_at);
        assert_eq!(ids.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_grab_at_once_never_hold_the_same_account() {
    on_both(|store| async move {
        let ids = accounts(&store, 12).await;
        let grabs = (0..6).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                leases::acquire(&store, WorkerId::generate(), 4, LONG)
                    .await
                    .unwrap()
            })
        });
        let mut all = Vec::new();
        for grab in grabs.collect::<Vec<_>>() {
            all.extend(grab.await.unwrap());
        }
        // Who came second may have been passed by; the next look finds what is left.
        all.extend(
            leases::acquire(&store, WorkerId::generate(), 12, LONG)
                .await
                .unwrap(),
        );
        let distinct: HashSet<_> = all.iter().map(|lease| lease.account_id).collect();
        assert_eq!((all.len(), distinct.len()), (12, 12));
        assert_eq!(ids.len(), 12);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_an_account_keeps_it_until_the_transaction_ends() {
    on_both(|store| async move {
        accounts(&store, 1).await;
        let (first, second) = (WorkerId::generate(), WorkerId::generate());
        let held = leases::acquire(&store, first, 1, SHORT).await.unwrap();
        let tx = store.begin("test.long").await.unwrap();
        leases::guard(&tx, &held[0]).await.unwrap();
        let other = store.clone();
        let grab = tokio::spawn(async move {
            tokio::time::sleep(SHORT * 2).await;
            leases::acquire(&other, second, 1, LONG).await.unwrap()
        });
        tokio::time::sleep(SHORT * 4).await;
        tx.commit().await.unwrap();
        let committed = store.clock().now();
        let mut taken = grab.await.unwrap();
        if taken.is_empty() {
            taken = leases::acquire(&store, second, 1, LONG).await.unwrap();
        }
        assert_eq!(taken.len(), 1);
        let history = leases::history(store.read(), taken[0].account_id).await.unwrap();
        // PostgreSQL passes the locked row by; SQLite has one writer at a time.
        assert!(
            history[1].acquired_at >= committed - SHORT,
            "taken while its holder was writing"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_disconnected_accounts_need_no_holder() {
    on_both(|store| async move {
        let ids = accounts(&store, 3).await;
        assert_eq!(leases::count_needed(store.read()).await.unwrap(), 3);
        let tx = store.begin("test.pause").await.unwrap();
        accounts::set_paused(&tx, ids[0], true).await.unwrap();
        accounts::set_disconnected(&tx, ids[1], false).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(leases::count_needed(store.read()).await.unwrap(), 1);
        let held = leases::acquire(&store, WorkerId::generate(), 9, LONG)
            .await
            .unwrap();
        assert_eq!(
            held.iter().map(|lease| lease.account_id).collect::<Vec<_>>(),
            [ids[2]]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_count_while_they_are_seen() {
    on_both(|store| async move {
        let (first, second) = (WorkerId::generate(), WorkerId::generate());
        let alive = async || {
            workers::count_alive(&store, store.read(), "imap-fetcher", SHORT)
                .await
                .unwrap()
        };
        workers::heartbeat(&store, first, "imap-fetcher").await.unwrap();
        workers::heartbeat(&store, second, "imap-fetcher").await.unwrap();
        workers::heartbeat(&store, WorkerId::generate(), "smtp-sender")
            .await
            .unwrap();
        assert_eq!(alive().await, 2);
        tokio::time::sleep(SHORT).await;
        workers::heartbeat(&store, first, "imap-fetcher").await.unwrap();
        assert_eq!(alive().await, 1);
        workers::leave(&store, first).await.unwrap();
        assert_eq!(alive().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_due_in_order_put_off_and_done() {
    on_both(|store| async move {
        let ids = accounts(&store, 2).await;
        let now = store.clock().now();
        let kinds = [
            WorkKind::Sync { folder_id: None },
            WorkKind::SentCopy {
                submission_id: SubmissionId::generate(),
            },
        ];
        let mut added = Vec::new();
        let tx = store.begin("test.work").await.unwrap();
        for (n, kind) in kinds.into_iter().enumerate() {
            let new = NewWork {
                account_id: ids[0],
                kind,
                cause_event_id: None,
                correlation_id: Uuid::now_v7(),
                due_at: now + Duration::from_millis(n as u64),
            };
            added.push(work::add(&tx, new).await.unwrap());
        }
        tx.commit().await.unwrap();
        let later = now + Duration::from_secs(1);
        assert!(
            work::due(store.read(), ids[1], later, 10)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(work::due(store.read(), ids[0], now, 10).await.unwrap().len(), 1);
        let due = work::due(store.read(), ids[0], later, 10).await.unwrap();
        assert_eq!(due.iter().map(|work| work.kind).collect::<Vec<_>>(), kinds);
        assert_eq!(
            work::accounts_with_due(store.read(), &ids, later).await.unwrap(),
            [ids[0]]
        );

        let tx = store.begin("test.work").await.unwrap();
        work::done(&tx, added[0]).await.unwrap();
        work::retry_at(&tx, added[1], now + LONG).await.unwrap();
        tx.commit().await.unwrap();
        assert!(
            work::due(store.read(), ids[0], later, 10)
                .await
                .unwrap()
                .is_empty()
        );
        let due = work::due(store.read(), ids[0], now + LONG, 10).await.unwrap();
        assert_eq!((due.len(), due[0].attempt), (1, 1));
    })
    .await;
}
