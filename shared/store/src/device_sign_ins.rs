//! Sign-ins on another device, as those who wait for them see them.

use std::time::Duration;

use chrono::TimeDelta;
use postroom_events::{AccountId, DeviceSignInId, TenantId};
use postroom_retry::clock;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};

use crate::{
    DeviceSignIn, StoreError, Tx,
    entities::device_sign_in::{ActiveModel, Column, Entity},
};

/// How long it can be asked what became of one.
const TOLD: TimeDelta = TimeDelta::days(1);

/// Keeps one that has begun, and forgets the tenant's old ones. `None` when it has `most` that are still waited for.
///
/// # Errors
/// When the database refuses.
pub async fn add(
    tx: &Tx,
    tenant_id: TenantId,
    lifetime: Duration,
    most: u64,
) -> Result<Option<DeviceSignIn>, StoreError> {
    let now = tx.store().clock().now();
    Entity::delete_many()
        .filter(Column::TenantId.eq(tenant_id))
        .filter(Column::ExpiresAt.lte(now - TOLD))
        .exec(tx.db())
        .await?;
    let waiting = Entity::find()
        .filter(Column::TenantId.eq(tenant_id))
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::AccountId.is_null())
        .filter(Column::Cause.is_null())
        .count(tx.db())
        .await?;
    if waiting >= most {
        return Ok(None);
    }
    let row = DeviceSignIn {
        id: DeviceSignInId::generate(),
        tenant_id,
        account_id: None,
        cause: None,
        sentence: None,
        expires_at: clock::plus(now, lifetime),
    };
    Entity::insert(ActiveModel::from(row.clone()))
        .exec_without_returning(tx.db())
        .await?;
    Ok(Some(row))
}

/// One of a tenant.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    id: DeviceSignInId,
) -> Result<DeviceSignIn, StoreError> {
    Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant_id))
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("device sign-in", id))
}

/// The account is connected.
///
/// # Errors
/// When the database refuses.
pub async fn connected(tx: &Tx, id: DeviceSignInId, account_id: AccountId) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::AccountId, Expr::value(account_id))
        .filter(Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// It led to no account.
///
/// # Errors
/// When the database refuses.
pub async fn refused(tx: &Tx, id: DeviceSignInId, cause: &str, sentence: &str) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Cause, Expr::value(cause.to_owned()))
        .col_expr(Column::Sentence, Expr::value(sentence.to_owned()))
        .filter(Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}
