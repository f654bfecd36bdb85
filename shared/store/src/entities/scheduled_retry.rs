//! A delivery that is to be tried again.

use chrono::{DateTime, Utc};
use postroom_events::{EventId, ReplayId, WorkerId};
use sea_orm::entity::prelude::*;

/// A delivery that is to be tried again.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "scheduled_retries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub consumer: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: EventId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub replay_id: ReplayId,
    pub attempt: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub envelope: Json,
    pub reason: String,
    pub next_attempt_at: DateTime<Utc>,
    pub claimed_by: Option<WorkerId>,
    pub claimed_until: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
