//! What was handled: a second delivery of an event changes nothing.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use postroom_events::{Consumer, EventId, ReplayId};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    HandlingOutcome, StoreError, Tx,
    entities::{handling_outcome, processed_event},
};

/// Which of these events the consumer has handled finally, in this run of each.
///
/// # Errors
/// When the database refuses.
pub async fn already(
    db: &impl ConnectionTrait,
    consumer: Consumer,
    events: &[(EventId, ReplayId)],
) -> Result<HashSet<(EventId, ReplayId)>, StoreError> {
    let rows = processed_event::Entity::find()
        .filter(processed_event::Column::EventId.is_in(events.iter().map(|(id, _)| *id)))
        .filter(processed_event::Column::Consumer.eq(consumer.name()))
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.event_id, row.replay_id))
        .collect())
}

/// Notes events as handled, in the transaction that holds their effects. Only for final outcomes: an event that is to
/// be tried again is not handled yet.
///
/// # Errors
/// [`StoreError::AlreadyExists`] when another delivery of one of them was handled in the meantime: then nothing of this
/// transaction may stay.
pub async fn record(tx: &Tx, consumer: Consumer, events: &[(EventId, ReplayId)]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let now = tx.store().clock().now();
    let rows = events
        .iter()
        .map(|(event_id, replay_id)| processed_event::ActiveModel {
            consumer: Set(consumer.name().to_owned()),
            event_id: Set(*event_id),
            replay_id: Set(*replay_id),
            processed_at: Set(now),
        });
    processed_event::Entity::insert_many(rows)
        .exec_without_returning(tx.db())
        .await
        .map_err(|error| StoreError::on_duplicate(error, "handled event", "consumer, event and replay"))?;
    Ok(())
}

/// How one handling of an event ended. No content, no secret.
#[derive(Debug, Clone)]
pub struct NewOutcome {
    /// Who handled it.
    pub consumer: Consumer,
    /// The event.
    pub event_id: EventId,
    /// The live replay that it belonged to.
    pub replay_id: ReplayId,
    /// Number of the attempt, from 1.
    pub attempt: i32,
    /// `done`, `retry` or `dead_letter`.
    pub verdict: &'static str,
    /// Class of the error, if there was one.
    pub error_class: Option<String>,
    /// The error in words, if there was one.
    pub error: Option<String>,
    /// What the outside world answered: class and code of each answer.
    pub answers: Json,
    /// Ids of the events that it caused.
    pub caused: Vec<EventId>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Notes how handlings ended: what a dry run of a replay compares with.
///
/// # Errors
/// When the database refuses.
pub async fn record_outcomes(tx: &Tx, outcomes: Vec<NewOutcome>) -> Result<(), StoreError> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let rows = outcomes.into_iter().map(|outcome| handling_outcome::ActiveModel {
        id: Set(Uuid::now_v7()),
        consumer: Set(outcome.consumer.name().to_owned()),
        event_id: Set(outcome.event_id),
        replay_id: Set(outcome.replay_id),
        attempt: Set(outcome.attempt),
        verdict: Set(outcome.verdict.to_owned()),
        error_class: Set(outcome.error_class),
        error: Set(outcome.error),
        answers: Set(outcome.answers),
        caused: Set(serde_json::to_value(outcome.caused).unwrap_or_default()),
        started_at: Set(outcome.started_at),
        finished_at: Set(outcome.finished_at),
    });
    handling_outcome::Entity::insert_many(rows)
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// How an event was handled, by whom, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn outcomes(
    db: &impl ConnectionTrait,
    event_id: EventId,
) -> Result<Vec<HandlingOutcome>, StoreError> {
    Ok(handling_outcome::Entity::find()
        .filter(handling_outcome::Column::EventId.eq(event_id))
        .order_by_asc(handling_outcome::Column::FinishedAt)
        .all(db)
        .await?)
}
