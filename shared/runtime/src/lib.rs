//! Joins store and bus, and gives every service its life: settings, parts, health, event loops, start and stop.
//!
//! A service is a function from [`Parts`] to a future that ends when [`Parts::shutdown`] is cancelled. `postroom run`
//! runs several over one `Parts`; a service's own binary runs one.

mod background;
mod consumer_loop;
mod dead_letter_drain;
mod discovery;
mod error;
mod gauges;
mod health;
mod lifecycle;
mod parts;
mod providers;
mod queue_rows;
mod relay;
mod retries;
mod settings;
mod wakes;

pub use background::Background;
pub use consumer_loop::{Answer, ConsumerLoop, HandledEvent, Handler, HandlerError, LoopOptions, Verdict};
pub use dead_letter_drain::DeadLetterDrain;
pub use error::StartError;
pub use health::Health;
pub use lifecycle::{run_to_exit, service_main, stop_signal, until_stopped};
pub use parts::Parts;
pub use queue_rows::QueueRows;
pub use relay::OutboxRelay;
pub use retries::RetryScheduler;
pub use settings::{Mode, Settings};
