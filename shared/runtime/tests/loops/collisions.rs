//! Batches that want the same subjects as somebody else at the same time. Only PostgreSQL lets two write at once.

use std::time::Duration;

use postroom_events::{
    AccountConnected, AccountId, AccountState, AccountStateChanged, Event, EventEnvelope, EventMetadata,
    ReplayId, WhoCanAct,
};
use postroom_store::{StoreError, Tx, events, handled};
use postroom_test_support::eventually;

use crate::{
    scripted::{CONSUMER, Scripted},
    world::{PATIENCE, World},
};

/// Commits an event of each of two subjects, that of the larger id first. Gives them in the order of ids.
async fn commit_crosswise(world: &World, round: i64) -> [EventEnvelope; 2] {
    let (smaller, larger) = (AccountId::generate(), AccountId::generate());
    let connected = |account_id, credential_generation| -> Event {
        AccountConnected {
            account_id,
            credential_generation,
            grant_id: None,
        }
        .into()
    };
    let metadata = EventMetadata::started_by("account-manager", world.tenant);
    let tx = world.store.begin("test.commit").await.unwrap();
    let events = vec![connected(larger, 2 * round + 1), connected(smaller, 2 * round)];
    let mut committed = events::append(&tx, &metadata, events).await.unwrap();
    tx.commit().await.unwrap();
    committed.reverse();
    committed.try_into().unwrap()
}

/// Appends something of that subject that nobody handles, and so locks its numbers.
async fn lock(world: &World, tx: &Tx, subject: &EventEnvelope) -> Result<(), StoreError> {
    let metadata = EventMetadata::started_by("test", world.tenant);
    let changed = AccountStateChanged {
        account_id: subject.subject.into(),
        from: AccountState::Syncing,
        to: AccountState::Connected,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    events::append(tx, &metadata, vec![changed.into()])
        .await
        .map(drop)
}

/// Whoever finds out first that two wait for each other is failed by PostgreSQL, mostly the one that began to wait first:
/// the batch. It is to be done again as if nothing had been.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_postgresql_fails_in_a_deadlock_is_done_again_at_the_same_attempt() {
    let mut world = World::embedded_over_postgres().await;
    let handler = Scripted::default();
    for round in 0..5 {
        let committed = commit_crosswise(&world, round).await;
        let blocker = world.store.begin("test.blocker").await.unwrap();
        lock(&world, &blocker, &committed[1]).await.unwrap();
        if round == 0 {
            world.run(&handler);
        }
        handler.has_seen(2 * round + 1, 1).await;
        assert_eq!(
            handler.applied(),
            [(2 * round, 1), (2 * round + 1, 1)],
            "in the order of subjects, not of events"
        );
        tokio::time::sleep(Duration::from_millis(200)).await; // the batch waits for the blocker by now
        if lock(&world, &blocker, &committed[0]).await.is_err() {
            drop(blocker); // failed in the place of the batch, on a machine that was busy: once more
            all_done(&world, &committed).await;
            handler.forget();
            continue;
        }
        blocker.commit().await.unwrap();
        all_done(&world, &committed).await;
        for (number, envelope) in committed.iter().enumerate() {
            let number = 2 * round + number as i64;
            let applied = handler.applied();
            let attempts: Vec<_> = applied.iter().filter(|(n, _)| *n == number).collect();
            assert_eq!(
                attempts,
                [&(number, 1), &(number, 1)],
                "twice at the first attempt"
            );
            assert_eq!(
                world.caused_by(envelope).await.len(),
                1,
                "what it caused is there once"
            );
            let outcomes = handled::outcomes(world.store.read(), envelope.id).await.unwrap();
            assert_eq!((outcomes.len(), outcomes[0].verdict.as_str()), (1, "done"));
        }
        return world.stop().await;
    }
    panic!("the batch should have been failed in one of five deadlocks");
}

async fn all_done(world: &World, committed: &[EventEnvelope]) {
    let keys: Vec<_> = committed
        .iter()
        .map(|envelope| (envelope.id, ReplayId::FIRST_RUN))
        .collect();
    let done = || async {
        let known = handled::already(world.store.read(), CONSUMER, &keys)
            .await
            .unwrap();
        keys.iter().all(|key| known.contains(key))
    };
    eventually(PATIENCE, "both events to be handled", done).await;
}
