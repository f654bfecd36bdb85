//! An email.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, MessageId, PackId};
use sea_orm::entity::prelude::*;

/// An email.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MessageId,
    pub account_id: AccountId,
    pub identity: Vec<u8>,
    pub message_id_header: Option<String>,
    pub in_reply_to: Option<String>,
    pub references_header: Option<String>,
    pub subject: String,
    pub from_name: String,
    pub from_address: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub recipients: Json,
    pub sent_at: Option<DateTime<Utc>>,
    pub received_at: DateTime<Utc>,
    pub size: i64,
    pub snippet: String,
    pub has_attachments: bool,
    pub quarantine_cause: Option<String>,
    pub pack_id: PackId,
    pub pack_offset: i64,
    pub pack_length: i64,
    pub digest: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub erase_requested_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
