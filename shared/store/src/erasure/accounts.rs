//! Erasing accounts.

use postroom_events::{AccountId, CredentialId, GrantId, GrantState};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Value};

use super::{failures::Failures, sweep};
use crate::{
    Store, StoreError, Tx,
    entities::{account, lease_history},
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
/// When the database refuses, or several accounts in a row cannot be erased. The next run goes on where this one ended.
pub async fn purge_accounts(store: &Store, packs: &Packs, limit: u64) -> Result<u64, StoreError> {
    let mut failures = Failures::default();
    let mut gone = 0;
    for account_id in to_purge(store, limit).await? {
        let purged = purge(store, packs, account_id).await;
        let purged = failures.pass("erase an account", account_id.0, purged)?;
        gone += u64::from(purged.unwrap_or_default());
    }
    Ok(gone)
}

/// Accounts that are to be erased and that nobody holds: no one takes a disconnected account any more.
async fn to_purge(store: &Store, limit: u64) -> Result<Vec<AccountId>, StoreError> {
    let db = store.read();
    let text = "select id from accounts where purge_requested_at is not null and not exists \
                (select 1 from account_leases l where l.account_id = accounts.id and l.holder is not null and l.expires_at > $1) \
                order by random() limit $2";
    let values = [store.now(db).await?.into(), limit.cast_signed().into()];
    let rows = db.query_all_raw(sql::statement(db, text, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// Objects first: as long as rows are there, a run that was interrupted is taken up again.
async fn purge(store: &Store, packs: &Packs, account_id: AccountId) -> Result<bool, StoreError> {
    packs.delete_account(account_id).await?;
    // Messages take their locations along, submissions their recipients and attempts.
    for table in ["messages", "submissions", "packs", "folders", "account_work"] {
        delete_rows(store, account_id, table).await?;
    }
    let tx = store.begin("erasure.purge_account").await?;
    let gone = delete_account(&tx, account_id).await?;
    if gone {
        sweep::note(&tx).await?;
    }
    tx.commit().await?;
    Ok(gone)
}

async fn delete_rows(store: &Store, account_id: AccountId, table: &str) -> Result<(), StoreError> {
    loop {
        let tx = store.begin("erasure.delete_rows").await?;
        let text = format!(
            "delete from {table} where id in (select id from {table} where account_id = $1 limit $2)"
        );
        let deleted = execute(&tx, text, [account_id.into(), BATCH.into()]).await?;
        if deleted > 0 {
            sweep::note(&tx).await?;
        }
        tx.commit().await?;
        if deleted < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}

/// Deletes the account itself, once its secret is erased, and with it who held it and how it signed in.
async fn delete_account(tx: &Tx, account_id: AccountId) -> Result<bool, StoreError> {
    let credential_id: Option<Option<CredentialId>> = account::Entity::find_by_id(account_id)
        .select_only()
        .column(account::Column::CredentialId)
        .into_tuple()
        .one(tx.db())
        .await?;
    let Some(credential_id) = credential_id else {
        return Ok(false); // another worker was quicker
    };
    let text = "delete from accounts where id = $1 and (credential_id is null or exists \
                (select 1 from credentials c where c.id = accounts.credential_id and c.erased_at is not null))";
    if execute(tx, text, [account_id.into()]).await? == 0 {
        return Ok(false);
    }
    lease_history::Entity::delete_many()
        .filter(lease_history::Column::AccountId.eq(account_id))
        .exec(tx.db())
        .await?;
    if let Some(credential_id) = credential_id {
        delete_credential(tx, credential_id).await?;
    }
    Ok(true)
}

/// Deletes an erased credential, and its grant if that was given back, unless they serve somebody else, too.
async fn delete_credential(tx: &Tx, id: CredentialId) -> Result<(), StoreError> {
    let text = "delete from credentials where id = $1 and not exists \
                (select 1 from accounts a where a.credential_id = credentials.id) returning grant_id";
    let row = tx
        .db()
        .query_one_raw(sql::statement(tx.db(), text, [id.into()]))
        .await?;
    let Some(row) = row else { return Ok(()) };
    if let Some(grant_id) = row.try_get::<Option<GrantId>>("", "grant_id")? {
        let text = "delete from grants where id = $1 and state = $2 and not exists \
                    (select 1 from credentials c where c.grant_id = grants.id)";
        execute(tx, text, [grant_id.into(), GrantState::Revoked.into()]).await?;
    }
    Ok(())
}

async fn execute(
    tx: &Tx,
    text: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, StoreError> {
    let done = tx.db().execute_raw(sql::statement(tx.db(), text, values)).await?;
    Ok(done.rows_affected())
}
