//! Who owned an account, and when.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, WorkerId};
use sea_orm::entity::prelude::*;

/// Who owned an account, and when.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "lease_history")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub fencing: i64,
    pub holder: WorkerId,
    pub acquired_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
