//! A delivery in a queue of the embedded bus.

use chrono::{DateTime, Utc};
use postroom_events::{EventId, ReplayId, WorkerId};
use sea_orm::entity::prelude::*;

/// A delivery in a queue of the embedded bus.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "queued_deliveries")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub position: i64,
    pub queue: String,
    pub event_id: EventId,
    pub replay_id: ReplayId,
    #[sea_orm(column_type = "JsonBinary")]
    pub envelope: Json,
    pub attempt: i32,
    pub delivery_count: i32,
    pub claimed_by: Option<WorkerId>,
    pub created_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
