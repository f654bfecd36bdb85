//! Folders of an account, and how far the sync of each has come.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId, TenantId};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use crate::{
    Folder, StoreError, Tx,
    entities::{account, folder},
};

/// What a folder is for (RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderRole {
    /// Where mail arrives.
    Inbox,
    /// Copies of what was sent.
    Sent,
    /// Messages being written.
    Drafts,
    /// Deleted messages.
    Trash,
    /// Spam.
    Junk,
    /// Put away.
    Archive,
    /// Every message of the account (Gmail's All Mail).
    All,
    /// A view of flagged messages.
    Flagged,
    /// A view of important messages.
    Important,
}

impl FolderRole {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::Inbox,
        Self::Sent,
        Self::Drafts,
        Self::Trash,
        Self::Junk,
        Self::Archive,
        Self::All,
        Self::Flagged,
        Self::Important,
    ];

    /// Its name as stored and shown by the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Sent => "sent",
            Self::Drafts => "drafts",
            Self::Trash => "trash",
            Self::Junk => "junk",
            Self::Archive => "archive",
            Self::All => "all",
            Self::Flagged => "flagged",
            Self::Important => "important",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl Folder {
    /// What the folder is for, if the server said or its name is INBOX.
    pub fn known_role(&self) -> Option<FolderRole> {
        self.role.as_deref().and_then(FolderRole::from_name)
    }
}

/// A folder that the server listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFolder {
    /// Its name, decoded.
    pub name: String,
    /// What separates levels of its name.
    pub delimiter: Option<String>,
    /// What it is for.
    pub role: Option<FolderRole>,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// Its UIDVALIDITY, if it was asked for: how a renamed folder is known again.
    pub uid_validity: Option<i64>,
}

/// What a new list of folders changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FolderChanges {
    /// New folders.
    pub added: Vec<FolderId>,
    /// Folders that are gone. Their locations are still there.
    pub removed: Vec<FolderId>,
    /// Folders with a new name.
    pub renamed: Vec<FolderId>,
}

impl FolderChanges {
    /// Whether nothing came, went or was renamed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.renamed.is_empty()
    }
}

/// The folders that an account has, by name.
///
/// # Errors
/// When the database refuses.
pub async fn of_account(db: &impl ConnectionTrait, account_id: AccountId) -> Result<Vec<Folder>, StoreError> {
    Ok(folder::Entity::find()
        .filter(folder::Column::AccountId.eq(account_id))
        .filter(folder::Column::GoneAt.is_null())
        .order_by_asc(folder::Column::Name)
        .all(db)
        .await?)
}

/// Folders that are gone and may still have locations.
///
/// # Errors
/// When the database refuses.
pub async fn gone(db: &impl ConnectionTrait, account_id: AccountId) -> Result<Vec<Folder>, StoreError> {
    Ok(folder::Entity::find()
        .filter(folder::Column::AccountId.eq(account_id))
        .filter(folder::Column::GoneAt.is_not_null())
        .order_by_asc(folder::Column::GoneAt)
        .all(db)
        .await?)
}

/// One folder, whoever it belongs to: for the services themselves.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(db: &impl ConnectionTrait, id: FolderId) -> Result<Folder, StoreError> {
    folder::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("folder", id))
}

/// A folder of a tenant's account that is not gone.
///
/// # Errors
/// [`StoreError::NotFound`], also when it belongs to somebody else.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    id: FolderId,
) -> Result<Folder, StoreError> {
    let owned = account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::TenantId.eq(tenant_id));
    folder::Entity::find_by_id(id)
        .filter(folder::Column::AccountId.in_subquery(sea_orm::QueryTrait::into_query(owned)))
        .filter(folder::Column::GoneAt.is_null())
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("folder", id))
}

/// Brings the rows to what the server listed: new folders come, missing ones are marked as gone, and a new name with a
/// vanished one's UIDVALIDITY is that folder under a new name.
///
/// # Errors
/// When the database refuses.
pub async fn reconcile(
    tx: &Tx,
    account_id: AccountId,
    listed: &[ListedFolder],
) -> Result<FolderChanges, StoreError> {
    let now = tx.store().clock().now();
    let existing = of_account(tx.db(), account_id).await?;
    let by_name: HashMap<&str, &Folder> = existing.iter().map(|row| (row.name.as_str(), row)).collect();
    let names: HashMap<&str, &ListedFolder> = listed
        .iter()
        .map(|folder| (folder.name.as_str(), folder))
        .collect();
    let mut missing: Vec<&Folder> = existing
        .iter()
        .filter(|row| !names.contains_key(row.name.as_str()))
        .collect();
    let mut changes = FolderChanges::default();
    let mut rows = Vec::new();
    for folder in names.values() {
        let row = match by_name.get(folder.name.as_str()) {
            Some(row) if describes(row, folder) => continue,
            Some(row) => changed(row, folder),
            None => match take_renamed(&mut missing, folder) {
                Some(row) => {
                    changes.renamed.push(row.id);
                    changed(row, folder)
                }
                None => {
                    let row = added(account_id, folder, now);
                    changes.added.push(*row.id.as_ref());
                    row
                }
            },
        };
        rows.push(row);
    }
    changes.removed = missing.iter().map(|row| row.id).collect();
    mark_gone(tx, &changes.removed, now).await?;
    upsert(tx, rows).await?;
    Ok(changes)
}

fn describes(row: &Folder, folder: &ListedFolder) -> bool {
    row.delimiter == folder.delimiter
        && row.role.as_deref() == folder.role.map(FolderRole::as_str)
        && row.selectable == folder.selectable
}

/// The one missing folder that a new name can be the new name of.
fn take_renamed<'a>(missing: &mut Vec<&'a Folder>, folder: &ListedFolder) -> Option<&'a Folder> {
    folder.uid_validity?;
    let mut same = missing
        .iter()
        .enumerate()
        .filter(|(_, row)| row.uid_validity == folder.uid_validity);
    let (at, _) = same.next()?;
    let unique = same.next().is_none();
    unique.then(|| missing.remove(at))
}

fn added(account_id: AccountId, folder: &ListedFolder, now: DateTime<Utc>) -> folder::ActiveModel {
    folder::ActiveModel::from(Folder {
        id: FolderId::generate(),
        account_id,
        name: folder.name.clone(),
        delimiter: folder.delimiter.clone(),
        role: folder.role.map(|role| role.as_str().to_owned()),
        selectable: folder.selectable,
        synced: true,
        uid_validity: None,
        uid_next: None,
        first_uid_next: None,
        highest_modseq: None,
        backfill_below_uid: None,
        backfill_completed_at: None,
        messages_on_server: 0,
        last_scan_at: None,
        resets: 0,
        created_at: now,
        gone_at: None,
    })
    .reset_all()
}

fn changed(row: &Folder, folder: &ListedFolder) -> folder::ActiveModel {
    folder::ActiveModel::from(Folder {
        name: folder.name.clone(),
        delimiter: folder.delimiter.clone(),
        role: folder.role.map(|role| role.as_str().to_owned()),
        selectable: folder.selectable,
        ..row.clone()
    })
    .reset_all()
}

async fn mark_gone(tx: &Tx, ids: &[FolderId], now: DateTime<Utc>) -> Result<(), StoreError> {
    for chunk in ids.chunks(1000) {
        folder::Entity::update_many()
            .col_expr(folder::Column::GoneAt, Expr::value(now))
            .filter(folder::Column::Id.is_in(chunk.iter().copied()))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

async fn upsert(tx: &Tx, rows: Vec<folder::ActiveModel>) -> Result<(), StoreError> {
    use folder::Column;
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<_> = rows.by_ref().take(500).collect();
        folder::Entity::insert_many(chunk)
            .on_conflict(
                OnConflict::column(Column::Id)
                    .update_columns([Column::Name, Column::Delimiter, Column::Role, Column::Selectable])
                    .to_owned(),
            )
            .exec_without_returning(tx.db())
            .await?;
    }
    Ok(())
}

/// How far the sync of a folder has come: what is `Some` is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CursorUpdate {
    /// Every UID below was looked at, apart from what the backfill has not reached.
    pub uid_next: Option<i64>,
    /// Every change up to this one was looked at (RFC 7162). `Some(None)` forgets it.
    pub highest_modseq: Option<Option<i64>>,
    /// The backfill has stored everything from this UID upwards.
    pub backfill_below_uid: Option<i64>,
    /// The backfill is complete.
    pub backfill_completed_at: Option<DateTime<Utc>>,
    /// How many messages the server counts.
    pub messages_on_server: Option<i64>,
    /// When every UID and flag was compared.
    pub last_scan_at: Option<DateTime<Utc>>,
}

/// Writes what has changed of a folder's cursor.
///
/// # Errors
/// When the database refuses.
pub async fn advance(tx: &Tx, id: FolderId, update: CursorUpdate) -> Result<(), StoreError> {
    if update == CursorUpdate::default() {
        return Ok(());
    }
    let mut row = folder::ActiveModel {
        id: Unchanged(id),
        ..Default::default()
    };
    if let Some(uid_next) = update.uid_next {
        row.uid_next = Set(Some(uid_next));
    }
    if let Some(highest_modseq) = update.highest_modseq {
        row.highest_modseq = Set(highest_modseq);
    }
    if let Some(uid) = update.backfill_below_uid {
        row.backfill_below_uid = Set(Some(uid));
    }
    if let Some(at) = update.backfill_completed_at {
        row.backfill_completed_at = Set(Some(at));
    }
    if let Some(messages) = update.messages_on_server {
        row.messages_on_server = Set(messages);
    }
    if let Some(at) = update.last_scan_at {
        row.last_scan_at = Set(Some(at));
    }
    folder::Entity::update_many()
        .set(row)
        .filter(folder::Column::Id.eq(id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Begins the sync of a folder as it was first selected, or again after its UIDVALIDITY changed: nothing is known of
/// what lies below `uid_next`, and only what comes from there on is new mail.
///
/// # Errors
/// When the database refuses.
pub async fn begin_cursor(
    tx: &Tx,
    before: &Folder,
    uid_validity: i64,
    uid_next: i64,
    messages_on_server: i64,
) -> Result<(), StoreError> {
    let resets = before.resets + i32::from(before.uid_validity.is_some());
    let row = folder::ActiveModel {
        uid_validity: Set(Some(uid_validity)),
        uid_next: Set(Some(uid_next)),
        first_uid_next: Set(Some(uid_next)),
        highest_modseq: Set(None),
        backfill_below_uid: Set(Some(uid_next)),
        backfill_completed_at: Set(None),
        messages_on_server: Set(messages_on_server),
        last_scan_at: Set(None),
        resets: Set(resets),
        ..Default::default()
    };
    folder::Entity::update_many()
        .set(row)
        .filter(folder::Column::Id.eq(before.id))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Forgets a folder that is gone and whose locations were taken care of.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &Tx, id: FolderId) -> Result<(), StoreError> {
    folder::Entity::delete_by_id(id).exec(tx.db()).await?;
    Ok(())
}

/// Which folders of an account are fetched and which are not.
///
/// # Errors
/// When the database refuses.
pub async fn choices(
    db: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<HashMap<FolderId, bool>, StoreError> {
    Ok(folder::Entity::find()
        .filter(folder::Column::AccountId.eq(account_id))
        .filter(folder::Column::GoneAt.is_null())
        .select_only()
        .columns([folder::Column::Id, folder::Column::Synced])
        .into_tuple()
        .all(db)
        .await?
        .into_iter()
        .collect())
}

/// Chooses whether these folders of an account are fetched. What is stored of them already stays. Folders of other
/// accounts are left alone.
///
/// # Errors
/// When the database refuses.
pub async fn choose(
    tx: &Tx,
    account_id: AccountId,
    ids: &[FolderId],
    synced: bool,
) -> Result<(), StoreError> {
    for chunk in ids.chunks(500) {
        folder::Entity::update_many()
            .col_expr(folder::Column::Synced, Expr::value(synced))
            .filter(folder::Column::AccountId.eq(account_id))
            .filter(folder::Column::Id.is_in(chunk.iter().copied()))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}
