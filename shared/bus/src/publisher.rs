//! The writing side of the bus.

use async_trait::async_trait;

use crate::Outgoing;

/// Publishes events.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes in the order given and waits until the bus holds each event durably.
    ///
    /// One result for each event, in the same order. An event whose result is an error may have been published
    /// nevertheless: publish it again, its handlers drop what they have seen. Waits while the bus cannot keep up.
    async fn publish(&self, events: &[Outgoing]) -> Vec<Result<(), PublishError>>;
}

/// Why it is not certain that an event is on the bus. Always worth another try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// A consumer's queue was missing. The topology has been declared again.
    #[error(
        "no queue took the event {routing_key}: the broker had lost it; it was declared again, publish again"
    )]
    Unroutable {
        /// The event's routing key.
        routing_key: String,
    },
    /// The broker said no (a full queue, a node that is going down).
    #[error("the broker refused the event {routing_key}; publish again later")]
    Refused {
        /// The event's routing key.
        routing_key: String,
    },
    /// No answer: the connection broke, or the broker is out of memory or disk and holds publishers back.
    #[error("the event was not confirmed: {0}; publish again")]
    Unconfirmed(String),
}
