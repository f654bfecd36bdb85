//! The envelope: CloudEvents 1.0 in structured JSON mode.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Event, EventId, RoutingKey, TenantId};

/// Names one live replay of an event; nil for the first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "sea-orm", derive(sea_orm::DeriveValueType))]
pub struct ReplayId(pub Uuid);

#[cfg(feature = "sea-orm")]
impl sea_orm::TryFromU64 for ReplayId {
    fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
        Err(sea_orm::DbErr::ConvertFromU64("ReplayId"))
    }
}

impl ReplayId {
    /// The first run of an event, which is no replay.
    pub const FIRST_RUN: Self = Self(Uuid::nil());

    /// Whether this names the first run.
    pub fn is_first_run(&self) -> bool {
        self.0.is_nil()
    }
}

impl Default for ReplayId {
    fn default() -> Self {
        Self::FIRST_RUN
    }
}

/// What is known about an event beside its data: who, when, because of what.
#[derive(Debug, Clone, PartialEq)]
pub struct EventMetadata {
    /// The service that writes it.
    pub source: &'static str,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// The request or first event that started it all.
    pub correlation_id: Uuid,
    /// The event that caused this one, if one did.
    pub causation_id: Option<EventId>,
    /// W3C trace context of the writer.
    pub traceparent: Option<String>,
}

impl EventMetadata {
    /// Metadata for an event that an event caused: same correlation, that event as the cause.
    pub fn caused_by(source: &'static str, cause: &EventEnvelope) -> Self {
        Self {
            source,
            tenant_id: cause.tenant_id,
            correlation_id: cause.correlation_id,
            causation_id: Some(cause.id),
            traceparent: cause.traceparent.clone(),
        }
    }

    /// Metadata for an event that starts something new (a timer, a request of a person).
    pub fn started_by(source: &'static str, tenant_id: TenantId) -> Self {
        Self {
            source,
            tenant_id,
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            traceparent: None,
        }
    }
}

/// An event as it is stored and published (CloudEvents 1.0, structured JSON, with extension attributes).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventEnvelope {
    /// Version of the CloudEvents specification: "1.0".
    pub specversion: String,
    /// Unique id of the event.
    pub id: EventId,
    /// `postroom.account.connected.v1`
    #[serde(rename = "type")]
    pub event_type: String,
    /// The service that wrote it.
    pub source: String,
    /// What it is about: the account id; for Token* events the grant id; for ClientSecretExpiring the registration id.
    pub subject: Uuid,
    /// When it was written.
    pub time: DateTime<Utc>,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The tenant it belongs to.
    #[serde(rename = "tenantid")]
    pub tenant_id: TenantId,
    /// The request or first event that started it all.
    #[serde(rename = "correlationid")]
    pub correlation_id: Uuid,
    /// The event that caused this one.
    #[serde(rename = "causationid", default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// W3C trace context of the writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Number of the event within its subject, from 1, without gaps.
    pub sequence: i64,
    /// The event's own fields.
    pub data: serde_json::Value,
}

/// An envelope whose type is unknown, or whose data does not fit its type.
#[derive(Debug, thiserror::Error)]
#[error("event {id} of type {event_type} cannot be read: {reason}")]
pub struct MalformedEvent {
    /// The event.
    pub id: EventId,
    /// Its type as written.
    pub event_type: String,
    /// What does not fit.
    pub reason: String,
}

impl EventEnvelope {
    /// Wraps an event that is about to be written.
    pub fn wrap(event: &Event, metadata: &EventMetadata, time: DateTime<Utc>, sequence: i64) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: EventId::generate(),
            event_type: event.event_type().to_owned(),
            source: metadata.source.to_owned(),
            subject: event.subject(),
            time,
            datacontenttype: "application/json".to_owned(),
            tenant_id: metadata.tenant_id,
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
            traceparent: metadata.traceparent.clone(),
            sequence,
            data: event.data(),
        }
    }

    /// The event inside.
    ///
    /// # Errors
    /// When the type is unknown to this build or the data does not fit it.
    pub fn event(&self) -> Result<Event, MalformedEvent> {
        Event::parse(&self.event_type, &self.data).map_err(|reason| MalformedEvent {
            id: self.id,
            event_type: self.event_type.clone(),
            reason,
        })
    }

    /// The routing key: the type without prefix and version.
    pub fn routing_key(&self) -> RoutingKey {
        RoutingKey::of_type(&self.event_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountConnected, AccountId};

    #[test]
    fn an_envelope_survives_json_and_gives_its_event_back() {
        let event = Event::from(AccountConnected {
            account_id: AccountId::generate(),
            credential_generation: 3,
            grant_id: None,
        });
        let metadata = EventMetadata::started_by("account-manager", TenantId::generate());
        let time = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let envelope = EventEnvelope::wrap(&event, &metadata, time, 7);
        let json = serde_json::to_value(&envelope).unwrap();
        assert_eq!(json["type"], "postroom.account.connected.v1");
        assert_eq!(json["tenantid"], metadata.tenant_id.to_string());
        assert!(json.get("causationid").is_none());
        let back: EventEnvelope = serde_json::from_value(json).unwrap();
        assert_eq!(back, envelope);
        assert_eq!(back.event().unwrap(), event);
        assert_eq!(back.routing_key().as_str(), "account.connected");
    }

    #[test]
    fn data_that_does_not_fit_is_an_error_that_names_the_event() {
        let event = Event::from(AccountConnected {
            account_id: AccountId::generate(),
            credential_generation: 1,
            grant_id: None,
        });
        let metadata = EventMetadata::started_by("account-manager", TenantId::generate());
        let mut envelope = EventEnvelope::wrap(&event, &metadata, DateTime::UNIX_EPOCH, 1);
        envelope.data = serde_json::json!({"account_id": 5});
        let error = envelope.event().unwrap_err();
        assert!(error.to_string().contains(&envelope.id.to_string()), "{error}");
    }
}
