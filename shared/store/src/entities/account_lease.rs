//! Who owns an account.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, WorkerId};
use sea_orm::entity::prelude::*;

/// Who owns an account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account_leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    pub holder: Option<WorkerId>,
    pub fencing: i64,
    pub acquired_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub next_holder: Option<WorkerId>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
