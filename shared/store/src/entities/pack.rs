//! An object in the object store that holds compressed messages of one account.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, PackId};
use sea_orm::entity::prelude::*;

/// An object in the object store that holds compressed messages of one account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "packs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PackId,
    pub account_id: AccountId,
    pub size: i64,
    pub created_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
