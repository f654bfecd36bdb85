//! The event bus: durable deliveries to one queue per consumer, and transient wake-ups to one worker.
//!
//! Two buses keep one contract, and one suite (`conformance`) holds both to it: [`rabbitmq`] for many processes,
//! [`embedded`] for one process over tables of its own database.
//!
//! The contract: what was published is delivered to every consumer at least once, in the order of its queue, until
//! it is settled. A delivery that a worker dropped or died with comes again; one that keeps killing workers is set
//! aside as a dead letter. Nothing is delivered beyond what a subscription has room for.
//!
//! Invariant: this crate knows no SQL and no `store`. Retries at a time, de-duplication and readable dead letters are
//! database rows and belong to `runtime`.

mod bus;
#[cfg(feature = "conformance")]
pub mod conformance;
mod delivery;
pub mod embedded;
mod outgoing;
mod publisher;
pub mod rabbitmq;
mod wake;

pub use bus::{Bus, BusError, SubscriptionOptions};
pub use delivery::{BrokerDeadLetter, DeadLetterReader, Delivery, Settle, Subscription, Tag};
pub use embedded::{EmbeddedBus, EmbeddedConfig};
pub use outgoing::{Outgoing, Route};
pub use publisher::{PublishError, Publisher};
pub use rabbitmq::{RabbitMqBus, RabbitMqConfig};
pub use wake::{Wake, WakeListener, WakeSender};
