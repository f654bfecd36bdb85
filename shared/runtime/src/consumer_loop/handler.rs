//! What a service says about the events that it handles.

use std::{
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use postroom_events::{Consumer, Event, EventEnvelope, EventId, EventMetadata, ReplayId};
use postroom_store::{StoreError, Tx, events};
use serde::Serialize;

/// Handles the events of one consumer, in two phases, so that nothing outside is done inside a transaction.
///
/// The handler decides; the loop settles. Events may come twice, and in any order.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// What [`act`](Self::act) found out and [`apply`](Self::apply) writes down.
    type Acted: Send + Sync + Default;

    /// Whose queue it is.
    fn consumer(&self) -> Consumer;

    /// Does what is to be done outside (IMAP, SMTP, a token endpoint), outside of any transaction. Claims its own row
    /// first (a grant's lease, a submission's attempt), because it may run twice for one event.
    ///
    /// # Errors
    /// [`HandlerError::retry`] to be called again later, [`HandlerError::fail`] to give up.
    async fn act(&self, delivery: &HandledEvent) -> Result<Self::Acted, HandlerError> {
        let _ = delivery;
        Ok(Self::Acted::default())
    }

    /// Writes state and events in a savepoint of the batch's transaction. Runs again, with the same `acted`, when the
    /// transaction could not be committed.
    ///
    /// # Errors
    /// [`HandlerError::retry`] to be called again later, [`HandlerError::fail`] to give up. What the savepoint holds
    /// is taken back, and its neighbours' is not.
    async fn apply(
        &self,
        tx: &Tx,
        delivery: &HandledEvent,
        acted: &Self::Acted,
    ) -> Result<Verdict, HandlerError>;
}

/// What a handler made of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Handled for good; also when there was nothing to do any more.
    Done,
    /// What was written stays, and the event comes again at that time, for this reason.
    RetryAt(DateTime<Utc>, String),
    /// What was written stays, and the event becomes a dead letter, for this reason.
    DeadLetter(String),
}

/// Why an event could not be handled.
#[derive(Debug)]
pub struct HandlerError {
    /// What went wrong.
    pub error: Box<dyn Error + Send + Sync>,
    /// Whether it may go better later.
    pub may_pass: bool,
    /// How long somebody asked us to wait.
    pub retry_after: Option<Duration>,
}

impl HandlerError {
    /// It may go better later: the event comes again, by the policy.
    pub fn retry(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            error: error.into(),
            may_pass: true,
            retry_after: None,
        }
    }

    /// It may go better later, but not before `wait` has passed.
    pub fn retry_after(error: impl Into<Box<dyn Error + Send + Sync>>, wait: Duration) -> Self {
        Self {
            error: error.into(),
            may_pass: true,
            retry_after: Some(wait),
        }
    }

    /// It never goes better: the event becomes a dead letter.
    pub fn fail(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            error: error.into(),
            may_pass: false,
            retry_after: None,
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl From<StoreError> for HandlerError {
    /// A database that failed once may do better the next time.
    fn from(error: StoreError) -> Self {
        Self::retry(error)
    }
}

/// An event that is being handled.
#[derive(Debug)]
pub struct HandledEvent {
    /// The event as it was logged.
    pub envelope: EventEnvelope,
    /// What is in it.
    pub event: Event,
    /// Number of this attempt, from 1.
    pub attempt: u32,
    /// The live replay that it belongs to.
    pub replay_id: ReplayId,
    /// How often this attempt was begun before and never settled.
    pub redeliveries: u32,
    consumer: Consumer,
    record: Mutex<Record>,
}

/// What a dry run of a replay compares with: no content, no secret.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) answers: Vec<Answer>,
    /// By `act`, and on disk whatever becomes of the rest.
    kept: Vec<EventId>,
    /// By `apply`, in its savepoint.
    applied: Vec<EventId>,
}

impl Record {
    /// All events that this one caused.
    pub(crate) fn caused(&self) -> Vec<EventId> {
        [self.kept.as_slice(), &self.applied].concat()
    }
}

/// What somebody outside answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The call, such as `smtp.submit` or `token.refresh`.
    pub call: String,
    /// Class of the answer, such as `accepted`, `transient`, `permanent`.
    pub class: String,
    /// Its code, such as `250` or `invalid_grant`.
    pub code: Option<String>,
}

impl HandledEvent {
    pub(crate) fn new(
        consumer: Consumer,
        envelope: EventEnvelope,
        event: Event,
        attempt: u32,
        replay_id: ReplayId,
        redeliveries: u32,
    ) -> Self {
        Self {
            envelope,
            event,
            attempt,
            replay_id,
            redeliveries,
            consumer,
            record: Mutex::default(),
        }
    }

    /// Notes what somebody outside answered, for dry runs of a replay. Never an address, a token or a line of mail.
    pub fn answered(&self, call: &str, class: &str, code: Option<&str>) {
        let answer = Answer {
            call: call.to_owned(),
            class: class.to_owned(),
            code: code.map(str::to_owned),
        };
        self.with_record(|record| record.answers.push(answer));
    }

    /// The metadata of events that this one causes. The trace goes on from the handler's own span.
    pub fn metadata(&self) -> EventMetadata {
        let mut metadata = EventMetadata::caused_by(self.consumer.name(), &self.envelope);
        if let Some(traceparent) = postroom_telemetry::current_traceparent() {
            metadata.traceparent = Some(traceparent);
        }
        metadata
    }

    /// Appends events that this one causes, and notes that it did. For [`Handler::apply`].
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn append(&self, tx: &Tx, caused: Vec<Event>) -> Result<Vec<EventEnvelope>, StoreError> {
        let envelopes = events::append(tx, &self.metadata(), caused).await?;
        self.with_record(|record| {
            record
                .applied
                .extend(envelopes.iter().map(|envelope| envelope.id));
        });
        Ok(envelopes)
    }

    /// Notes events that [`Handler::act`] wrote in a transaction of its own, once that is committed.
    pub fn has_caused(&self, written: &[EventEnvelope]) {
        self.with_record(|record| record.kept.extend(written.iter().map(|envelope| envelope.id)));
    }

    /// Forgets which events it caused in its savepoint: that was taken back.
    pub(crate) fn caused_nothing(&self) {
        self.with_record(|record| record.applied.clear());
    }

    pub(crate) fn record(&self) -> Record {
        self.with_record(|record| record.clone())
    }

    fn with_record<R>(&self, act: impl FnOnce(&mut Record) -> R) -> R {
        act(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
