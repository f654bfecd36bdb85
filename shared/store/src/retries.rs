//! Deliveries that are to be tried again: rows, so that they behave the same on both buses and honour Retry-After.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_events::{Consumer, EventEnvelope, EventId, ReplayId, WorkerId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use crate::{Store, StoreError, Tx, entities::scheduled_retry, events, sql};

/// A delivery to try again.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Who tries it.
    pub consumer: Consumer,
    /// The event.
    pub envelope: EventEnvelope,
    /// Number of the attempt that is to come.
    pub attempt: i32,
    /// The live replay that it belongs to.
    pub replay_id: ReplayId,
}

/// Plans the next attempt of a delivery, in the transaction that holds what the last one left.
///
/// # Errors
/// When the database refuses.
pub async fn schedule(tx: &Tx, retry: &Retry, at: DateTime<Utc>, reason: &str) -> Result<(), StoreError> {
    let row = scheduled_retry::ActiveModel {
        consumer: Set(retry.consumer.name().to_owned()),
        event_id: Set(retry.envelope.id),
        replay_id: Set(retry.replay_id),
        attempt: Set(retry.attempt),
        envelope: Set(events::to_json(&retry.envelope)),
        reason: Set(reason.to_owned()),
        next_attempt_at: Set(at),
        claimed_by: Set(None),
        claimed_until: Set(None),
    };
    use scheduled_retry::Column;
    let update = [
        Column::Attempt,
        Column::Reason,
        Column::NextAttemptAt,
        Column::ClaimedBy,
        Column::ClaimedUntil,
    ];
    scheduled_retry::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([Column::EventId, Column::Consumer, Column::ReplayId])
                .update_columns(update)
                .to_owned(),
        )
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// Claims retries that are due, for a time.
///
/// # Errors
/// When the database refuses.
pub async fn claim_due(
    store: &Store,
    worker: WorkerId,
    limit: u64,
    hold: Duration,
) -> Result<Vec<Retry>, StoreError> {
    let tx = store.begin("retries.claim_due").await?;
    let now = store.now(tx.db()).await?;
    let text = format!(
        "update scheduled_retries set claimed_by = $1, claimed_until = $2 where (event_id, consumer, replay_id) in \
         (select event_id, consumer, replay_id from scheduled_retries where next_attempt_at <= $3 \
         and (claimed_until is null or claimed_until < $3) order by next_attempt_at limit $4 {}) \
         returning consumer, attempt, replay_id, envelope",
        sql::skip_locked(tx.db())
    );
    let values = [
        worker.into(),
        (now + hold).into(),
        now.into(),
        (limit as i64).into(),
    ];
    let mut due = Vec::new();
    for row in tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?
    {
        let name: String = row.try_get("", "consumer")?;
        let consumer = Consumer::by_name(&name).ok_or_else(|| StoreError::Damaged {
            what: "retry",
            reason: format!("no consumer is called {name}"),
        })?;
        due.push(Retry {
            consumer,
            envelope: events::from_json(row.try_get("", "envelope")?)?,
            attempt: row.try_get("", "attempt")?,
            replay_id: row.try_get("", "replay_id")?,
        });
    }
    tx.commit().await?;
    Ok(due)
}

/// Forgets retries that the bus has taken over. A retry that was planned anew since then stays.
///
/// # Errors
/// When the database refuses.
pub async fn handed_over(tx: &Tx, retries: &[Retry]) -> Result<(), StoreError> {
    for retry in retries {
        use scheduled_retry::Column;
        scheduled_retry::Entity::delete_many()
            .filter(Column::EventId.eq(retry.envelope.id))
            .filter(Column::Consumer.eq(retry.consumer.name()))
            .filter(Column::ReplayId.eq(retry.replay_id))
            .filter(Column::Attempt.eq(retry.attempt))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// Brings planned retries forward to `at`, for those that are planned later.
///
/// # Errors
/// When the database refuses.
pub async fn bring_forward(
    tx: &Tx,
    consumer: Consumer,
    events: &[EventId],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    use scheduled_retry::Column;
    for chunk in events.chunks(1000) {
        scheduled_retry::Entity::update_many()
            .col_expr(Column::NextAttemptAt, Expr::value(at))
            .filter(Column::Consumer.eq(consumer.name()))
            .filter(Column::EventId.is_in(chunk.iter().copied()))
            .filter(Column::NextAttemptAt.gt(at))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// When the next retry is due, if one is planned.
///
/// # Errors
/// When the database refuses.
pub async fn next_due(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(scheduled_retry::Entity::find()
        .order_by_asc(scheduled_retry::Column::NextAttemptAt)
        .select_only()
        .column(scheduled_retry::Column::NextAttemptAt)
        .into_tuple()
        .one(db)
        .await?)
}

/// Whether a retry of an event is planned.
///
/// # Errors
/// When the database refuses.
pub async fn planned(db: &impl ConnectionTrait, event_id: EventId) -> Result<bool, StoreError> {
    let found = scheduled_retry::Entity::find()
        .filter(scheduled_retry::Column::EventId.eq(event_id))
        .one(db)
        .await?;
    Ok(found.is_some())
}
