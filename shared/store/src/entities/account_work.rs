//! Durable work for the holder of an account.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, EventId, WorkId};
use sea_orm::entity::prelude::*;

/// Durable work for the holder of an account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account_work")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkId,
    pub account_id: AccountId,
    pub kind: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub detail: Json,
    pub cause_event_id: Option<EventId>,
    pub correlation_id: Uuid,
    pub attempt: i32,
    pub next_attempt_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
