//! The traces that erased rows leave in the database's own files.

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{Store, StoreError};

/// On SQLite, moves the write-ahead log into the database and cuts it to nothing. With `rebuild`, the database is also
/// written anew (`vacuum`), because pages that were split still hold copies of rows in their unused middle; that takes
/// a while, and writers wait. Gives whether the log is empty now: a reader may have stood in the way.
///
/// PostgreSQL does this itself (vacuum, and write-ahead log that is recycled), on its own schedule.
///
/// # Errors
/// When the database refuses.
pub async fn sweep_database(store: &Store, rebuild: bool) -> Result<bool, StoreError> {
    let Some(writer) = &store.shared.sqlite_writer else {
        return Ok(true);
    };
    let alone = writer.alone().await;
    if rebuild {
        alone.connection().execute_unprepared("vacuum").await?;
    }
    let checkpoint = Statement::from_string(DbBackend::Sqlite, "pragma wal_checkpoint(truncate)");
    let row = alone.connection().query_one_raw(checkpoint).await?;
    let busy: i32 = match row {
        Some(row) => row.try_get("", "busy")?,
        None => 1,
    };
    Ok(busy == 0)
}
