//! A sign-in on another device that somebody waits for.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, DeviceSignInId, TenantId};
use sea_orm::entity::prelude::*;

/// A sign-in on another device that somebody waits for.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "device_sign_ins")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeviceSignInId,
    pub tenant_id: TenantId,
    /// The account, once it is connected.
    pub account_id: Option<AccountId>,
    /// Why there is none, once that is known.
    pub cause: Option<String>,
    pub sentence: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
