//! What every bus can do.

use std::sync::Arc;

use postroom_events::{Consumer, WorkerId};

use crate::{DeadLetterReader, Publisher, Subscription, WakeListener, WakeSender};

/// How a subscription takes deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// How many deliveries may be out and not settled. Small for handlers that wait for other servers, large (500)
    /// for those that only write rows.
    pub prefetch: u16,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self { prefetch: 50 }
    }
}

/// A bus, whichever it is.
pub trait Bus: Send + Sync {
    /// The writing side.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// The deliveries to a consumer. Several subscriptions of one consumer, in one process or many, share its queue.
    fn subscribe(&self, consumer: Consumer, options: SubscriptionOptions) -> Box<dyn Subscription>;

    /// What the broker set aside. `None` where dead letters become rows without a detour.
    fn dead_letters(&self) -> Option<Box<dyn DeadLetterReader>>;

    /// Wakes workers.
    fn wake_sender(&self) -> Arc<dyn WakeSender>;

    /// Hears the wake-ups to `worker`, of which there is one.
    fn wake_listener(&self, worker: WorkerId) -> Box<dyn WakeListener>;

    /// Tells this process's subscriptions that the queues of these consumers have grown. A broker needs no telling.
    fn deliveries_committed(&self, consumers: &[Consumer]);

    /// Whether the bus can be used right now; for readiness probes.
    fn is_up(&self) -> bool;
}

/// Why a bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The configuration is wrong; trying again changes nothing.
    #[error("{0}")]
    Misconfigured(String),
    /// The broker is away or closed the connection.
    #[error("the message broker cannot be used: {0}")]
    Unavailable(String),
    /// The database that holds the embedded bus's queues failed.
    #[error("the queues of the embedded bus cannot be used: {0}")]
    Queues(#[from] crate::embedded::QueueError),
}

impl From<lapin::Error> for BusError {
    fn from(error: lapin::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
