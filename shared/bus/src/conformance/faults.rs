//! Crashes, restarts, poison.

use std::time::Duration;

use super::*;

pub async fn what_a_dropped_subscription_held_comes_again_in_order(rig: &impl Rig) {
    let bus = rig.open().await;
    publish(&bus, 0, 30).await;
    let mut subscription = subscribe(&bus, CONSUMER, 10);
    let held = take(&mut subscription, 10).await;
    settle(&mut subscription, &held[..3], Settle::Ack).await;
    drop(subscription);
    let again = drain(&mut subscribe(&bus, CONSUMER, 10)).await;
    assert_eq!(numbers(&again), (3..30).collect::<Vec<_>>());
    let redelivered: Vec<_> = again.iter().map(|delivery| delivery.redeliveries > 0).collect();
    assert!(
        redelivered[..7].iter().all(|again| *again),
        "those that were out are told as such"
    );
}

pub async fn what_a_crashed_process_held_comes_again(rig: &impl Rig) {
    let bus = rig.open().await;
    publish(&bus, 0, 30).await;
    drop(bus);
    crash_while_holding(rig, 12);
    let bus = rig.open().await;
    let again = drain(&mut subscribe(&bus, CONSUMER, 50)).await;
    assert_eq!(numbers(&again), (0..30).collect::<Vec<_>>());
    assert!(again[..12].iter().all(|delivery| delivery.redeliveries == 1));
}

/// Takes deliveries in a runtime of its own that ends as a killed process does: nothing is settled, nothing is closed.
fn crash_while_holding(rig: &impl Rig, count: usize) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let process = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            process.block_on(async {
                let bus = rig.open().await;
                let mut subscription = subscribe(&bus, CONSUMER, u16::try_from(count).unwrap());
                let held = take(&mut subscription, count).await;
                std::mem::forget((bus, subscription, held));
            });
            process.shutdown_background();
        });
    });
}

pub async fn a_requeued_delivery_comes_again_and_is_counted(rig: &impl Rig) {
    let bus = rig.open().await;
    publish(&bus, 0, 3).await;
    let mut subscription = subscribe(&bus, CONSUMER, 10);
    let held = take(&mut subscription, 3).await;
    settle(&mut subscription, &held[1..2], Settle::Requeue).await;
    let again = take(&mut subscription, 1).await;
    assert_eq!(numbers(&again), [1]);
    assert_eq!(
        (again[0].redeliveries, again[0].attempt),
        (1, 1),
        "a redelivery is no new attempt"
    );
    settle(&mut subscription, &again, Settle::Ack).await;
    settle(&mut subscription, &held, Settle::Ack).await;
    assert_eq!(drain(&mut subscription).await, []);
}

pub async fn a_rejected_delivery_becomes_a_dead_letter(rig: &impl Rig) {
    let bus = rig.open().await;
    let sent = publish(&bus, 0, 3).await;
    let mut subscription = subscribe(&bus, CONSUMER, 10);
    let held = take(&mut subscription, 3).await;
    settle(&mut subscription, &held[1..2], Settle::Reject).await;
    settle(&mut subscription, &held, Settle::Ack).await;
    assert_eq!(rig.dead_letters(&bus, 1).await, [(CONSUMER, sent[1].id)]);
    assert_eq!(drain(&mut subscription).await, []);
}

pub async fn what_is_never_settled_becomes_a_dead_letter_and_its_neighbours_do_not(rig: &impl Rig) {
    let bus = rig.open().await;
    let sent = publish(&bus, 0, 4).await;
    let mut poisoned = 0;
    let mut healthy = Vec::new();
    let quiet = Duration::from_secs(3);
    let mut subscription = subscribe(&bus, CONSUMER, 1); // one at a time, so that only the poison is out at a crash
    while let Ok(batch) = tokio::time::timeout(quiet, subscription.next_batch(1, Duration::ZERO)).await {
        if batch[0].envelope.id == sent[1].id {
            assert_eq!(batch[0].redeliveries, poisoned);
            poisoned += 1;
            drop(subscription); // with what it held, as by a crash
            subscription = subscribe(&bus, CONSUMER, 1);
        } else {
            settle(&mut subscription, &batch, Settle::Ack).await;
            healthy.extend(batch);
        }
    }
    assert_eq!(poisoned, DELIVERY_LIMIT + 1);
    assert_eq!(numbers(&healthy), [0, 2, 3]);
    assert_eq!(rig.dead_letters(&bus, 1).await, [(CONSUMER, sent[1].id)]);
}

pub async fn nothing_confirmed_is_lost_over_a_restart(rig: &impl Rig) {
    let bus = rig.open().await;
    publish(&bus, 0, 200).await;
    let mut subscription = subscribe(&bus, CONSUMER, 50);
    let held = take(&mut subscription, 50).await;
    settle(&mut subscription, &held[..20], Settle::Ack).await;
    drop(subscription);
    let bus = rig.restart(bus).await;
    publish_at_last(&bus, 200, 260).await;
    let mut got = Vec::new();
    let mut subscription = subscribe(&bus, CONSUMER, 50);
    while got.last() != Some(&259) {
        let batch = take(&mut subscription, 1).await;
        settle(&mut subscription, &batch, Settle::Ack).await;
        got.extend(numbers(&batch));
    }
    got.extend(numbers(&drain(&mut subscription).await));
    got.sort_unstable();
    got.dedup();
    let missing: Vec<_> = (20..260).filter(|n| !got.contains(n)).collect();
    assert!(
        missing.is_empty(),
        "confirmed, not acknowledged, and gone: {missing:?}"
    );
}

/// Publishes as the relay does: what was not confirmed is published again.
pub async fn publish_at_last(bus: &Arc<dyn Bus>, from: i64, to: i64) {
    let mut left: Vec<_> = (from..to).map(|n| Outgoing::first(event(n))).collect();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !left.is_empty() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the bus should have come back"
        );
        let outcomes = bus.publisher().publish(&left).await;
        left = left
            .into_iter()
            .zip(outcomes)
            .filter(|(_, outcome)| outcome.is_err())
            .map(|(out, _)| out)
            .collect();
        if !left.is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
