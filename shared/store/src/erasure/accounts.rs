//! Erasing accounts.

use postroom_events::AccountId;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::{
    Store, StoreError,
    entities::{account, account_lease, credential},
    packs::Packs,
    sql,
};

/// Rows per transaction: SQLite has one writer, and others wait for it.
const BATCH: i64 = 1000;

/// Erases disconnected accounts that are to be purged, at most `limit` of them. Gives how many are gone for good.
///
/// An account whose lease somebody still holds waits. Its own row goes only after its credential was erased, because
/// whoever erases that finds it by this row.
///
/// # Errors
/// When the database or the object store refuses. The next run goes on where this one ended.
pub async fn purge_accounts(store: &Store, packs: &Packs, limit: u64) -> Result<u64, StoreError> {
    let marked: Vec<AccountId> = account::Entity::find()
        .filter(account::Column::PurgeRequestedAt.is_not_null())
        .order_by_asc(account::Column::PurgeRequestedAt)
        .limit(limit)
        .select_only()
        .column(account::Column::Id)
        .into_tuple()
        .all(store.read())
        .await?;
    let mut gone = 0;
    for account_id in marked {
        if !is_held(store, account_id).await? && purge(store, packs, account_id).await? {
            gone += 1;
        }
    }
    Ok(gone)
}

async fn is_held(store: &Store, account_id: AccountId) -> Result<bool, StoreError> {
    let now = store.now(store.read()).await?;
    let held = account_lease::Entity::find_by_id(account_id)
        .filter(account_lease::Column::Holder.is_not_null())
        .filter(account_lease::Column::ExpiresAt.gt(now))
        .one(store.read())
        .await?;
    Ok(held.is_some())
}

/// Objects first: as long as rows are there, a run that was interrupted is taken up again.
async fn purge(store: &Store, packs: &Packs, account_id: AccountId) -> Result<bool, StoreError> {
    packs.delete_account(account_id).await?;
    // Messages take their locations along, submissions their recipients and attempts.
    for table in ["messages", "submissions", "packs", "folders", "account_work"] {
        delete_rows(store, account_id, table).await?;
    }
    let tx = store.begin("erasure.purge_account").await?;
    let erased_credentials = credential::Entity::find()
        .select_only()
        .column(credential::Column::Id)
        .filter(credential::Column::ErasedAt.is_not_null());
    let deleted = account::Entity::delete_many()
        .filter(account::Column::Id.eq(account_id))
        .filter(account::Column::CredentialId.is_null().or(
            account::Column::CredentialId.in_subquery(sea_orm::QueryTrait::into_query(erased_credentials)),
        ))
        .exec(tx.db())
        .await?;
    tx.commit().await?;
    Ok(deleted.rows_affected == 1)
}

async fn delete_rows(store: &Store, account_id: AccountId, table: &str) -> Result<(), StoreError> {
    loop {
        let tx = store.begin("erasure.delete_rows").await?;
        let text = format!(
            "delete from {table} where id in (select id from {table} where account_id = $1 limit $2)"
        );
        let deleted = tx
            .db()
            .execute_raw(sql::statement(tx.db(), text, [account_id.into(), BATCH.into()]))
            .await?
            .rows_affected();
        tx.commit().await?;
        if deleted < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
