//! Approvals that are asked of an administrator: the link that a person passes on, and the answer that comes back to it.

use std::time::Duration;

use postroom_crypto::{TokenDigest, new_token};
use postroom_events::{AccountId, TenantId};
use postroom_retry::clock;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use secrecy::ExposeSecret;

use crate::{
    AdminApproval, Store, StoreError, Tx,
    entities::admin_approval::{self, Column},
};

/// How long a link can be used: administrators take their time.
pub const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Asks for the approval of an account's registration. A link that is out already stays good.
///
/// # Errors
/// When the database refuses.
pub async fn ask(
    tx: &Tx,
    tenant_id: TenantId,
    account_id: AccountId,
    provider_id: &str,
) -> Result<(), StoreError> {
    let now = tx.store().clock().now();
    let asked = admin_approval::Entity::find_by_id(account_id)
        .filter(Column::ProviderId.eq(provider_id))
        .filter(Column::ExpiresAt.gt(now))
        .one(tx.db())
        .await?;
    if asked.is_some() {
        return Ok(());
    }
    settle(tx, account_id).await?;
    let (token, _) = new_token("")?;
    let row = admin_approval::ActiveModel {
        account_id: Set(account_id),
        tenant_id: Set(tenant_id),
        provider_id: Set(provider_id.to_owned()),
        token: Set(token.expose_secret().to_owned()),
        state_digest: Set(None),
        expires_at: Set(clock::plus(now, LIFETIME)),
    };
    admin_approval::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// The approvals that these accounts wait for, as far as their links are still good.
///
/// # Errors
/// When the database refuses.
pub async fn of_accounts(store: &Store, ids: &[AccountId]) -> Result<Vec<AdminApproval>, StoreError> {
    Ok(admin_approval::Entity::find()
        .filter(Column::AccountId.is_in(ids.iter().copied()))
        .filter(Column::ExpiresAt.gt(store.clock().now()))
        .all(store.read())
        .await?)
}

/// The approval that a link asks for.
///
/// # Errors
/// [`StoreError::NotFound`], also when its time is over.
pub async fn find(store: &Store, token: &str) -> Result<AdminApproval, StoreError> {
    live(store, store.read(), Column::Token.eq(token)).await
}

/// Notes what an administrator's browser is to bring back. The last one that went counts.
///
/// # Errors
/// When the database refuses.
pub async fn leave(tx: &Tx, account_id: AccountId, state: &TokenDigest) -> Result<(), StoreError> {
    admin_approval::Entity::update_many()
        .col_expr(Column::StateDigest, Expr::value(Some(state.as_bytes().to_vec())))
        .filter(Column::AccountId.eq(account_id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// The approval that an answer belongs to. It is answered once: to answer again, the link is opened again.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn take(tx: &Tx, state: &TokenDigest) -> Result<AdminApproval, StoreError> {
    let digest = state.as_bytes().to_vec();
    let approval = live(tx.store(), tx.db(), Column::StateDigest.eq(digest.clone())).await?;
    let taken = admin_approval::Entity::update_many()
        .col_expr(Column::StateDigest, Expr::value(Option::<Vec<u8>>::None))
        .filter(Column::AccountId.eq(approval.account_id))
        .filter(Column::StateDigest.eq(digest))
        .exec(tx.db())
        .await?;
    match taken.rows_affected {
        1 => Ok(approval),
        _ => Err(StoreError::not_found("approval", "with this state")),
    }
}

/// Nothing is asked any more.
///
/// # Errors
/// When the database refuses.
pub async fn settle(tx: &Tx, account_id: AccountId) -> Result<(), StoreError> {
    admin_approval::Entity::delete_by_id(account_id)
        .exec(tx.db())
        .await?;
    Ok(())
}

async fn live(
    store: &Store,
    db: &impl ConnectionTrait,
    which: sea_orm::sea_query::SimpleExpr,
) -> Result<AdminApproval, StoreError> {
    admin_approval::Entity::find()
        .filter(which)
        .filter(Column::ExpiresAt.gt(store.clock().now()))
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("approval", "behind this link"))
}
