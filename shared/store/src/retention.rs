//! What is forgotten with time: events, how they were handled, and other rows that have ended.
//!
//! - [`forget_old_rows`] deletes old rows in batches, on both databases;
//! - [`keep_partitions`] gives PostgreSQL's event log a partition per month, and drops whole months that are past.
//!
//! Not forgotten: what waits for a person (open dead letters), what belongs to an account and goes with it (mail,
//! submissions, folders), and the last sequence number of each subject, one row per account or grant that ever was.
//!
//! Any worker may run either at any time, also two at once.

mod partitions;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect};

use crate::{Backend, Store, StoreError, entities::logged_event, sql};

pub use partitions::keep_partitions;

/// Rows per transaction: SQLite has one writer, and others wait for it.
const BATCH: u64 = 1000;

/// So far may two clocks be apart: the one that an event was stamped by, and that of the machine that handled it.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 60 * 60);

/// A table whose rows are forgotten.
#[derive(Debug, Clone, Copy)]
struct Table {
    name: &'static str,
    key: &'static str,
    /// The time that a row is as old as: an indexed column.
    time: &'static str,
    /// What else must be true of a row, for those that somebody may still name.
    only: &'static str,
}

impl Table {
    const fn new(name: &'static str, key: &'static str, time: &'static str) -> Self {
        Self {
            name,
            key,
            time,
            only: "",
        }
    }

    const fn only(self, only: &'static str) -> Self {
        Self { only, ..self }
    }
}

/// How events were handled: kept at least as long as the events.
const HANDLED: [Table; 2] = [
    Table::new(
        "processed_events",
        "event_id, consumer, replay_id",
        "processed_at",
    ),
    Table::new("handling_outcomes", "id", "finished_at"),
];

/// What has ended. A credential before its grant, which it names.
const ENDED: [Table; 4] = [
    Table::new("dead_letters", "id", "settled_at"),
    Table::new("lease_history", "account_id, fencing", "ended_at"),
    Table::new("credentials", "id", "erased_at")
        .only("and not exists (select 1 from accounts a where a.credential_id = credentials.id)"),
    Table::new("grants", "id", "updated_at").only(
        "and state = 'revoked' and not exists (select 1 from credentials c where c.grant_id = grants.id)",
    ),
];

/// Forgets rows that are older than `keep` at `now` (by [`Store::now`]), at most `limit` of each table, oldest first.
/// Gives how many.
///
/// How an event was handled is forgotten a day after the event itself was: a delivery of an event that is in the log is
/// recognized as a second one.
///
/// # Errors
/// When the database refuses. The next run goes on where this one ended.
pub async fn forget_old_rows(
    store: &Store,
    now: DateTime<Utc>,
    keep: Duration,
    limit: u64,
) -> Result<u64, StoreError> {
    let before = now - keep;
    let mut forgotten = forget(store, &events(store), before, limit).await?;
    let handled_before = oldest_event(store).await?.map_or(before, |time| time.min(before));
    for table in &HANDLED {
        forgotten += forget(store, table, handled_before - CLOCK_SKEW, limit).await?;
    }
    for table in &ENDED {
        forgotten += forget(store, table, before, limit).await?;
    }
    Ok(forgotten)
}

/// The events that are deleted one by one: on PostgreSQL those that came before there was a partition for their month.
fn events(store: &Store) -> Table {
    let name = match store.backend() {
        Backend::Sqlite => "event_log",
        Backend::Postgres => "event_log_default",
    };
    Table::new(name, "time, id", "time")
}

async fn oldest_event(store: &Store) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(logged_event::Entity::find()
        .select_only()
        .column(logged_event::Column::Time)
        .order_by_asc(logged_event::Column::Time)
        .limit(1)
        .into_tuple()
        .one(store.read())
        .await?)
}

async fn forget(store: &Store, table: &Table, before: DateTime<Utc>, limit: u64) -> Result<u64, StoreError> {
    let Table {
        name,
        key,
        time,
        only,
    } = table;
    let mut forgotten = 0;
    while forgotten < limit {
        let batch = BATCH.min(limit - forgotten);
        let tx = store.begin("retention.forget").await?;
        let text = format!(
            "delete from {name} where ({key}) in \
             (select {key} from {name} where {time} < $1 {only} order by {time} limit $2 {})",
            sql::skip_locked(tx.db())
        );
        let values = [before.into(), batch.cast_signed().into()];
        let deleted = tx.db().execute_raw(sql::statement(tx.db(), text, values)).await?;
        tx.commit().await?;
        forgotten += deleted.rows_affected();
        if deleted.rows_affected() < batch {
            break;
        }
    }
    Ok(forgotten)
}
