//! A dead letter is settled once.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use common::{on_both, tenant};
use postroom_events::{DeadLetterId, ReplayId};
use postroom_store::{
    Store, StoreError,
    dead_letters::{self, NewDeadLetter},
};

async fn kept(store: &Store) -> DeadLetterId {
    let tx = store.begin("test.keep").await.unwrap();
    let letter = NewDeadLetter {
        consumer: "imap-fetcher".into(),
        envelope: None,
        replay_id: ReplayId::FIRST_RUN,
        body: b"{}".to_vec(),
        reason: "It cannot be read.".into(),
        attempts: 1,
    };
    let id = dead_letters::keep(&tx, letter).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_settle_it_at_once_one_is_told_that_it_is_too_late() {
    on_both(|store| async move {
        tenant(&store).await;
        let id = kept(&store).await;
        let first = store.begin("test.first").await.unwrap();
        let settled = dead_letters::settle(&first, id, "requeued").await.unwrap();
        assert_eq!(settled.settled_as.as_deref(), Some("requeued"));
        assert!(settled.settled_at.is_some());
        let second = {
            let store = store.clone();
            tokio::spawn(async move {
                let tx = store.begin("test.second").await.unwrap();
                let settled = dead_letters::settle(&tx, id, "discarded").await;
                tx.commit().await.unwrap();
                settled
            })
        };
        tokio::time::sleep(std::time::Duration::from_millis(200)).await; // it waits for the first by now
        assert!(!second.is_finished());
        first.commit().await.unwrap();
        let second = second.await.unwrap();
        assert!(matches!(second, Err(StoreError::Outdated { .. })), "{second:?}");
        let open = dead_letters::open(store.read(), None, 10).await.unwrap();
        assert!(open.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_in_a_transaction_that_is_taken_back_is_open() {
    on_both(|store| async move {
        let id = kept(&store).await;
        let tx = store.begin("test.taken_back").await.unwrap();
        dead_letters::settle(&tx, id, "requeued").await.unwrap();
        drop(tx);
        let tx = store.begin("test.again").await.unwrap();
        let settled = dead_letters::settle(&tx, id, "discarded").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(settled.settled_as.as_deref(), Some("discarded"));
    })
    .await;
}
