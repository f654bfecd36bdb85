//! A connected mailbox.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, AccountState, CredentialId, SendCondition, TenantId, WhoCanAct};
use sea_orm::entity::prelude::*;

/// A connected mailbox.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    pub tenant_id: TenantId,
    pub user_ref: String,
    pub address: String,
    pub sender_name: String,
    pub signature: String,
    pub provider_id: String,
    pub imap_host: String,
    pub imap_port: i32,
    pub imap_tls: String,
    pub smtp_host: String,
    pub smtp_port: i32,
    pub smtp_tls: String,
    pub login: String,
    pub mailbox: Option<String>,
    pub credential_id: Option<CredentialId>,
    pub credential_generation: i64,
    pub state: AccountState,
    pub state_cause: Option<String>,
    pub state_who_can_act: WhoCanAct,
    pub state_changed_at: DateTime<Utc>,
    pub send_condition: SendCondition,
    pub send_cause: Option<String>,
    pub paused: bool,
    pub resumes_to: Option<AccountState>,
    pub resumes_cause: Option<String>,
    pub resumes_who_can_act: Option<WhoCanAct>,
    pub messages_total: i64,
    pub messages_done: i64,
    pub backfilled_at: Option<DateTime<Utc>>,
    pub last_success_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub disconnected_at: Option<DateTime<Utc>>,
    pub purge_requested_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
