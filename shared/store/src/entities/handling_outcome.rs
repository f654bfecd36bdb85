//! How one handling of an event ended.

use chrono::{DateTime, Utc};
use postroom_events::{EventId, ReplayId};
use sea_orm::entity::prelude::*;

/// How one handling of an event ended.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "handling_outcomes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub consumer: String,
    pub event_id: EventId,
    pub replay_id: ReplayId,
    pub attempt: i32,
    pub verdict: String,
    pub error_class: Option<String>,
    pub error: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub answers: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub caused: Json,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
