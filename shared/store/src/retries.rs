//! Deliveries that are to be tried again: rows, so that they behave the same on both buses and honour Retry-After.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_events::{Consumer, EventEnvelope, EventId, ReplayId, WorkerId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect, Value,
    sea_query::{Expr, OnConflict},
};

use crate::{
    Store, StoreError, Tx,
    dead_letters::{self, NewDeadLetter},
    entities::scheduled_retry,
    events::stored,
    sql,
};

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
        envelope: Set(stored::to_json(&retry.envelope)),
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

/// Claims retries that are due, for a time. Those of consumers that this version does not know stay for one that does;
/// those that cannot be read become dead letters.
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
         and (claimed_until is null or claimed_until < $3) and consumer in ({}) \
         order by next_attempt_at limit $4 {}) returning consumer, event_id, replay_id, attempt, {}",
        sql::list(5, Consumer::ALL.len()),
        sql::skip_locked(tx.db()),
        stored::column(tx.db())
    );
    let values = [
        worker.into(),
        (now + hold).into(),
        now.into(),
        (limit as i64).into(),
    ];
    let values = values.into_iter().chain(known().map(Value::from));
    let mut due = Vec::new();
    for row in tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?
    {
        due.extend(read_or_bury(&tx, &row).await?);
    }
    tx.commit().await?;
    Ok(due)
}

/// The consumers that this version knows.
fn known() -> impl Iterator<Item = &'static str> {
    Consumer::ALL.iter().map(|consumer| consumer.name())
}

/// A claimed retry. `None`: it could not be read, and is a dead letter now.
async fn read_or_bury(tx: &Tx, row: &QueryResult) -> Result<Option<Retry>, StoreError> {
    let name: String = row.try_get("", "consumer")?;
    let consumer = Consumer::by_name(&name).ok_or_else(|| StoreError::not_found("consumer", &name))?;
    let (attempt, replay_id) = (row.try_get("", "attempt")?, row.try_get("", "replay_id")?);
    let unreadable = match stored::read(row) {
        Ok(envelope) => {
            return Ok(Some(Retry {
                consumer,
                envelope,
                attempt,
                replay_id,
            }));
        }
        Err(unreadable) => unreadable,
    };
    let event_id = row.try_get("", "event_id")?;
    let letter =
        NewDeadLetter::unreadable(tx, consumer.name(), event_id, replay_id, attempt, unreadable).await;
    dead_letters::keep(tx, letter).await?;
    scheduled_retry::Entity::delete_by_id((consumer.name().to_owned(), event_id, replay_id))
        .exec(tx.db())
        .await?;
    Ok(None)
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

/// When the next retry of a consumer that this version knows is due, if one is planned.
///
/// # Errors
/// When the database refuses.
pub async fn next_due(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(scheduled_retry::Entity::find()
        .filter(scheduled_retry::Column::Consumer.is_in(known()))
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
    let found: Option<i32> = scheduled_retry::Entity::find()
        .filter(scheduled_retry::Column::EventId.eq(event_id))
        .select_only()
        .column(scheduled_retry::Column::Attempt)
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}
