//! An approval that is asked of an administrator.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, TenantId};
use sea_orm::entity::prelude::*;

/// An approval that is asked of an administrator.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "admin_approvals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    pub tenant_id: TenantId,
    pub provider_id: String,
    pub token: String,
    pub state_digest: Option<Vec<u8>>,
    pub expires_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
