//! Who owns a mailbox: one holder at a time, a fencing number that grows with each holding, and a history to prove it.
//!
//! Times are the database's alone. A holder counts what is left of its lease on the monotonic clock, from before the
//! renewal was sent, so that it always believes in less than the row says.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, WorkerId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Value,
};

use crate::{
    AccountLease, LeaseHistory, Store, StoreError, Tx,
    entities::{account_lease, lease_history},
    sql,
};

/// Rows per statement.
const CHUNK: usize = 500;

/// Which accounts need a holder: connected, not paused, with a way to sign in.
const NEEDS_HOLDER: &str = "a.disconnected_at is null and not a.paused and a.credential_id is not null";

/// The right to look after an account: what every write of sync state names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The account.
    pub account_id: AccountId,
    /// Who holds it.
    pub holder: WorkerId,
    /// Number of this holding. A write with an older number misses.
    pub fencing: i64,
}

/// How many accounts each of `workers` looks after, so that all are looked after.
pub fn fair_share(accounts: u64, workers: u64) -> u64 {
    accounts.div_ceil(workers.max(1))
}

/// How many accounts need a holder.
///
/// # Errors
/// When the database refuses.
pub async fn count_needed(db: &impl ConnectionTrait) -> Result<u64, StoreError> {
    let text = format!("select count(*) as needed from accounts a where {NEEDS_HOLDER}");
    let row = db.query_one_raw(sql::statement(db, text, [])).await?;
    let needed: i64 = match row {
        Some(row) => row.try_get("", "needed")?,
        None => 0,
    };
    Ok(needed.unsigned_abs())
}

/// Whether an account waits for a holder: asked before [`acquire`], which writes.
///
/// # Errors
/// When the database refuses.
pub async fn any_free(store: &Store) -> Result<bool, StoreError> {
    let db = store.read();
    let now = store.now(db).await?;
    let text = format!(
        "select 1 as one from account_leases l join accounts a on a.id = l.account_id \
         where {NEEDS_HOLDER} and (l.holder is null or l.expires_at <= $1) limit 1"
    );
    let row = db.query_one_raw(sql::statement(db, text, [now.into()])).await?;
    Ok(row.is_some())
}

/// What a holder compares to notice that an account is another than it was: a lost wake-up then costs seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromQueryResult)]
pub struct AccountMark {
    /// The account.
    pub account_id: AccountId,
    /// Raised by each change of the credential.
    pub credential_generation: i64,
    /// Raised by each refresh of the grant, if it signs in with one.
    pub token_version: Option<i64>,
    /// Whether it needs a holder.
    pub needed: bool,
}

/// The marks of all accounts of a holder, in one query.
///
/// # Errors
/// When the database refuses.
pub async fn marks(db: &impl ConnectionTrait, holder: WorkerId) -> Result<Vec<AccountMark>, StoreError> {
    let text = format!(
        "select l.account_id, a.credential_generation, g.token_version, ({NEEDS_HOLDER}) as needed \
         from account_leases l join accounts a on a.id = l.account_id left join credentials c on c.id = a.credential_id \
         left join grants g on g.id = c.grant_id where l.holder = $1"
    );
    let rows = db
        .query_all_raw(sql::statement(db, text, [holder.into()]))
        .await?;
    rows.iter()
        .map(|row| Ok(AccountMark::from_query_result(row, "")?))
        .collect()
}

#[derive(Debug, FromQueryResult)]
struct Free {
    account_id: AccountId,
    fencing: i64,
    holder: Option<WorkerId>,
    expires_at: Option<DateTime<Utc>>,
}

/// Takes up to `limit` accounts that nobody holds or whose lease ran out, those first that waited longest.
///
/// # Errors
/// When the database refuses.
pub async fn acquire(
    store: &Store,
    holder: WorkerId,
    limit: u64,
    time: Duration,
) -> Result<Vec<Lease>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let tx = store.begin("leases.acquire").await?;
    let now = store.now(tx.db()).await?;
    let free = find_free(&tx, now, limit.min(CHUNK as u64)).await?;
    if free.is_empty() {
        return Ok(Vec::new());
    }
    end_expired(&tx, &free).await?;
    let text = format!(
        "update account_leases set holder = $1, fencing = fencing + 1, acquired_at = $2, expires_at = $3, \
         next_holder = null where account_id in ({})",
        sql::list(4, free.len())
    );
    let values = [Value::from(holder), now.into(), (now + time).into()]
        .into_iter()
        .chain(free.iter().map(|row| row.account_id.into()));
    tx.db().execute_raw(sql::statement(tx.db(), text, values)).await?;
    let history = free.iter().map(|row| lease_history::ActiveModel {
        account_id: Set(row.account_id),
        fencing: Set(row.fencing + 1),
        holder: Set(holder),
        acquired_at: Set(now),
        ended_at: Set(None),
    });
    lease_history::Entity::insert_many(history)
        .exec_without_returning(tx.db())
        .await?;
    tx.commit().await?;
    Ok(free
        .into_iter()
        .map(|row| Lease {
            account_id: row.account_id,
            holder,
            fencing: row.fencing + 1,
        })
        .collect())
}

/// Free accounts, locked until the end of the transaction. Another worker's search passes them by.
async fn find_free(tx: &Tx, now: DateTime<Utc>, limit: u64) -> Result<Vec<Free>, StoreError> {
    let lock = match sql::skip_locked(tx.db()) {
        "" => "",
        _ => "for update of l skip locked",
    };
    let text = format!(
        "select l.account_id, l.fencing, l.holder, l.expires_at from account_leases l join accounts a on a.id = l.account_id \
         where {NEEDS_HOLDER} and (l.holder is null or l.expires_at <= $1) order by l.expires_at limit $2 {lock}"
    );
    let values = [now.into(), limit.cast_signed().into()];
    let rows = tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?;
    rows.iter()
        .map(|row| Ok(Free::from_query_result(row, "")?))
        .collect()
}

/// A holding that ran out ended when it ran out.
async fn end_expired(tx: &Tx, free: &[Free]) -> Result<(), StoreError> {
    let expired: Vec<_> = free
        .iter()
        .filter(|row| row.holder.is_some() && row.expires_at.is_some())
        .collect();
    if expired.is_empty() {
        return Ok(());
    }
    let text = format!(
        "update lease_history set ended_at = (select l.expires_at from account_leases l where l.account_id = lease_history.account_id) \
         where ended_at is null and account_id in ({})",
        sql::list(1, expired.len())
    );
    tx.db()
        .execute_raw(sql::statement(
            tx.db(),
            text,
            expired.iter().map(|row| row.account_id.into()),
        ))
        .await?;
    Ok(())
}

/// Renews every lease of a holder that has not run out. Gives those that were renewed; one that a transaction of its
/// own has locked at the moment is passed by and renewed the next time, so that one slow write does not hold up all.
///
/// # Errors
/// When the database refuses.
pub async fn renew(store: &Store, holder: WorkerId, time: Duration) -> Result<Vec<Lease>, StoreError> {
    let tx = store.begin("leases.renew").await?;
    let now = store.now(tx.db()).await?;
    let text = format!(
        "update account_leases set expires_at = $1 where account_id in (select account_id from account_leases \
         where holder = $2 and expires_at > $3 {}) returning account_id, fencing",
        sql::skip_locked(tx.db())
    );
    let values = [(now + time).into(), holder.into(), now.into()];
    let rows = tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?;
    let renewed = rows
        .iter()
        .map(|row| {
            Ok(Lease {
                account_id: row.try_get("", "account_id")?,
                holder,
                fencing: row.try_get("", "fencing")?,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    tx.commit().await?;
    Ok(renewed)
}

/// Lets leases go, so that others can take them at once. One that was lost in the meantime is left as it is.
///
/// # Errors
/// When the database refuses.
pub async fn release(store: &Store, leases: &[Lease]) -> Result<(), StoreError> {
    for chunk in leases.chunks(CHUNK) {
        let tx = store.begin("leases.release").await?;
        let now = store.now(tx.db()).await?;
        let pairs = |first| {
            format!(
                "(account_id, fencing) in (values {})",
                sql::rows(first, chunk.len(), 2)
            )
        };
        let keys = || {
            chunk
                .iter()
                .flat_map(|lease| [Value::from(lease.account_id), Value::from(lease.fencing)])
        };
        let end = format!(
            "update lease_history set ended_at = $1 where ended_at is null and {}",
            pairs(2)
        );
        let values = [Value::from(now)].into_iter().chain(keys());
        tx.db().execute_raw(sql::statement(tx.db(), end, values)).await?;
        let free = format!(
            "update account_leases set holder = null, acquired_at = null, expires_at = null where {}",
            pairs(1)
        );
        tx.db().execute_raw(sql::statement(tx.db(), free, keys())).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Makes sure that a transaction's writer still holds the account, and keeps anybody else from taking it before the
/// transaction ends. The first thing in every transaction that writes sync state.
///
/// # Errors
/// [`StoreError::Outdated`] when the lease was lost or has run out.
pub async fn guard(tx: &Tx, lease: &Lease) -> Result<(), StoreError> {
    let now = tx.store().now(tx.db()).await?;
    let lock = match sql::skip_locked(tx.db()) {
        "" => "",
        // Shared: two transactions of the holder do not wait for each other.
        _ => "for share",
    };
    let text = format!(
        "select fencing from account_leases where account_id = $1 and holder = $2 and fencing = $3 and expires_at > $4 {lock}"
    );
    let values = [
        lease.account_id.into(),
        lease.holder.into(),
        lease.fencing.into(),
        now.into(),
    ];
    match tx
        .db()
        .query_one_raw(sql::statement(tx.db(), text, values))
        .await?
    {
        Some(_) => Ok(()),
        None => Err(StoreError::outdated("lease of account", lease.account_id)),
    }
}

/// Who holds these accounts; those that nobody holds are missing.
///
/// # Errors
/// When the database refuses.
pub async fn holders(
    db: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, WorkerId>, StoreError> {
    let rows: Vec<(AccountId, Option<WorkerId>)> = account_lease::Entity::find()
        .filter(account_lease::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(account_lease::Column::Holder.is_not_null())
        .select_only()
        .columns([account_lease::Column::AccountId, account_lease::Column::Holder])
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(account_id, holder)| Some((account_id, holder?)))
        .collect())
}

/// The lease rows of a holder.
///
/// # Errors
/// When the database refuses.
pub async fn of_holder(db: &impl ConnectionTrait, holder: WorkerId) -> Result<Vec<AccountLease>, StoreError> {
    Ok(account_lease::Entity::find()
        .filter(account_lease::Column::Holder.eq(holder))
        .all(db)
        .await?)
}

/// Every holding of an account, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn history(
    db: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<Vec<LeaseHistory>, StoreError> {
    Ok(lease_history::Entity::find()
        .filter(lease_history::Column::AccountId.eq(account_id))
        .order_by_asc(lease_history::Column::Fencing)
        .all(db)
        .await?)
}
