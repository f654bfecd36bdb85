//! Servers that go away, and processes that die: distributed only.

use std::time::Duration;

use postroom_bus::{Settle, SubscriptionOptions};
use postroom_events::{ReplayId, WorkerId};
use postroom_store::{handled, outbox};
use postroom_test_support::{Testbed, eventually};

use crate::{
    scripted::{CONSUMER, Scripted},
    world::{PATIENCE, World},
};

/// Waits until the consumer has handled all of these.
async fn all_done(world: &World, committed: &[postroom_events::EventEnvelope]) {
    let keys: Vec<_> = committed
        .iter()
        .map(|envelope| (envelope.id, ReplayId::FIRST_RUN))
        .collect();
    let missing = || async {
        let known = handled::already(world.store.read(), CONSUMER, &keys)
            .await
            .map_err(|error| error.to_string())?;
        let missing = keys.iter().filter(|key| !known.contains(key)).count();
        if missing == 0 {
            Ok(())
        } else {
            Err(format!("{missing} events are not handled"))
        }
    };
    eventually(PATIENCE, "all events to be handled", missing).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_costs_time_and_nothing_else() {
    let testbed = Testbed::load().unwrap();
    let (database, vhost) = tokio::join!(testbed.private_postgres(), testbed.fresh_vhost());
    let (mut database, vhost) = (database.unwrap(), vhost.unwrap());
    let mut world = World::over(&database.url(), vhost.url()).await;
    let handler = Scripted::default();
    let committed = world.commit(0, 2_000).await;
    world.run(&handler);
    handler.has_seen(20, 1).await; // in the middle of it
    database.kill().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    database.start().await.unwrap();
    all_done(&world, &committed).await;
    for envelope in committed.iter().step_by(97) {
        assert_eq!(world.caused_by(envelope).await.len(), 1, "applied once");
    }
    assert!(world.dead_letters().await.is_empty());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_while_the_broker_is_away_is_published_when_it_is_back() {
    let testbed = Testbed::load().unwrap();
    let (database, broker) = tokio::join!(testbed.fresh_database(), testbed.private_rabbitmq());
    let (database, mut broker) = (database.unwrap(), broker.unwrap());
    let mut world = World::over(database.url(), &broker.url()).await;
    let handler = Scripted::default();
    world.run(&handler);
    let mut committed = world.commit(0, 50).await;
    all_done(&world, &committed).await;
    broker.kill().await.unwrap();
    committed.extend(world.commit(50, 100).await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        outbox::waiting(world.store.read()).await.unwrap() >= 50,
        "they wait where they were committed"
    );
    broker.start().await.unwrap();
    all_done(&world, &committed).await;
    let empty = || async { outbox::waiting(world.store.read()).await.unwrap() == 0 };
    eventually(PATIENCE, "the outbox to be empty", empty).await;
    for envelope in &committed {
        assert_eq!(world.caused_by(envelope).await.len(), 1, "applied once");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_relay_had_claimed_is_published_by_another() {
    let mut world = World::distributed().await;
    world.stop().await;
    let committed = world.commit(0, 10).await;
    let dead = WorkerId::generate();
    let claimed = outbox::claim(&world.store, dead, 100, Duration::from_secs(2))
        .await
        .unwrap();
    assert_eq!(claimed.len(), committed.len());
    let handler = Scripted::default();
    world.start_again();
    world.run(&handler);
    all_done(&world, &committed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_set_aside_becomes_a_row_that_people_see() {
    let world = World::distributed().await;
    let committed = world.commit(0, 3).await;
    let mut subscription = world.bus.subscribe(CONSUMER, SubscriptionOptions { prefetch: 1 });
    let poisoned = committed[1].id;
    // Given back until the broker has enough, as by a worker that dies of it.
    let letters = async {
        loop {
            for delivery in subscription.next_batch(1, Duration::ZERO).await {
                let settle = if delivery.envelope.id == poisoned {
                    Settle::Requeue
                } else {
                    Settle::Ack
                };
                subscription.settle(vec![(delivery.tag, settle)]).await;
            }
        }
    };
    let kept = eventually(PATIENCE, "the dead letter's row", || async {
        world.dead_letters().await.pop()
    });
    let letter = tokio::select! { letter = kept => letter, () = letters => unreachable!() };
    assert_eq!(letter.event_id, Some(poisoned));
    assert_eq!(
        (letter.consumer.as_str(), letter.tenant_id),
        (CONSUMER.name(), Some(world.tenant))
    );
    assert!(letter.reason.contains("never settled"), "{}", letter.reason);
}
