//! Events are appended in the transaction that changes the state they tell of, and read from the log.

mod log;
pub(crate) mod stored;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use postroom_events::{Consumer, Event, EventEnvelope, EventMetadata, ReplayId};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, Value};
use uuid::Uuid;

use crate::{
    Backend, EventDelivery, StoreError, Tx,
    entities::{logged_event, outbox_row},
    queue, sql,
};

pub use self::log::{EventFilter, count_since, find, list, traceparents};

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
    let Reserved { first: mut next, at } =
        reserve_sequences(tx, events.iter().map(|(_, event)| event.subject())).await?;
    let mut envelopes = Vec::with_capacity(events.len());
    for (metadata, event) in events {
        let sequence = next.entry(event.subject()).or_insert(1);
        envelopes.push(EventEnvelope::wrap(event, metadata, at, *sequence));
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

/// Sequence numbers that are this transaction's until it ends.
struct Reserved {
    /// The first number of each subject.
    first: HashMap<Uuid, i64>,
    /// The time of the events. It is taken once the numbers are: then the order of a subject's numbers is that of its times.
    /// PostgreSQL's own, because the clocks of processes differ.
    at: DateTime<Utc>,
}

/// Takes as many sequence numbers of each subject as there are events of it.
///
/// The row of a subject stays locked until the commit: numbers have no gaps, and their order is the order of commits.
async fn reserve_sequences(tx: &Tx, subjects: impl Iterator<Item = Uuid>) -> Result<Reserved, StoreError> {
    let mut counts: BTreeMap<Uuid, i64> = BTreeMap::new();
    for subject in subjects {
        *counts.entry(subject).or_default() += 1;
    }
    let time = match tx.store().backend() {
        Backend::Postgres => ", clock_timestamp() as now",
        Backend::Sqlite => "",
    };
    let mut first = HashMap::with_capacity(counts.len());
    let mut at = None;
    // In the order of subjects, so that two appends never wait for each other. A transaction that appends several times
    // should go by that order too, as the batches of the consumer loop do; where two cross all the same, PostgreSQL fails
    // one of them, and it is done again.
    let ordered: Vec<_> = counts.iter().collect();
    for chunk in ordered.chunks(CHUNK) {
        let text = format!(
            "insert into event_sequences (subject, last_sequence) values {} on conflict (subject) do update \
             set last_sequence = event_sequences.last_sequence + excluded.last_sequence \
             returning subject, last_sequence{time}",
            sql::rows(1, chunk.len(), 2)
        );
        let values = chunk
            .iter()
            .flat_map(|(subject, count)| [Value::from(**subject), Value::from(**count)]);
        for row in tx
            .db()
            .query_all_raw(sql::statement(tx.db(), text, values))
            .await?
        {
            let subject: Uuid = row.try_get("", "subject")?;
            let last: i64 = row.try_get("", "last_sequence")?;
            let count = counts.get(&subject).copied().unwrap_or_default();
            first.insert(subject, last - count + 1);
            if !time.is_empty() {
                at = at.max(Some(row.try_get("", "now")?));
            }
        }
    }
    let at = at.unwrap_or_else(|| tx.store().clock().now());
    Ok(Reserved { first, at })
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
                    envelope: Set(stored::to_json(envelope)),
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
