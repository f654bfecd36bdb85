//! The reading side of the bus.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postroom_events::{Consumer, EventEnvelope, ReplayId};

/// Names a delivery towards the subscription it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// Which channel or claim it belongs to: a tag of a lost channel means nothing any more.
    pub(crate) generation: u64,
    /// Its number there.
    pub(crate) number: u64,
}

/// An event, handed to one consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// For [`Subscription::settle`].
    pub tag: Tag,
    /// The event as it was logged.
    pub envelope: EventEnvelope,
    /// The number of this attempt at handling it, from 1; a redelivery is no new attempt.
    pub attempt: u32,
    /// The live replay it belongs to.
    pub replay_id: ReplayId,
    /// How often it was handed out before and not settled (a crash, a lost connection); 0 the first time.
    pub redeliveries: u32,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Done, or kept elsewhere: forget it.
    Ack,
    /// It can never be handled: set it aside as a dead letter.
    Reject,
    /// Hand it out again, soon; counts towards the delivery limit.
    Requeue,
}

/// The deliveries to one consumer. Dropping it gives back what is not settled.
#[async_trait]
pub trait Subscription: Send {
    /// Waits for at least one delivery, then up to `linger` for more, and returns at most `max`.
    ///
    /// Survives every fault of the bus: it reconnects and goes on waiting. May be dropped while it waits without
    /// losing a delivery. Bodies that cannot be read never come out of here; they become dead letters.
    async fn next_batch(&mut self, max: usize, linger: Duration) -> Vec<Delivery>;

    /// Settles deliveries. Those whose settlement gets lost come again.
    async fn settle(&mut self, outcomes: Vec<(Tag, Settle)>);
}

/// A delivery that the broker set aside: it killed its workers, was rejected, or cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerDeadLetter {
    /// For [`DeadLetterReader::forget`].
    pub tag: Tag,
    /// Whose queue it came from; `None`: a queue this build does not know.
    pub consumer: Option<Consumer>,
    /// The body, as it came.
    pub body: Bytes,
    /// The number of the attempt that was its last.
    pub attempt: u32,
    /// The live replay it belonged to.
    pub replay_id: ReplayId,
    /// Why the broker set it aside, as a plain sentence.
    pub reason: String,
}

/// Reads what the broker set aside, so that it becomes rows that people can see.
#[async_trait]
pub trait DeadLetterReader: Send {
    /// Waits for at least one dead letter and returns at most `max`. May be dropped while it waits.
    async fn next_batch(&mut self, max: usize) -> Vec<BrokerDeadLetter>;

    /// Takes them off the broker. Only after they are rows.
    async fn forget(&mut self, tags: Vec<Tag>);
}
