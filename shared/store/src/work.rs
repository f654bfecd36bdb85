//! Durable work for the holder of an account: what an event or another service asks of it.
//!
//! Whoever adds work wakes the holder after the commit; the holder also looks by itself, so a lost wake-up costs delay,
//! never work.

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, EventId, FolderId, SubmissionId, WorkId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AccountWork, StoreError, Tx, entities::account_work};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum WorkKind {
    /// Look at the server now.
    Sync {
        /// Only at this folder; at every folder when absent.
        folder_id: Option<FolderId>,
    },
    /// Look for a submission's mail in the Sent folder, and put it there if it was sent and is missing.
    SentCopy {
        /// The submission.
        submission_id: SubmissionId,
    },
}

/// Work to be done.
#[derive(Debug, Clone, Copy)]
pub struct NewWork {
    /// For the holder of this account.
    pub account_id: AccountId,
    /// What is to be done.
    pub kind: WorkKind,
    /// The event that asks for it.
    pub cause_event_id: Option<EventId>,
    /// The request it belongs to.
    pub correlation_id: Uuid,
    /// Not before this time.
    pub due_at: DateTime<Utc>,
}

/// Work that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueWork {
    /// Its id.
    pub id: WorkId,
    /// The account.
    pub account_id: AccountId,
    /// What is to be done.
    pub kind: WorkKind,
    /// The event that asks for it.
    pub cause_event_id: Option<EventId>,
    /// The request it belongs to.
    pub correlation_id: Uuid,
    /// How often it was tried already.
    pub attempt: i32,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// Adds work, and wakes the holder of the account after the commit.
///
/// # Errors
/// When the database refuses; also when the account does not exist.
pub async fn add(tx: &Tx, work: NewWork) -> Result<WorkId, StoreError> {
    let id = WorkId::generate();
    let (kind, detail) = to_columns(work.kind);
    let row = account_work::ActiveModel {
        id: Set(id),
        account_id: Set(work.account_id),
        kind: Set(kind),
        detail: Set(detail),
        cause_event_id: Set(work.cause_event_id),
        correlation_id: Set(work.correlation_id),
        attempt: Set(0),
        next_attempt_at: Set(work.due_at),
        created_at: Set(tx.store().clock().now()),
    };
    account_work::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    tx.wake_account(work.account_id);
    Ok(id)
}

/// The work of an account that is due, oldest first.
///
/// # Errors
/// When the database refuses, or a row was written by a newer version.
pub async fn due(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<DueWork>, StoreError> {
    account_work::Entity::find()
        .filter(account_work::Column::AccountId.eq(account_id))
        .filter(account_work::Column::NextAttemptAt.lte(now))
        .order_by_asc(account_work::Column::NextAttemptAt)
        .order_by_asc(account_work::Column::Id)
        .limit(limit)
        .all(db)
        .await?
        .into_iter()
        .map(from_row)
        .collect()
}

/// Which of these accounts have work that is due: one query for all that a worker holds.
///
/// # Errors
/// When the database refuses.
pub async fn accounts_with_due(
    db: &impl ConnectionTrait,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<Vec<AccountId>, StoreError> {
    let mut found = Vec::new();
    for chunk in accounts.chunks(1000) {
        let due: Vec<AccountId> = account_work::Entity::find()
            .filter(account_work::Column::AccountId.is_in(chunk.iter().copied()))
            .filter(account_work::Column::NextAttemptAt.lte(now))
            .select_only()
            .column(account_work::Column::AccountId)
            .distinct()
            .into_tuple()
            .all(db)
            .await?;
        found.extend(due);
    }
    Ok(found)
}

/// Forgets work that is done, in the transaction that holds its result.
///
/// # Errors
/// When the database refuses.
pub async fn done(tx: &Tx, id: WorkId) -> Result<(), StoreError> {
    account_work::Entity::delete_by_id(id).exec(tx.db()).await?;
    Ok(())
}

/// Puts work off: it is tried again at that time.
///
/// # Errors
/// When the database refuses.
pub async fn retry_at(tx: &Tx, id: WorkId, at: DateTime<Utc>) -> Result<(), StoreError> {
    account_work::Entity::update_many()
        .col_expr(
            account_work::Column::Attempt,
            Expr::col(account_work::Column::Attempt).add(1),
        )
        .col_expr(account_work::Column::NextAttemptAt, Expr::value(at))
        .filter(account_work::Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

fn to_columns(kind: WorkKind) -> (String, serde_json::Value) {
    let (name, detail) = match kind {
        WorkKind::Sync { folder_id } => ("sync", serde_json::json!({ "folder_id": folder_id })),
        WorkKind::SentCopy { submission_id } => {
            ("sent_copy", serde_json::json!({ "submission_id": submission_id }))
        }
    };
    (name.to_owned(), detail)
}

fn from_row(row: AccountWork) -> Result<DueWork, StoreError> {
    let tagged = serde_json::json!({ "kind": row.kind, "detail": row.detail });
    let kind = serde_json::from_value(tagged).map_err(|error| StoreError::Damaged {
        what: "work",
        reason: error.to_string(),
    })?;
    Ok(DueWork {
        id: row.id,
        account_id: row.account_id,
        kind,
        cause_event_id: row.cause_event_id,
        correlation_id: row.correlation_id,
        attempt: row.attempt,
        created_at: row.created_at,
    })
}
