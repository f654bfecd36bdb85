//! A delivery that was given up.

use chrono::{DateTime, Utc};
use postroom_events::{DeadLetterId, EventId, ReplayId, TenantId};
use sea_orm::entity::prelude::*;

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letters")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeadLetterId,
    pub consumer: String,
    pub event_id: Option<EventId>,
    pub replay_id: Option<ReplayId>,
    pub event_type: Option<String>,
    pub tenant_id: Option<TenantId>,
    pub subject: Option<Uuid>,
    pub body: Vec<u8>,
    pub reason: String,
    pub attempts: i32,
    pub created_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub settled_as: Option<String>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
