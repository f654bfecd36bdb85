//! A signed-in browser; only the digest of its cookie is kept.

use chrono::{DateTime, Utc};
use postroom_events::{TenantId, WebSessionId};
use sea_orm::entity::prelude::*;

/// A signed-in browser; only the digest of its cookie is kept.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "web_sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebSessionId,
    pub tenant_id: TenantId,
    pub user_ref: String,
    pub digest: Vec<u8>,
    pub csrf_token: String,
    /// The only address that may be added, if the link was made for one.
    pub expected_address: Option<String>,
    /// Where the person goes afterwards.
    pub return_url: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
