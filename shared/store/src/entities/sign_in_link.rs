//! A one-time link into the pages; only its digest is kept.

use chrono::{DateTime, Utc};
use postroom_events::{SignInLinkId, TenantId};
use sea_orm::entity::prelude::*;

/// A one-time link into the pages; only its digest is kept.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_links")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SignInLinkId,
    pub tenant_id: TenantId,
    pub user_ref: String,
    pub digest: Vec<u8>,
    /// The account that the person is to connect by it, if it was made for one.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub draft: Option<Json>,
    /// The only address that may be connected by it, if it was made for one.
    pub expected_address: Option<String>,
    /// Where the person goes afterwards.
    pub return_url: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
