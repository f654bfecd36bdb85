//! A way to sign in: a sealed password, or a reference to a grant.

use chrono::{DateTime, Utc};
use postroom_events::{AuthenticationMethod, CredentialId, GrantId, TenantId};
use sea_orm::entity::prelude::*;

/// A way to sign in: a sealed password, or a reference to a grant.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "credentials")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CredentialId,
    pub tenant_id: TenantId,
    pub method: AuthenticationMethod,
    pub sealed_password: Option<Vec<u8>>,
    pub grant_id: Option<GrantId>,
    pub created_at: DateTime<Utc>,
    pub erased_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
