//! An outgoing mail.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, EventId, PackId, SubmissionId, SubmissionState, TenantId, WorkerId};
use sea_orm::entity::prelude::*;

/// An outgoing mail.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "submissions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SubmissionId,
    pub tenant_id: TenantId,
    pub account_id: AccountId,
    pub idempotency_key: Option<String>,
    pub request_digest: Vec<u8>,
    pub message_id_header: String,
    pub envelope_from: String,
    pub subject: String,
    pub pack_id: PackId,
    pub pack_offset: i64,
    pub pack_length: i64,
    pub size: i64,
    pub state: SubmissionState,
    pub cause: Option<String>,
    pub server_reply: Option<String>,
    pub attempt: i32,
    pub phase: String,
    pub holder: Option<WorkerId>,
    pub held_until: Option<DateTime<Utc>>,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub give_up_at: DateTime<Utc>,
    pub sent_copy: String,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub request_event_id: Option<EventId>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
