//! What is about to be published.

use postroom_events::{Consumer, EventEnvelope, ReplayId};

/// Where an event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To every consumer that handles it.
    Topic,
    /// To one consumer's queue only: a due retry, a live replay.
    Queue(Consumer),
}

/// An event on its way to the bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The event as logged. Its id stays the same through retries and replays.
    pub envelope: EventEnvelope,
    /// Where it goes.
    pub route: Route,
    /// The number of this attempt at handling it, from 1. Travels beside the event, which stays as logged.
    pub attempt: u32,
    /// The live replay this belongs to, or [`ReplayId::FIRST_RUN`]. Travels beside the event.
    pub replay_id: ReplayId,
}

impl Outgoing {
    /// An event's first way to everyone who handles it.
    pub fn first(envelope: EventEnvelope) -> Self {
        Self {
            envelope,
            route: Route::Topic,
            attempt: 1,
            replay_id: ReplayId::FIRST_RUN,
        }
    }

    /// An event to one consumer only, as attempt number `attempt` of run `replay_id`.
    pub fn to_consumer(
        envelope: EventEnvelope,
        consumer: Consumer,
        attempt: u32,
        replay_id: ReplayId,
    ) -> Self {
        Self {
            envelope,
            route: Route::Queue(consumer),
            attempt,
            replay_id,
        }
    }

    /// The consumers it goes to. None: nobody handles it, an acknowledgement of the bus is enough.
    pub fn consumers(&self) -> Vec<Consumer> {
        match self.route {
            Route::Topic => Consumer::of(&self.envelope.routing_key()).collect(),
            Route::Queue(consumer) => vec![consumer],
        }
    }
}
