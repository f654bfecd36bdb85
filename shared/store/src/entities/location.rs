//! Where a message lies: (folder, uidvalidity, uid).

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId, MessageId};
use sea_orm::entity::prelude::*;

/// Where a message lies: (folder, uidvalidity, uid).
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "locations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub folder_id: FolderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid_validity: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub uid: i64,
    pub account_id: AccountId,
    pub message_id: MessageId,
    pub flags: String,
    pub modseq: Option<i64>,
    pub linked_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
