//! The processes that are alive, by the database's clock: what a fair share is reckoned from.

use std::time::Duration;

use postroom_events::WorkerId;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::OnConflict,
};

use crate::{Store, StoreError, entities::worker};

/// A worker that was not seen for so long is forgotten altogether.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Notes that a worker is alive, and forgets those that have been silent for a day.
///
/// # Errors
/// When the database refuses.
pub async fn heartbeat(store: &Store, id: WorkerId, service: &str) -> Result<(), StoreError> {
    let tx = store.begin("workers.heartbeat").await?;
    let now = store.now(tx.db()).await?;
    let row = worker::ActiveModel {
        id: Set(id),
        service: Set(service.to_owned()),
        started_at: Set(now),
        seen_at: Set(now),
    };
    worker::Entity::insert(row)
        .on_conflict(
            OnConflict::column(worker::Column::Id)
                .update_column(worker::Column::SeenAt)
                .to_owned(),
        )
        .exec_without_returning(tx.db())
        .await?;
    worker::Entity::delete_many()
        .filter(worker::Column::SeenAt.lt(now - FORGET_AFTER))
        .exec(tx.db())
        .await?;
    tx.commit().await
}

/// Notes that a worker has left.
///
/// # Errors
/// When the database refuses.
pub async fn leave(store: &Store, id: WorkerId) -> Result<(), StoreError> {
    let tx = store.begin("workers.leave").await?;
    worker::Entity::delete_by_id(id).exec(tx.db()).await?;
    tx.commit().await
}

/// How many workers of a service were seen within that time.
///
/// # Errors
/// When the database refuses.
pub async fn count_alive(
    store: &Store,
    db: &impl ConnectionTrait,
    service: &str,
    within: Duration,
) -> Result<u64, StoreError> {
    let now = store.now(db).await?;
    Ok(worker::Entity::find()
        .filter(worker::Column::Service.eq(service))
        .filter(worker::Column::SeenAt.gt(now - within))
        .count(db)
        .await?)
}
