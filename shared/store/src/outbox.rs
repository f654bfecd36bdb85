//! Events that are not published yet. Publishing one twice is allowed, losing one is not.

use std::time::Duration;

use postroom_events::{EventEnvelope, ReplayId, WorkerId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::{
    Store, StoreError, Tx,
    dead_letters::{self, NewDeadLetter},
    entities::outbox_row,
    events::stored,
    sql,
};

/// Who gives up events that cannot even be published, as dead letters name it.
pub const NAME: &str = "outbox";

/// An outbox row that this worker has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedRow {
    /// Its place in the outbox.
    pub position: i64,
    /// The event.
    pub envelope: EventEnvelope,
}

/// Claims the oldest unclaimed rows for a time; a worker that dies leaves them to the next. Rows that cannot be read become
/// dead letters.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    store: &Store,
    worker: WorkerId,
    limit: u64,
    hold: Duration,
) -> Result<Vec<ClaimedRow>, StoreError> {
    let tx = store.begin("outbox.claim").await?;
    let now = store.now(tx.db()).await?;
    let text = format!(
        "update event_outbox set claimed_by = $1, claimed_until = $2 where position in (select position from event_outbox \
         where claimed_until is null or claimed_until < $3 order by position limit $4 {}) returning position, event_id, {}",
        sql::skip_locked(tx.db()),
        stored::column(tx.db())
    );
    let values = [
        worker.into(),
        (now + hold).into(),
        now.into(),
        (limit as i64).into(),
    ];
    let mut claimed = Vec::new();
    let mut buried = Vec::new();
    for row in tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?
    {
        let position = row.try_get("", "position")?;
        match stored::read(&row) {
            Ok(envelope) => claimed.push(ClaimedRow { position, envelope }),
            Err(unreadable) => {
                let event_id = row.try_get("", "event_id")?;
                let letter =
                    NewDeadLetter::unreadable(&tx, NAME, event_id, ReplayId::FIRST_RUN, 1, unreadable).await;
                dead_letters::keep(&tx, letter).await?;
                buried.push(position);
            }
        }
    }
    forget(&tx, buried).await?;
    tx.commit().await?;
    claimed.sort_by_key(|row| row.position);
    Ok(claimed)
}

/// Forgets rows whose events the broker has confirmed.
///
/// # Errors
/// When the database refuses.
pub async fn published(store: &Store, positions: Vec<i64>) -> Result<(), StoreError> {
    if positions.is_empty() {
        return Ok(());
    }
    let tx = store.begin("outbox.published").await?;
    forget(&tx, positions).await?;
    tx.commit().await
}

async fn forget(tx: &Tx, positions: Vec<i64>) -> Result<(), StoreError> {
    if !positions.is_empty() {
        outbox_row::Entity::delete_many()
            .filter(outbox_row::Column::Position.is_in(positions))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// Gives rows back at once, so that the next claim takes them (the broker refused them).
///
/// # Errors
/// When the database refuses.
pub async fn release(store: &Store, positions: Vec<i64>) -> Result<(), StoreError> {
    if positions.is_empty() {
        return Ok(());
    }
    let tx = store.begin("outbox.release").await?;
    let text = format!(
        "update event_outbox set claimed_until = null where position in ({})",
        sql::list(1, positions.len())
    );
    tx.db()
        .execute_raw(sql::statement(
            tx.db(),
            text,
            positions.into_iter().map(Into::into),
        ))
        .await?;
    tx.commit().await
}

/// How many events wait to be published.
///
/// # Errors
/// When the database refuses.
pub async fn waiting(db: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(outbox_row::Entity::find().count(db).await?)
}
