//! Events are appended in the transaction that changes the state they tell of, and read from the log.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use postroom_events::{Consumer, Event, EventEnvelope, EventId, EventMetadata, ReplayId, TenantId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder,
    QuerySelect, Value,
};
use uuid::Uuid;

use crate::{
    EventDelivery, LoggedEvent, StoreError, Tx,
    entities::{logged_event, outbox_row},
    queue, sql,
};

/// Rows per statement: far below both databases' limits on values in one statement (32,766 and 65,535).
const CHUNK: usize = 500;

/// Appends events to the log, and hands them on: to the embedded queues or to the outbox. After the commit, whoever
/// waits for them is woken.
///
/// # Errors
/// When the database refuses.
pub async fn append(
    tx: &Tx,
    metadata: &EventMetadata,
    events: Vec<Event>,
) -> Result<Vec<EventEnvelope>, StoreError> {
    let events: Vec<_> = events.iter().map(|event| (metadata, event)).collect();
    append_all(tx, &events).await
}

/// As [`append`], for events that have nothing to do with one another: each has metadata of its own.
///
/// # Errors
/// When the database refuses.
pub async fn append_each(
    tx: &Tx,
    events: Vec<(EventMetadata, Event)>,
) -> Result<Vec<EventEnvelope>, StoreError> {
    let events: Vec<_> = events.iter().map(|(metadata, event)| (metadata, event)).collect();
    append_all(tx, &events).await
}

async fn append_all(tx: &Tx, events: &[(&EventMetadata, &Event)]) -> Result<Vec<EventEnvelope>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.store().clock().now();
    let mut next = reserve_sequences(tx, events.iter().map(|(_, event)| event.subject())).await?;
    let mut envelopes = Vec::with_capacity(events.len());
    for (metadata, event) in events {
        let sequence = next.entry(event.subject()).or_insert(1);
        envelopes.push(EventEnvelope::wrap(event, metadata, now, *sequence));
        *sequence += 1;
    }
    for chunk in envelopes.chunks(CHUNK) {
        logged_event::Entity::insert_many(chunk.iter().map(to_row))
            .exec_without_returning(tx.db())
            .await?;
    }
    hand_on(tx, &envelopes).await?;
    Ok(envelopes)
}

/// Takes as many sequence numbers of each subject as there are events of it. Gives the first number of each.
///
/// The row of a subject stays locked until the commit: numbers have no gaps, and their order is the order of commits.
async fn reserve_sequences(
    tx: &Tx,
    subjects: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, i64>, StoreError> {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for subject in subjects {
        *counts.entry(subject).or_default() += 1;
    }
    let mut first = HashMap::with_capacity(counts.len());
    // In the order of subjects, so that two transactions never wait for each other.
    let counts: Vec<_> = counts.into_iter().collect();
    for chunk in counts.chunks(CHUNK) {
        let text = format!(
            "insert into event_sequences (subject, last_sequence) values {} on conflict (subject) do update \
             set last_sequence = event_sequences.last_sequence + excluded.last_sequence returning subject, last_sequence",
            sql::rows(1, chunk.len(), 2)
        );
        let values = chunk
            .iter()
            .flat_map(|(subject, count)| [Value::from(*subject), Value::from(*count)]);
        for row in tx
            .db()
            .query_all_raw(sql::statement(tx.db(), text, values))
            .await?
        {
            let subject: Uuid = row.try_get("", "subject")?;
            let last: i64 = row.try_get("", "last_sequence")?;
            let count = chunk
                .iter()
                .find(|(id, _)| *id == subject)
                .map_or(0, |(_, count)| *count);
            first.insert(subject, last - count + 1);
        }
    }
    Ok(first)
}

async fn hand_on(tx: &Tx, envelopes: &[EventEnvelope]) -> Result<(), StoreError> {
    match tx.store().delivery() {
        EventDelivery::Queues => {
            let mut deliveries = Vec::new();
            for envelope in envelopes {
                for consumer in Consumer::of(&envelope.routing_key()) {
                    deliveries.push(queue::NewDelivery {
                        consumer,
                        envelope,
                        attempt: 1,
                        replay_id: ReplayId::FIRST_RUN,
                    });
                }
            }
            queue::enqueue(tx, &deliveries).await
        }
        EventDelivery::Outbox => {
            for chunk in envelopes.chunks(CHUNK) {
                let rows = chunk.iter().map(|envelope| outbox_row::ActiveModel {
                    event_id: Set(envelope.id),
                    envelope: Set(to_json(envelope)),
                    created_at: Set(envelope.time),
                    ..Default::default()
                });
                outbox_row::Entity::insert_many(rows)
                    .exec_without_returning(tx.db())
                    .await?;
            }
            tx.note(|due| due.outbox = true);
            Ok(())
        }
    }
}

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

/// Reads the log, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(db: &impl ConnectionTrait, filter: &EventFilter) -> Result<Vec<EventEnvelope>, StoreError> {
    use logged_event::Column;
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

fn to_row(envelope: &EventEnvelope) -> logged_event::ActiveModel {
    logged_event::ActiveModel {
        time: Set(envelope.time),
        id: Set(envelope.id),
        event_type: Set(envelope.event_type.clone()),
        source: Set(envelope.source.clone()),
        subject: Set(envelope.subject),
        sequence: Set(envelope.sequence),
        tenant_id: Set(envelope.tenant_id),
        correlation_id: Set(envelope.correlation_id),
        causation_id: Set(envelope.causation_id),
        traceparent: Set(envelope.traceparent.clone()),
        data: Set(envelope.data.clone()),
    }
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

/// The envelope as it is stored in queues.
pub(crate) fn to_json(envelope: &EventEnvelope) -> serde_json::Value {
    // Cannot fail: the envelope has string keys only.
    serde_json::to_value(envelope).unwrap_or_default()
}

/// The envelope as it was stored in a queue.
pub(crate) fn from_json(stored: serde_json::Value) -> Result<EventEnvelope, StoreError> {
    serde_json::from_value(stored).map_err(|error| StoreError::Damaged {
        what: "event envelope",
        reason: error.to_string(),
    })
}
