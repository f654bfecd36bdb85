//! Counts for operators: what waits, what was given up, how accounts fare.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::{
    StoreError,
    entities::{account, dead_letter, scheduled_retry},
};

/// Connected accounts by the name of their state.
///
/// # Errors
/// When the database refuses.
pub async fn accounts_by_state(db: &impl ConnectionTrait) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(account::Entity::find()
        .select_only()
        .column(account::Column::State)
        .column_as(account::Column::Id.count(), "count")
        .filter(account::Column::DisconnectedAt.is_null())
        .group_by(account::Column::State)
        .into_tuple()
        .all(db)
        .await?)
}

/// Deliveries that wait for their retry, by the name of their consumer.
///
/// # Errors
/// When the database refuses.
pub async fn retries_by_consumer(db: &impl ConnectionTrait) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(scheduled_retry::Entity::find()
        .select_only()
        .column(scheduled_retry::Column::Consumer)
        .column_as(scheduled_retry::Column::EventId.count(), "count")
        .group_by(scheduled_retry::Column::Consumer)
        .into_tuple()
        .all(db)
        .await?)
}

/// Dead letters that wait for a person, by the name of their consumer.
///
/// # Errors
/// When the database refuses.
pub async fn dead_letters_by_consumer(db: &impl ConnectionTrait) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(dead_letter::Entity::find()
        .select_only()
        .column(dead_letter::Column::Consumer)
        .column_as(dead_letter::Column::Id.count(), "count")
        .filter(dead_letter::Column::SettledAt.is_null())
        .group_by(dead_letter::Column::Consumer)
        .into_tuple()
        .all(db)
        .await?)
}
