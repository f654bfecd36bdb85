//! A pack that no row names any more, and whose object is to be deleted.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, PackId};
use sea_orm::entity::prelude::*;

/// A pack that no row names any more, and whose object is to be deleted.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "erased_packs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PackId,
    pub account_id: AccountId,
    pub erased_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
