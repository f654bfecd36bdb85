//! One delivery on its way through the loop.

use std::{panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use postroom_bus::{Delivery, Tag};
use postroom_events::{Event, EventEnvelope, EventId, ReplayId};
use postroom_telemetry::names;
use tracing::{Instrument, Span};

use super::{HandledEvent, Handler, HandlerError, conclusion::Conclusion};

/// A delivery, and what its handler did outside.
pub(super) struct Job<A> {
    pub(super) tag: Tag,
    pub(super) started_at: DateTime<Utc>,
    pub(super) span: Span,
    pub(super) work: Work<A>,
}

pub(super) enum Work<A> {
    /// The handler has acted, or failed to.
    Acted(HandledEvent, Result<A, HandlerError>),
    /// This build cannot read the event.
    Unreadable(Delivery, HandlerError),
}

impl<A: Send + Sync + Default> Job<A> {
    /// Lets the handler act.
    pub(super) async fn act<H: Handler<Acted = A>>(
        handler: &H,
        limit: Duration,
        delivery: Delivery,
        started_at: DateTime<Utc>,
    ) -> Self {
        let envelope = &delivery.envelope;
        let consumer = handler.consumer();
        let traceparent = envelope.traceparent.as_deref();
        let span = postroom_telemetry::span_for_event(
            consumer.name(),
            &envelope.event_type,
            envelope.id,
            traceparent,
        );
        let tag = delivery.tag;
        let work = match envelope.event() {
            // A newer writer may be rolled out before its readers: wait for them.
            Err(error) if !Event::TYPES.contains(&envelope.event_type.as_str()) => {
                Work::Unreadable(delivery, HandlerError::retry(error))
            }
            Err(error) => Work::Unreadable(delivery, HandlerError::fail(error)),
            Ok(event) => {
                let Delivery {
                    envelope,
                    attempt,
                    replay_id,
                    redeliveries,
                    ..
                } = delivery;
                let handled = HandledEvent::new(consumer, envelope, event, attempt, replay_id, redeliveries);
                let acting = guard(handler.act(&handled));
                let acted = tokio::time::timeout(limit, acting).instrument(span.clone()).await;
                let acted = acted.unwrap_or_else(|_| {
                    Err(HandlerError::retry(format!(
                        "the handler was not done within {} seconds",
                        limit.as_secs()
                    )))
                });
                Work::Acted(handled, acted)
            }
        };
        Self {
            tag,
            started_at,
            span,
            work,
        }
    }
}

impl<A> Job<A> {
    pub(super) fn envelope(&self) -> &EventEnvelope {
        match &self.work {
            Work::Acted(handled, _) => &handled.envelope,
            Work::Unreadable(delivery, _) => &delivery.envelope,
        }
    }

    pub(super) fn attempt(&self) -> u32 {
        match &self.work {
            Work::Acted(handled, _) => handled.attempt,
            Work::Unreadable(delivery, _) => delivery.attempt,
        }
    }

    pub(super) fn replay_id(&self) -> ReplayId {
        match &self.work {
            Work::Acted(handled, _) => handled.replay_id,
            Work::Unreadable(delivery, _) => delivery.replay_id,
        }
    }

    pub(super) fn key(&self) -> (EventId, ReplayId) {
        (self.envelope().id, self.replay_id())
    }

    pub(super) fn measure(&self, consumer: &'static str, conclusion: &Conclusion, now: DateTime<Utc>) {
        let event_type = label(&self.envelope().event_type);
        let outcome = conclusion.name();
        metrics::counter!(names::EVENTS_HANDLED, "consumer" => consumer, "type" => event_type, "outcome" => outcome)
            .increment(1);
        let seconds = |since: DateTime<Utc>| (now - since).to_std().unwrap_or_default().as_secs_f64();
        metrics::histogram!(names::EVENT_HANDLING_SECONDS, "consumer" => consumer)
            .record(seconds(self.started_at));
        if self.attempt() == 1 && self.replay_id().is_first_run() {
            metrics::histogram!(names::EVENT_AGE_SECONDS, "consumer" => consumer)
                .record(seconds(self.envelope().time));
        }
        self.span.in_scope(|| conclusion.log(self.attempt()));
    }
}

/// The type as a label: one of the catalogue, so that nobody can fill our memory with labels.
pub(super) fn label(event_type: &str) -> &'static str {
    Event::TYPES
        .iter()
        .copied()
        .find(|known| *known == event_type)
        .unwrap_or("unknown")
}

/// A handler that panics fails its own event, not its neighbours and not the process.
pub(super) async fn guard<T>(
    handling: impl Future<Output = Result<T, HandlerError>>,
) -> Result<T, HandlerError> {
    AssertUnwindSafe(handling)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(HandlerError::retry(
                "the handler crashed; the process's log says where",
            ))
        })
}
