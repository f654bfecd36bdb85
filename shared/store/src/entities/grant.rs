//! What an identity provider gave us.

use chrono::{DateTime, Utc};
use postroom_events::{EventId, GrantId, GrantState, TenantId};
use sea_orm::entity::prelude::*;

/// What an identity provider gave us.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "grants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantId,
    pub tenant_id: TenantId,
    pub provider_id: String,
    pub subject: String,
    pub identity_address: Option<String>,
    pub scopes: String,
    pub state: GrantState,
    pub state_cause: Option<String>,
    pub sealed_refresh_token: Option<Vec<u8>>,
    pub sealed_access_token: Option<Vec<u8>>,
    pub access_expires_at: Option<DateTime<Utc>>,
    pub token_version: i64,
    pub refresh_due_at: Option<DateTime<Utc>>,
    pub refresh_failures: i32,
    pub refresh_holder: Option<EventId>,
    pub refresh_held_until: Option<DateTime<Utc>>,
    pub refresh_unanswered_since: Option<DateTime<Utc>>,
    pub announced_token_version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
