//! The queue tables of the embedded bus. The logic of queues is in `bus`; here are its rows.

use postroom_events::{Consumer, EventEnvelope, ReplayId, WorkerId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryResult,
    QuerySelect,
};

use crate::{
    Store, StoreError, Tx,
    dead_letters::{self, NewDeadLetter},
    entities::queued_delivery,
    events::stored,
    sql,
};

/// Rows per statement.
const CHUNK: usize = 500;

/// A delivery to put into a consumer's queue.
#[derive(Debug, Clone, Copy)]
pub struct NewDelivery<'a> {
    /// Whose queue.
    pub consumer: Consumer,
    /// The event.
    pub envelope: &'a EventEnvelope,
    /// Number of the attempt to handle it, from 1.
    pub attempt: i32,
    /// The live replay that it belongs to.
    pub replay_id: ReplayId,
}

/// A delivery that was taken from a queue and is not settled yet.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedDelivery {
    /// Its place in the queue; names it when it is settled.
    pub position: i64,
    /// The envelope as stored, readable or not.
    pub envelope: serde_json::Value,
    /// Number of the attempt to handle it, from 1.
    pub attempt: i32,
    /// The live replay that it belongs to.
    pub replay_id: ReplayId,
    /// How often it was taken, this time included.
    pub delivery_count: i32,
}

/// Puts deliveries at the end of their queues. After the commit, their consumers are woken.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(tx: &Tx, deliveries: &[NewDelivery<'_>]) -> Result<(), StoreError> {
    let now = tx.store().clock().now();
    for chunk in deliveries.chunks(CHUNK) {
        let rows = chunk.iter().map(|delivery| queued_delivery::ActiveModel {
            queue: Set(delivery.consumer.queue().to_owned()),
            event_id: Set(delivery.envelope.id),
            replay_id: Set(delivery.replay_id),
            envelope: Set(stored::to_json(delivery.envelope)),
            attempt: Set(delivery.attempt),
            created_at: Set(now),
            ..Default::default()
        });
        queued_delivery::Entity::insert_many(rows)
            .exec_without_returning(tx.db())
            .await?;
    }
    tx.note(|due| {
        due.queues
            .extend(deliveries.iter().map(|delivery| delivery.consumer))
    });
    Ok(())
}

/// Takes the oldest deliveries of a queue that nobody has taken.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    store: &Store,
    consumer: Consumer,
    worker: WorkerId,
    limit: u64,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let tx = store.begin("queue.claim").await?;
    let text = format!(
        "update queued_deliveries set claimed_by = $1, delivery_count = delivery_count + 1 where position in (select position \
         from queued_deliveries where queue = $2 and claimed_by is null order by position limit $3 {}) \
         returning position, attempt, replay_id, delivery_count, {}",
        sql::skip_locked(tx.db()),
        stored::column(tx.db())
    );
    let values = [worker.into(), consumer.queue().into(), (limit as i64).into()];
    let mut claimed = Vec::new();
    for row in tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?
    {
        claimed.push(ClaimedDelivery {
            position: row.try_get("", "position")?,
            envelope: stored::as_json(&row),
            attempt: row.try_get("", "attempt")?,
            replay_id: row.try_get("", "replay_id")?,
            delivery_count: row.try_get("", "delivery_count")?,
        });
    }
    tx.commit().await?;
    claimed.sort_by_key(|delivery| delivery.position);
    Ok(claimed)
}

/// Whether a queue has deliveries that nobody has taken: asked before a claim, which writes.
///
/// # Errors
/// When the database refuses.
pub async fn has_waiting(db: &impl ConnectionTrait, consumer: Consumer) -> Result<bool, StoreError> {
    let found: Option<i64> = queued_delivery::Entity::find()
        .filter(queued_delivery::Column::Queue.eq(consumer.queue()))
        .filter(queued_delivery::Column::ClaimedBy.is_null())
        .select_only()
        .column(queued_delivery::Column::Position)
        .into_tuple()
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// Settles deliveries: removes the acknowledged ones, puts the requeued ones back where they were, and keeps the dead ones
/// as dead letters, each with its reason. Positions that are gone are passed over.
///
/// # Errors
/// When the database refuses.
pub async fn settle(
    store: &Store,
    consumer: Consumer,
    acknowledged: &[i64],
    requeued: &[i64],
    dead: &[(i64, String)],
) -> Result<(), StoreError> {
    let tx = store.begin("queue.settle").await?;
    for chunk in dead.chunks(CHUNK) {
        bury(&tx, consumer, chunk).await?;
    }
    let gone: Vec<i64> = acknowledged
        .iter()
        .copied()
        .chain(dead.iter().map(|(position, _)| *position))
        .collect();
    for chunk in gone.chunks(CHUNK) {
        let positions = queued_delivery::Column::Position.is_in(chunk.iter().copied());
        queued_delivery::Entity::delete_many()
            .filter(positions)
            .exec(tx.db())
            .await?;
    }
    for chunk in requeued.chunks(CHUNK) {
        let text = format!(
            "update queued_deliveries set claimed_by = null where position in ({})",
            sql::list(1, chunk.len())
        );
        let values = chunk.iter().map(|position| (*position).into());
        tx.db().execute_raw(sql::statement(tx.db(), text, values)).await?;
    }
    tx.commit().await
}

async fn bury(tx: &Tx, consumer: Consumer, dead: &[(i64, String)]) -> Result<(), StoreError> {
    let text = format!(
        "select position, event_id, replay_id, attempt, {} from queued_deliveries where position in ({})",
        stored::column(tx.db()),
        sql::list(1, dead.len())
    );
    let positions = dead.iter().map(|(position, _)| (*position).into());
    for row in tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, positions))
        .await?
    {
        let position: i64 = row.try_get("", "position")?;
        let reason = dead.iter().find(|(dead, _)| *dead == position);
        let reason = reason.map(|(_, reason)| reason.clone()).unwrap_or_default();
        let letter = dead_letter(tx, consumer, &row, reason).await?;
        dead_letters::keep(tx, letter).await?;
    }
    Ok(())
}

async fn dead_letter(
    tx: &Tx,
    consumer: Consumer,
    row: &QueryResult,
    reason: String,
) -> Result<NewDeadLetter, StoreError> {
    let (replay_id, attempt) = (row.try_get("", "replay_id")?, row.try_get("", "attempt")?);
    Ok(match stored::read(row) {
        Ok(envelope) => NewDeadLetter::of(consumer, envelope, replay_id, reason, attempt),
        Err(unreadable) => {
            let event_id = row.try_get("", "event_id")?;
            NewDeadLetter::unreadable(tx, consumer.name(), event_id, replay_id, attempt, unreadable).await
        }
    })
}

/// Gives back what a process that is gone had taken. Embedded there is one process, so whatever another id has taken
/// was taken by a dead one.
///
/// # Errors
/// When the database refuses.
pub async fn recover(store: &Store, worker: WorkerId) -> Result<u64, StoreError> {
    let tx = store.begin("queue.recover").await?;
    let text =
        "update queued_deliveries set claimed_by = null where claimed_by is not null and claimed_by <> $1";
    let result = tx
        .db()
        .execute_raw(sql::statement(tx.db(), text, [worker.into()]))
        .await?;
    tx.commit().await?;
    Ok(result.rows_affected())
}

/// How many deliveries lie in a queue, taken ones included.
///
/// # Errors
/// When the database refuses.
pub async fn depth(db: &impl ConnectionTrait, consumer: Consumer) -> Result<u64, StoreError> {
    Ok(queued_delivery::Entity::find()
        .filter(queued_delivery::Column::Queue.eq(consumer.queue()))
        .count(db)
        .await?)
}
