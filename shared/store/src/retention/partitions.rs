//! On PostgreSQL the event log has a partition per month: a month that is past is dropped at once, and leaves no dead rows
//! behind. Partitions that an operator made under other names are his.

use std::time::Duration;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use sea_orm::ConnectionTrait;

use crate::{Backend, Store, StoreError, Tx, sql};

/// So many months after the present one have a partition.
const MONTHS_AHEAD: usize = 2;

/// The key of the advisory lock: one worker at a time.
const LOCK: i64 = 0x706f_7374_726f_6f6d;

/// On PostgreSQL, makes partitions of the event log for the month of `now` (by [`Store::now`]) and the next two, and drops
/// those months that are older than `keep` as a whole. Gives how many were dropped.
///
/// A month of which the default partition holds events already gets none: they are deleted one by one.
///
/// # Errors
/// When the database refuses, or others hold the event log for more than 2 seconds. The next run tries again.
pub async fn keep_partitions(store: &Store, now: DateTime<Utc>, keep: Duration) -> Result<u64, StoreError> {
    if store.backend() == Backend::Sqlite {
        return Ok(0);
    }
    add_coming(store, now).await?;
    drop_past(store, now - keep).await
}

async fn add_coming(store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
    let present = months(store.read()).await?;
    let coming: Vec<_> = std::iter::successors(Month::of(now), |month| month.next())
        .take(1 + MONTHS_AHEAD)
        .filter(|month| !present.contains(month))
        .collect();
    for month in coming {
        let tx = store.begin("retention.add_partition").await?;
        if !take_turn(&tx).await? {
            return Ok(());
        }
        if month.create(&tx).await? {
            tx.commit().await?;
            tracing::info!(partition = month.table(), "Made a partition of the event log");
        }
    }
    Ok(())
}

async fn drop_past(store: &Store, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let present = months(store.read()).await?;
    let mut dropped = 0;
    for month in present.into_iter().filter(|month| month.ends_by(before)) {
        let tx = store.begin("retention.drop_partition").await?;
        if !take_turn(&tx).await? {
            break;
        }
        let text = format!("drop table if exists {}", month.table());
        tx.db().execute_unprepared(&text).await?;
        tx.commit().await?;
        tracing::info!(partition = month.table(), "Dropped a month of the event log");
        dropped += 1;
    }
    Ok(dropped)
}

/// Whether no other worker does this at the moment. Who waits for a lock keeps everybody behind him waiting, so not long.
async fn take_turn(tx: &Tx) -> Result<bool, StoreError> {
    tx.db()
        .execute_unprepared("set local lock_timeout = '2s'")
        .await?;
    let text = "select pg_try_advisory_xact_lock($1) as ours";
    let row = tx
        .db()
        .query_one_raw(sql::statement(tx.db(), text, [LOCK.into()]))
        .await?;
    match row {
        Some(row) => Ok(row.try_get("", "ours")?),
        None => Ok(false),
    }
}

/// The months that have a partition.
async fn months(db: &impl ConnectionTrait) -> Result<Vec<Month>, StoreError> {
    let text = "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid \
                where i.inhparent = 'event_log'::regclass";
    let mut months = Vec::new();
    for row in db.query_all_raw(sql::statement(db, text, [])).await? {
        let name: String = row.try_get("", "name")?;
        months.extend(Month::named(&name));
    }
    Ok(months)
}

/// A month, by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Month(NaiveDate);

impl Month {
    fn of(time: DateTime<Utc>) -> Option<Self> {
        time.date_naive().with_day(1).map(Self)
    }

    fn named(table: &str) -> Option<Self> {
        let month = table.strip_prefix("event_log_")?;
        let first_day = NaiveDate::parse_from_str(&format!("{month}_01"), "%Y_%m_%d").ok()?;
        Some(Self(first_day)).filter(|month| month.table() == table)
    }

    fn table(self) -> String {
        self.0.format("event_log_%Y_%m").to_string()
    }

    fn next(self) -> Option<Self> {
        self.0.checked_add_months(Months::new(1)).map(Self)
    }

    /// Whether it is over by then.
    fn ends_by(self, time: DateTime<Utc>) -> bool {
        self.next().is_some_and(|next| next.0 <= time.date_naive())
    }

    /// Makes its partition, unless the default partition holds events of it. Gives whether it was made.
    async fn create(self, tx: &Tx) -> Result<bool, StoreError> {
        let Some(next) = self.next() else {
            return Ok(false);
        };
        let (from, to) = (
            format!("'{} 00:00:00+00'", self.0),
            format!("'{} 00:00:00+00'", next.0),
        );
        let text =
            format!("select 1 as one from event_log_default where time >= {from} and time < {to} limit 1");
        if tx
            .db()
            .query_one_raw(sql::statement(tx.db(), text, []))
            .await?
            .is_some()
        {
            return Ok(false);
        }
        let text = format!(
            "create table if not exists {} partition of event_log for values from ({from}) to ({to})",
            self.table()
        );
        tx.db().execute_unprepared(&text).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(name: &str) -> Option<Month> {
        Month::named(name)
    }

    #[test]
    fn only_our_own_names_are_months() {
        let november = month("event_log_2026_11").unwrap();
        assert_eq!(november.table(), "event_log_2026_11");
        for other in [
            "event_log_default",
            "event_log_2026_13",
            "event_log_2026_1",
            "event_log_2026_11_02",
            "events_2026_11",
        ] {
            assert_eq!(month(other), None, "{other}");
        }
    }

    #[test]
    fn a_month_is_past_when_its_last_day_is() {
        let december = month("event_log_2026_12").unwrap();
        assert_eq!(december.next(), month("event_log_2027_01"));
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(Month::of(at("2026-12-31T23:59:59Z")), Some(december));
        assert!(!december.ends_by(at("2026-12-31T23:59:59Z")));
        assert!(december.ends_by(at("2027-01-01T00:00:00Z")));
    }
}
