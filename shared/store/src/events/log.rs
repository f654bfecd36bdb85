//! The event log, read: one event, or page after page.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use postroom_events::{EventEnvelope, EventId, TenantId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

use crate::{Backend, LoggedEvent, StoreError, Tx, database::backend_of, entities::logged_event, sql};

/// Which events of the log to read.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of this tenant. `None` is for operators alone.
    pub tenant_id: Option<TenantId>,
    /// Only about this subject (an account, a grant).
    pub subject: Option<Uuid>,
    /// Only of this type, with or without prefix and version (`account.connected`).
    pub event_type: Option<String>,
    /// Only of this request.
    pub correlation_id: Option<Uuid>,
    /// From this time on.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Only after this event: where the previous page, or the tail, ended.
    pub after: Option<(DateTime<Utc>, EventId)>,
    /// At most so many, oldest first.
    pub limit: u64,
}

/// Reads the log, oldest first: whoever asks again with the last event as `after` gets every event once.
///
/// Beside any transaction, because it asks the database twice: an event is held back while an older one may still come.
///
/// # Errors
/// When the database refuses.
pub async fn list(db: &DatabaseConnection, filter: &EventFilter) -> Result<Vec<EventEnvelope>, StoreError> {
    use logged_event::Column;
    let complete_until = complete_until(db).await?;
    let mut query = logged_event::Entity::find();
    if let Some(tenant_id) = filter.tenant_id {
        query = query.filter(Column::TenantId.eq(tenant_id));
    }
    if let Some(subject) = filter.subject {
        query = query.filter(Column::Subject.eq(subject));
    }
    if let Some(event_type) = &filter.event_type {
        let bare = event_type.trim_start_matches("postroom.").to_owned();
        query = query.filter(Column::EventType.is_in([
            event_type.clone(),
            format!("postroom.{bare}"),
            format!("postroom.{bare}.v1"),
        ]));
    }
    if let Some(correlation_id) = filter.correlation_id {
        query = query.filter(Column::CorrelationId.eq(correlation_id));
    }
    if let Some(since) = filter.since {
        query = query.filter(Column::Time.gte(since));
    }
    if let Some(complete_until) = complete_until {
        query = query.filter(Column::Time.lt(complete_until));
    }
    if let Some(until) = filter.until {
        query = query.filter(Column::Time.lt(until));
    }
    if let Some((time, id)) = filter.after {
        query = query.filter(
            Column::Time
                .gt(time)
                .or(Column::Time.eq(time).and(Column::Id.gt(id))),
        );
    }
    let rows = query
        .order_by_asc(Column::Time)
        .order_by_asc(Column::Id)
        .limit(filter.limit.clamp(1, 1000))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(from_row).collect())
}

/// Before this time nothing is missing from the log any more. `None`: everything is there.
///
/// SQLite has one writer, which takes the time of its events: they come in the order of time.
///
/// PostgreSQL has many, and one that took its time first may commit last. Its events are younger than its transaction, and
/// from before it took their time until it has ended it has a transaction id and a lock on `event_sequences`, which
/// everybody sees. So nothing is older than the oldest transaction that has both, or than this question if there is none.
/// The log is to be read after this: then what had ended before is visible.
///
/// A transaction that is open for more than ten minutes belongs to a process that is gone, and holds nobody up any more.
/// When it began, only its own role sees: one of another role counts as that old.
async fn complete_until(db: &DatabaseConnection) -> Result<Option<DateTime<Utc>>, StoreError> {
    if backend_of(db) == Backend::Sqlite {
        return Ok(None);
    }
    let text = "select greatest(statement_timestamp() - interval '10 minutes', \
         least(statement_timestamp(), min(coalesce(a.xact_start, '-infinity')))) as complete_until \
         from pg_locks l join pg_stat_activity a on a.pid = l.pid \
         where l.locktype = 'relation' and l.mode = 'RowExclusiveLock' and l.relation = 'event_sequences'::regclass \
         and l.database = (select oid from pg_database where datname = current_database()) \
         and a.backend_xid is not null";
    let row = db.query_one_raw(sql::statement(db, text, [])).await?;
    let row = row.ok_or_else(|| StoreError::not_found("answer about", "open transactions"))?;
    Ok(Some(row.try_get("", "complete_until")?))
}

/// One event of the log. `tenant_id` names the owner; `None` is for operators alone.
///
/// # Errors
/// When there is no such event of that tenant, or the database refuses.
pub async fn find(
    db: &impl ConnectionTrait,
    tenant_id: Option<TenantId>,
    id: EventId,
) -> Result<EventEnvelope, StoreError> {
    let mut query = logged_event::Entity::find().filter(logged_event::Column::Id.eq(id));
    if let Some(tenant_id) = tenant_id {
        query = query.filter(logged_event::Column::TenantId.eq(tenant_id));
    }
    query
        .one(db)
        .await?
        .map(from_row)
        .ok_or_else(|| StoreError::not_found("event", id))
}

/// How many events of a type a tenant has had about a subject since then. In the transaction that has just appended one, it
/// counts what others committed before: appending waited for them.
///
/// # Errors
/// When the database refuses.
pub async fn count_since(
    tx: &Tx,
    tenant_id: TenantId,
    subject: Uuid,
    event_type: &str,
    since: DateTime<Utc>,
) -> Result<u64, StoreError> {
    use logged_event::Column;
    Ok(logged_event::Entity::find()
        .filter(Column::TenantId.eq(tenant_id))
        .filter(Column::Subject.eq(subject))
        .filter(Column::EventType.eq(event_type))
        .filter(Column::Time.gte(since))
        .count(tx.db())
        .await?)
}

/// The trace contexts of events, where they have one.
///
/// # Errors
/// When the database refuses.
pub async fn traceparents(
    db: &impl ConnectionTrait,
    ids: &[EventId],
) -> Result<HashMap<EventId, String>, StoreError> {
    let rows: Vec<(EventId, String)> = logged_event::Entity::find()
        .select_only()
        .columns([logged_event::Column::Id, logged_event::Column::Traceparent])
        .filter(logged_event::Column::Id.is_in(ids.iter().copied()))
        .filter(logged_event::Column::Traceparent.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

fn from_row(row: LoggedEvent) -> EventEnvelope {
    EventEnvelope {
        specversion: "1.0".to_owned(),
        id: row.id,
        event_type: row.event_type,
        source: row.source,
        subject: row.subject,
        time: row.time,
        datacontenttype: "application/json".to_owned(),
        tenant_id: row.tenant_id,
        correlation_id: row.correlation_id,
        causation_id: row.causation_id,
        traceparent: row.traceparent,
        sequence: row.sequence,
        data: row.data,
    }
}
