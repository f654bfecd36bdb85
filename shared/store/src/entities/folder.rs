//! A folder of an account (an IMAP mailbox) and the cursor of its sync.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId};
use sea_orm::entity::prelude::*;

/// A folder of an account (an IMAP mailbox) and the cursor of its sync.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "folders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FolderId,
    pub account_id: AccountId,
    pub name: String,
    pub delimiter: Option<String>,
    pub role: Option<String>,
    pub selectable: bool,
    pub synced: bool,
    pub uid_validity: Option<i64>,
    pub uid_next: Option<i64>,
    pub first_uid_next: Option<i64>,
    pub highest_modseq: Option<i64>,
    pub backfill_below_uid: Option<i64>,
    pub backfill_completed_at: Option<DateTime<Utc>>,
    pub messages_on_server: i64,
    pub last_scan_at: Option<DateTime<Utc>>,
    pub resets: i32,
    pub created_at: DateTime<Utc>,
    pub gone_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
