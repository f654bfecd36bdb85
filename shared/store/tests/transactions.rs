//! Transactions: all or nothing, together or alone.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use common::{on_both, sqlite};
use postroom_store::{EventDelivery, tenants};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_committed_is_not_there() {
    on_both(|store| async move {
        let tx = store.begin("test.dropped").await.unwrap();
        tenants::create(&tx, "dropped").await.unwrap();
        drop(tx);
        let tx = store.begin("test.kept").await.unwrap();
        tenants::create(&tx, "kept").await.unwrap();
        tx.commit().await.unwrap();
        let names: Vec<_> = tenants::all(store.read())
            .await
            .unwrap()
            .into_iter()
            .map(|tenant| tenant.name)
            .collect();
        assert_eq!(names, ["kept"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_can_be_taken_back_alone() {
    on_both(|store| async move {
        let tx = store.begin("test.batch").await.unwrap();
        for name in ["first", "bad", "last"] {
            let savepoint = tx.savepoint().await.unwrap();
            tenants::create(&savepoint, name).await.unwrap();
            if name == "bad" {
                drop(savepoint);
            } else {
                savepoint.commit().await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        let names: Vec<_> = tenants::all(store.read())
            .await
            .unwrap()
            .into_iter()
            .map(|tenant| tenant.name)
            .collect();
        assert_eq!(names, ["first", "last"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_writers_gets_everything_in_and_a_rolled_back_neighbour_harms_nobody() {
    on_both(|store| async move {
        let mut tasks = Vec::new();
        for number in 0..60 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let tx = store.begin("test.crowd").await.unwrap();
                tenants::create(&tx, &format!("tenant {number}")).await.unwrap();
                if number % 3 == 0 {
                    drop(tx);
                } else {
                    tx.commit().await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(tenants::all(store.read()).await.unwrap().len(), 40);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_cancelled_leaves_the_writer_free() {
    let database = sqlite(EventDelivery::Queues).await;
    let store = database.store.clone();
    for _ in 0..20 {
        let store = store.clone();
        let task = tokio::spawn(async move {
            let tx = store.begin("test.cancelled").await.unwrap();
            tenants::create(&tx, "maybe").await.unwrap();
            tx.commit().await.unwrap();
        });
        tokio::task::yield_now().await;
        task.abort();
    }
    let tx = store.begin("test.after").await.unwrap();
    tenants::create(&tx, "after").await.unwrap();
    tx.commit().await.unwrap();
    let all = tenants::all(store.read()).await.unwrap();
    assert_eq!(all.iter().filter(|tenant| tenant.name == "after").count(), 1);
}

/// A BEGIN that is cancelled half-way must not take back the group that it was to join.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_are_cancelled_while_they_begin_take_nothing_from_their_neighbours() {
    on_both(|store| async move {
        let mut kept = Vec::new();
        for round in 0..300 {
            let mut writers = Vec::new();
            for number in 0..4 {
                let (writer, other) = (store.clone(), store.clone());
                let name = format!("{round} {number}");
                writers.push(tokio::spawn(async move {
                    let tx = writer.begin("test.kept").await.unwrap();
                    tenants::create(&tx, &name).await.unwrap();
                    tx.commit().await.map(|()| name)
                }));
                let cancelled = tokio::spawn(async move {
                    let tx = other.begin("test.cancelled").await.unwrap();
                    let savepoint = tx.savepoint().await.unwrap();
                    tenants::create(&savepoint, "cancelled").await.unwrap();
                });
                tokio::time::sleep(std::time::Duration::from_micros(37 * (round % 11))).await;
                cancelled.abort();
            }
            for writer in writers {
                // An honest error is no loss.
                kept.extend(writer.await.unwrap().ok());
            }
        }
        assert!(kept.len() > 600, "only {} of 1200 were committed", kept.len());
        let names: Vec<_> = tenants::all(store.read())
            .await
            .unwrap()
            .into_iter()
            .map(|tenant| tenant.name)
            .collect();
        let lost: Vec<_> = kept.iter().filter(|name| !names.contains(name)).collect();
        assert!(lost.is_empty(), "committed and gone: {lost:?}");
        assert!(!names.iter().any(|name| name == "cancelled"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_not_committed_while_a_savepoint_of_it_is_open() {
    on_both(|store| async move {
        let tx = store.begin("test.outer").await.unwrap();
        let savepoint = tx.savepoint().await.unwrap();
        tenants::create(&savepoint, "half").await.unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(error.to_string().contains("savepoint"), "{error}");
        drop(savepoint);
        assert!(tenants::all(store.read()).await.unwrap().is_empty());
    })
    .await;
}
