//! The suite that every bus has to pass.
//!
//! A bus brings a [`Rig`]; `conformance_suite!` makes one test of each case. What only one bus can do (an unroutable
//! event, a body that is no event) is tested with that bus.

// These are tests, although they live in the library so that `runtime` can run them on its own tables.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod deliveries;
mod faults;
mod wakes;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::DateTime;
use postroom_events::{
    AccountConnected, AccountId, Consumer, Event, EventEnvelope, EventId, EventMetadata, TenantId,
};

pub use self::{deliveries::*, faults::*, wakes::*};
use crate::{Bus, Delivery, Outgoing, Settle, Subscription, SubscriptionOptions};

/// The delivery limit that a rig's bus must have.
pub const DELIVERY_LIMIT: u32 = 3;
/// Long enough for a loaded machine; a passing test never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// After so long without a delivery a queue counts as empty.
const QUIET: Duration = Duration::from_millis(1_500);
/// Handles the events of [`event`]; so does [`OTHER`].
pub const CONSUMER: Consumer = Consumer::ImapFetcher;
pub const OTHER: Consumer = Consumer::TokenRefresher;

/// What a bus brings to be tested: an empty world of its own, gone when the rig is.
#[async_trait]
pub trait Rig: Send + Sync {
    /// The bus as a process that has just started has it.
    async fn open(&self) -> Arc<dyn Bus>;

    /// Restarts what holds the queues (a broker: stopped and started; a database: closed and opened), and returns
    /// the bus to go on with.
    async fn restart(&self, bus: Arc<dyn Bus>) -> Arc<dyn Bus>;

    /// Waits until so many dead letters are there, and returns all: whose, which event.
    async fn dead_letters(&self, bus: &Arc<dyn Bus>, expected: usize) -> Vec<(Consumer, EventId)>;
}

/// Makes one test of each case. `$rig`: an async function that makes a rig; `$restartable`: one that makes a rig whose
/// backend nobody else uses.
#[macro_export]
macro_rules! conformance_suite {
    ($rig:path, $restartable:path) => {
        $crate::conformance_suite!(@cases $rig:
            every_consumer_gets_every_event_in_order,
            a_retry_reaches_its_consumer_alone_and_says_which_attempt_it_is,
            what_nobody_handles_is_published_all_the_same,
            a_subscription_never_holds_more_than_it_has_room_for,
            two_subscriptions_share_a_queue,
            a_caller_may_stop_waiting_at_any_time,
            what_a_dropped_subscription_held_comes_again_in_order,
            what_a_crashed_process_held_comes_again,
            a_requeued_delivery_comes_again_and_is_counted,
            a_rejected_delivery_becomes_a_dead_letter,
            what_is_never_settled_becomes_a_dead_letter_and_its_neighbours_do_not,
            a_wake_up_reaches_its_worker_alone,
        );
        $crate::conformance_suite!(@cases $restartable: nothing_confirmed_is_lost_over_a_restart,);
    };
    (@cases $rig:path: $($case:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            $crate::conformance::$case(&$rig().await).await;
        }
    )*};
}

/// Event number `n` of a series; handled by [`CONSUMER`] and [`OTHER`].
pub fn event(n: i64) -> EventEnvelope {
    let connected = AccountConnected {
        account_id: AccountId::generate(),
        credential_generation: n,
        grant_id: None,
    };
    wrap(connected.into(), n)
}

pub(crate) fn wrap(event: Event, n: i64) -> EventEnvelope {
    let metadata = EventMetadata::started_by("account-manager", TenantId::generate());
    EventEnvelope::wrap(
        &event,
        &metadata,
        DateTime::from_timestamp_micros(1_790_000_000_000_000 + n).unwrap(),
        n,
    )
}

/// Publishes events number `from` to `to` - 1; each must be confirmed.
pub async fn publish(bus: &Arc<dyn Bus>, from: i64, to: i64) -> Vec<EventEnvelope> {
    let envelopes: Vec<_> = (from..to).map(event).collect();
    let outgoing: Vec<_> = envelopes.iter().cloned().map(Outgoing::first).collect();
    let outcomes = bus.publisher().publish(&outgoing).await;
    assert_eq!(outcomes, vec![Ok(()); outgoing.len()]);
    envelopes
}

pub(crate) fn subscribe(bus: &Arc<dyn Bus>, consumer: Consumer, prefetch: u16) -> Box<dyn Subscription> {
    bus.subscribe(consumer, SubscriptionOptions { prefetch })
}

/// Takes exactly so many deliveries, settles none.
pub async fn take(subscription: &mut Box<dyn Subscription>, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let more = subscription.next_batch(count - taken.len(), Duration::ZERO);
        taken.extend(
            tokio::time::timeout(PATIENCE, more)
                .await
                .expect("a delivery should have come"),
        );
    }
    taken
}

/// Takes and acknowledges until nothing comes any more.
pub async fn drain(subscription: &mut Box<dyn Subscription>) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while let Ok(batch) = tokio::time::timeout(QUIET, subscription.next_batch(50, Duration::ZERO)).await {
        settle(subscription, &batch, Settle::Ack).await;
        taken.extend(batch);
    }
    taken
}

pub(crate) async fn settle(subscription: &mut Box<dyn Subscription>, batch: &[Delivery], settle: Settle) {
    subscription
        .settle(batch.iter().map(|delivery| (delivery.tag, settle)).collect())
        .await;
}

/// The numbers of the events, in the order of the deliveries.
pub fn numbers(deliveries: &[Delivery]) -> Vec<i64> {
    deliveries
        .iter()
        .map(|delivery| delivery.envelope.sequence)
        .collect()
}
