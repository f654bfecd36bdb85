//! An event that is not published yet.

use chrono::{DateTime, Utc};
use postroom_events::{EventId, WorkerId};
use sea_orm::entity::prelude::*;

/// An event that is not published yet.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event_outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    pub event_id: EventId,
    #[sea_orm(column_type = "JsonBinary")]
    pub envelope: Json,
    pub claimed_by: Option<WorkerId>,
    pub claimed_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
