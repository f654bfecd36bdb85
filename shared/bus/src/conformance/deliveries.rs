//! Order, routing, room.

use std::time::Duration;

use futures::FutureExt;
use postroom_events::{AccountId, AccountState, AccountStateChanged, ReplayId, WhoCanAct};
use uuid::Uuid;

use super::*;

pub async fn every_consumer_gets_every_event_in_order(rig: &impl Rig) {
    let bus = rig.open().await;
    let mut sent = publish(&bus, 0, 1).await;
    sent.extend(publish(&bus, 1, 250).await);
    for consumer in [CONSUMER, OTHER] {
        let mut subscription = subscribe(&bus, consumer, 40);
        let mut got = Vec::new();
        while got.len() < sent.len() {
            let batch = subscription.next_batch(30, Duration::from_millis(5)).await;
            assert!(!batch.is_empty() && batch.len() <= 30);
            settle(&mut subscription, &batch, Settle::Ack).await;
            got.extend(batch);
        }
        let envelopes: Vec<_> = got.iter().map(|delivery| delivery.envelope.clone()).collect();
        assert_eq!(envelopes, sent, "to {}", consumer.name());
        assert!(
            got.iter()
                .all(|d| d.attempt == 1 && d.redeliveries == 0 && d.replay_id.is_first_run())
        );
        assert_eq!(drain(&mut subscription).await, [], "each comes once");
    }
    assert_eq!(
        drain(&mut subscribe(&bus, Consumer::SmtpSender, 10)).await,
        [],
        "who does not handle it gets none"
    );
}

pub async fn a_retry_reaches_its_consumer_alone_and_says_which_attempt_it_is(rig: &impl Rig) {
    let bus = rig.open().await;
    let envelope = event(7);
    let replay_id = ReplayId(Uuid::now_v7());
    let retries = [
        Outgoing::to_consumer(envelope.clone(), CONSUMER, 4, ReplayId::FIRST_RUN),
        Outgoing::to_consumer(envelope.clone(), CONSUMER, 1, replay_id),
    ];
    assert_eq!(bus.publisher().publish(&retries).await, [Ok(()), Ok(())]);
    let got = drain(&mut subscribe(&bus, CONSUMER, 10)).await;
    let told: Vec<_> = got
        .iter()
        .map(|d| (d.envelope.id, d.attempt, d.replay_id))
        .collect();
    assert_eq!(
        told,
        [(envelope.id, 4, ReplayId::FIRST_RUN), (envelope.id, 1, replay_id)]
    );
    assert_eq!(drain(&mut subscribe(&bus, OTHER, 10)).await, []);
}

pub async fn what_nobody_handles_is_published_all_the_same(rig: &impl Rig) {
    let bus = rig.open().await;
    let unhandled = AccountStateChanged {
        account_id: AccountId::generate(),
        from: AccountState::Connecting,
        to: AccountState::Syncing,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    let outgoing = Outgoing::first(wrap(unhandled.into(), 1));
    assert_eq!(outgoing.consumers(), []);
    assert_eq!(bus.publisher().publish(&[outgoing]).await, [Ok(())]);
}

pub async fn a_subscription_never_holds_more_than_it_has_room_for(rig: &impl Rig) {
    let bus = rig.open().await;
    publish(&bus, 0, 35).await;
    let mut subscription = subscribe(&bus, CONSUMER, 10);
    let mut held = take(&mut subscription, 10).await;
    let eleventh = tokio::time::timeout(QUIET, subscription.next_batch(100, Duration::ZERO)).await;
    assert!(
        eleventh.is_err(),
        "ten are out and not settled, so no other may come"
    );
    settle(&mut subscription, &held.split_off(6), Settle::Ack).await;
    assert_eq!(
        numbers(&take(&mut subscription, 4).await),
        [10, 11, 12, 13],
        "as many as were settled"
    );
    drop(subscription);
    assert_eq!(drain(&mut subscribe(&bus, CONSUMER, 10)).await.len(), 31);
}

pub async fn two_subscriptions_share_a_queue(rig: &impl Rig) {
    let bus = rig.open().await;
    let mut first = subscribe(&bus, CONSUMER, 20);
    let mut second = subscribe(&bus, CONSUMER, 20);
    publish(&bus, 0, 200).await;
    let (mine, theirs) = tokio::join!(drain(&mut first), drain(&mut second));
    let mut all = numbers(&mine);
    all.extend(numbers(&theirs));
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>(), "each event to one of the two");
}

pub async fn a_caller_may_stop_waiting_at_any_time(rig: &impl Rig) {
    let bus = rig.open().await;
    let mut subscription = subscribe(&bus, CONSUMER, 100);
    let mut got = Vec::new();
    for n in 0..60 {
        publish(&bus, n, n + 1).await;
        // Polled once and dropped, wherever it is by then.
        let _ = subscription
            .next_batch(5, Duration::ZERO)
            .now_or_never()
            .inspect(|batch| got.extend(batch.clone()));
        tokio::task::yield_now().await;
        let waited = Duration::from_micros(200 * u64::try_from(n % 7).unwrap());
        if let Ok(batch) = tokio::time::timeout(waited, subscription.next_batch(5, Duration::ZERO)).await {
            got.extend(batch);
        }
    }
    got.extend(drain(&mut subscription).await);
    assert_eq!(
        numbers(&got),
        (0..60).collect::<Vec<_>>(),
        "none lost, none doubled"
    );
}
