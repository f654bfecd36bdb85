//! Tenants and their API keys.

use postroom_crypto::TokenDigest;
use postroom_events::{ApiKeyId, TenantId};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::{
    ApiKey, StoreError, Tenant, Tx,
    entities::{api_key, tenant},
};

/// Makes a tenant.
///
/// # Errors
/// When the database refuses.
pub async fn create(tx: &Tx, name: &str) -> Result<Tenant, StoreError> {
    let row = Tenant {
        id: TenantId::generate(),
        name: name.to_owned(),
        created_at: tx.store().clock().now(),
    };
    tenant::Entity::insert(tenant::ActiveModel::from(row.clone()))
        .exec_without_returning(tx.db())
        .await?;
    Ok(row)
}

/// Every tenant, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn all(db: &impl ConnectionTrait) -> Result<Vec<Tenant>, StoreError> {
    Ok(tenant::Entity::find()
        .order_by_asc(tenant::Column::CreatedAt)
        .all(db)
        .await?)
}

/// Gives a tenant an API key, of which only the digest is kept.
///
/// # Errors
/// When the database refuses.
pub async fn add_api_key(
    tx: &Tx,
    tenant_id: TenantId,
    name: &str,
    digest: TokenDigest,
) -> Result<ApiKeyId, StoreError> {
    let id = ApiKeyId::generate();
    let row = api_key::ActiveModel {
        id: Set(id),
        tenant_id: Set(tenant_id),
        name: Set(name.to_owned()),
        digest: Set(digest.as_bytes().to_vec()),
        created_at: Set(tx.store().clock().now()),
        revoked_at: Set(None),
    };
    api_key::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    Ok(id)
}

/// The live API key with that digest.
///
/// # Errors
/// When the database refuses.
pub async fn api_key(db: &impl ConnectionTrait, digest: &TokenDigest) -> Result<Option<ApiKey>, StoreError> {
    Ok(api_key::Entity::find()
        .filter(api_key::Column::Digest.eq(digest.as_bytes().to_vec()))
        .filter(api_key::Column::RevokedAt.is_null())
        .one(db)
        .await?)
}
