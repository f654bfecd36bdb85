//! A started OAuth sign-in.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, AuthorizationRequestId, TenantId, WebSessionId};
use sea_orm::entity::prelude::*;

/// A started OAuth sign-in.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "authorization_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuthorizationRequestId,
    pub tenant_id: TenantId,
    pub user_ref: String,
    pub web_session_id: WebSessionId,
    pub provider_id: String,
    pub account_id: Option<AccountId>,
    pub state_digest: Vec<u8>,
    pub sealed_pkce_verifier: Vec<u8>,
    pub nonce: String,
    pub redirect_uri: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub draft: Json,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
