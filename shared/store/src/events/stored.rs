//! Envelopes as the outbox, the queues and the retries keep them.
//!
//! A row that a newer version wrote, or that was damaged, is no reason to stop: they are read as bytes, one by one, so
//! that what cannot be understood fails alone.

use postroom_events::EventEnvelope;
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::Value;

use crate::{Backend, database::backend_of};

/// A stored envelope that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// What is stored.
    pub(crate) body: Vec<u8>,
    /// Why it cannot be read.
    pub(crate) reason: String,
}

/// The envelope as it is stored.
pub(crate) fn to_json(envelope: &EventEnvelope) -> Value {
    // Cannot fail: the envelope has string keys only.
    serde_json::to_value(envelope).unwrap_or_default()
}

/// What a statement selects or returns, for [`read`] and [`as_json`].
pub(crate) fn column(db: &impl ConnectionTrait) -> &'static str {
    match backend_of(db) {
        Backend::Postgres => "convert_to(envelope::text, 'UTF8') as envelope",
        Backend::Sqlite => "cast(envelope as blob) as envelope",
    }
}

/// The envelope of a row.
pub(crate) fn read(row: &QueryResult) -> Result<EventEnvelope, Unreadable> {
    let body = bytes(row)?;
    serde_json::from_slice(&body).map_err(|error| Unreadable {
        body,
        reason: error.to_string(),
    })
}

/// The envelope of a row, readable or not. What is not even JSON becomes a string.
pub(crate) fn as_json(row: &QueryResult) -> Value {
    let body = bytes(row).unwrap_or_else(|unreadable| unreadable.body);
    serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into())
}

fn bytes(row: &QueryResult) -> Result<Vec<u8>, Unreadable> {
    row.try_get("", "envelope").map_err(|error| Unreadable {
        body: Vec::new(),
        reason: error.to_string(),
    })
}
