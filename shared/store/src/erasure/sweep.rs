//! The traces that erased rows leave in the database's own files.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::{Backend, Store, StoreError, Tx};

/// Notes that rows are erased, in the transaction that erases them: [`sweep_database`] has something to do, also after a
/// restart. SQLite keeps a number for its application in the file's header; ours is 1 while there is something to sweep.
pub(super) async fn note(tx: &Tx) -> Result<(), StoreError> {
    if tx.store().backend() == Backend::Sqlite {
        tx.db().execute_unprepared("pragma user_version = 1").await?;
    }
    Ok(())
}

/// On SQLite, when rows were erased since the last time: writes the database anew (`vacuum`), because pages that were
/// split still hold copies of rows in their unused middle, and cuts the write-ahead log to nothing. That takes a while,
/// and writers wait. Gives whether nothing is left to sweep: a reader may have stood in the way.
///
/// PostgreSQL does this itself (vacuum, and write-ahead log that is recycled), on its own schedule.
///
/// # Errors
/// When the database refuses.
pub async fn sweep_database(store: &Store) -> Result<bool, StoreError> {
    let Some(writer) = &store.shared.sqlite_writer else {
        return Ok(true);
    };
    let alone = writer.alone().await;
    let connection = alone.connection();
    if pragma(connection, "user_version").await? == 0 {
        return Ok(true);
    }
    connection.execute_unprepared("vacuum").await?;
    let busy = pragma(connection, "wal_checkpoint(truncate)").await? != 0;
    if !busy {
        connection.execute_unprepared("pragma user_version = 0").await?;
    }
    Ok(!busy)
}

/// The first number that a pragma answers.
async fn pragma(connection: &DatabaseConnection, name: &str) -> Result<i32, StoreError> {
    let statement = Statement::from_string(DbBackend::Sqlite, format!("pragma {name}"));
    match connection.query_one_raw(statement).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Err(StoreError::not_found("answer to", name)),
    }
}
