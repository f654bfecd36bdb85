//! An event of the log.

use chrono::{DateTime, Utc};
use postroom_events::{EventId, TenantId};
use sea_orm::entity::prelude::*;

/// An event of the log.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub time: DateTime<Utc>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    #[sea_orm(column_name = "type")]
    pub event_type: String,
    pub source: String,
    pub subject: Uuid,
    pub sequence: i64,
    pub tenant_id: TenantId,
    pub correlation_id: Uuid,
    pub causation_id: Option<EventId>,
    pub traceparent: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
