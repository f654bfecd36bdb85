//! Erasing single messages.

use bytes::{Bytes, BytesMut};
use postroom_events::{AccountId, MessageId, PackId, SubmissionId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, Value,
    sea_query::Expr,
};
use uuid::Uuid;

use super::{erased_packs, failures::Failures, sweep};
use crate::{
    Store, StoreError, Tx,
    entities::{message, pack, submission},
    packs::{Packs, StoredPack},
    sql,
};

/// Rows per statement.
const CHUNK: usize = 500;

/// Erases the messages that are marked for it, in at most `limit` packs. Gives how many messages were erased. The objects
/// that they lay in are left to [`delete_erased_packs`](super::delete_erased_packs).
///
/// # Errors
/// When the database refuses, or several packs in a row cannot be written anew. What was erased before stays erased.
pub async fn erase_messages(store: &Store, packs: &Packs, limit: u64) -> Result<u64, StoreError> {
    let mut failures = Failures::default();
    let mut erased = 0;
    for (account_id, pack_id) in marked(store, limit).await? {
        let rewritten = rewrite(store, packs, account_id, pack_id).await;
        let count = failures.pass("write a pack anew", pack_id.0, rewritten)?;
        erased += count.unwrap_or_default();
    }
    Ok(erased)
}

/// Packs with messages that are to be erased.
async fn marked(store: &Store, limit: u64) -> Result<Vec<(AccountId, PackId)>, StoreError> {
    Ok(message::Entity::find()
        .filter(message::Column::EraseRequestedAt.is_not_null())
        .select_only()
        .column(message::Column::AccountId)
        .column(message::Column::PackId)
        .group_by(message::Column::AccountId)
        .group_by(message::Column::PackId)
        .order_by(Expr::cust("random()"), Order::Asc)
        .limit(limit)
        .into_tuple()
        .all(store.read())
        .await?)
}

/// Writes a pack anew without what is to be erased: first the new object, then the rows in one transaction, which also
/// notes that the old object is to be deleted.
async fn rewrite(
    store: &Store,
    packs: &Packs,
    account_id: AccountId,
    old: PackId,
) -> Result<u64, StoreError> {
    let content = PackContent::load(store, old).await?;
    if content.erased.is_empty() {
        return Ok(0);
    }
    let (bytes, moves) = content.without_erased(packs, account_id, old).await?;
    let new = match moves.is_empty() {
        true => None,
        false => Some(packs.put_bytes(account_id, bytes).await?),
    };
    let tx = store.begin("erasure.move_rows").await?;
    match move_rows(&tx, account_id, old, new.as_ref(), &content.erased, &moves).await {
        // When this fails, nobody knows which pack the rows name: both objects stay. If it is the old one, the new one is an
        // orphan, which is collected when it is old enough.
        Ok(()) => tx.commit().await?,
        // Nothing was committed, so no row names the new one.
        Err(StoreError::Outdated { .. }) => {
            drop(tx);
            if let Some(new) = new {
                packs.delete(account_id, new.id).await?;
            }
            return Ok(0);
        }
        Err(error) => return Err(error),
    }
    Ok(content.erased.len() as u64)
}

/// A row that names a frame of a pack.
#[derive(Debug, Clone, Copy)]
struct Kept {
    table: &'static str,
    id: Uuid,
    offset: i64,
    length: i64,
}

/// A row and where its frame lies in the new pack.
#[derive(Debug, Clone, Copy)]
struct Move {
    table: &'static str,
    id: Uuid,
    offset: i64,
}

struct PackContent {
    erased: Vec<MessageId>,
    kept: Vec<Kept>,
}

impl PackContent {
    async fn load(store: &Store, pack_id: PackId) -> Result<Self, StoreError> {
        let messages: Vec<(MessageId, i64, i64, bool)> = message::Entity::find()
            .filter(message::Column::PackId.eq(pack_id))
            .order_by_asc(message::Column::PackOffset)
            .select_only()
            .columns([
                message::Column::Id,
                message::Column::PackOffset,
                message::Column::PackLength,
            ])
            .column_as(message::Column::EraseRequestedAt.is_not_null(), "erased")
            .into_tuple()
            .all(store.read())
            .await?;
        let submissions: Vec<(SubmissionId, i64, i64)> = submission::Entity::find()
            .filter(submission::Column::PackId.eq(pack_id))
            .select_only()
            .columns([
                submission::Column::Id,
                submission::Column::PackOffset,
                submission::Column::PackLength,
            ])
            .into_tuple()
            .all(store.read())
            .await?;
        let kept_messages = messages
            .iter()
            .filter(|(.., erased)| !erased)
            .map(|(id, offset, length, _)| Kept {
                table: "messages",
                id: id.0,
                offset: *offset,
                length: *length,
            });
        let kept_submissions = submissions.iter().map(|(id, offset, length)| Kept {
            table: "submissions",
            id: id.0,
            offset: *offset,
            length: *length,
        });
        Ok(Self {
            kept: kept_messages.chain(kept_submissions).collect(),
            erased: messages
                .iter()
                .filter(|(.., erased)| *erased)
                .map(|(id, ..)| *id)
                .collect(),
        })
    }

    /// The bytes of the new pack. Frames are copied as they are.
    async fn without_erased(
        &self,
        packs: &Packs,
        account_id: AccountId,
        old: PackId,
    ) -> Result<(Bytes, Vec<Move>), StoreError> {
        if self.kept.is_empty() {
            return Ok((Bytes::new(), Vec::new()));
        }
        let before = packs.read_pack(account_id, old).await?;
        let mut bytes = BytesMut::with_capacity(before.len());
        let mut moves = Vec::with_capacity(self.kept.len());
        for row in &self.kept {
            let frame = usize::try_from(row.offset)
                .ok()
                .zip(usize::try_from(row.length).ok())
                .and_then(|(offset, length)| before.get(offset..offset.checked_add(length)?))
                .ok_or_else(|| StoreError::Damaged {
                    what: "pack",
                    reason: format!("{old} is shorter than its rows say"),
                })?;
            moves.push(Move {
                table: row.table,
                id: row.id,
                offset: bytes.len() as i64,
            });
            bytes.extend_from_slice(frame);
        }
        Ok((bytes.freeze(), moves))
    }
}

/// Moves the rows to the new pack, and takes what is to be erased and the old pack away.
///
/// # Errors
/// [`StoreError::Outdated`] when something has changed since the pack was read: then nothing of this may stay.
async fn move_rows(
    tx: &Tx,
    account_id: AccountId,
    old: PackId,
    new: Option<&StoredPack>,
    erased: &[MessageId],
    moves: &[Move],
) -> Result<(), StoreError> {
    for chunk in erased.chunks(CHUNK) {
        let gone = message::Entity::delete_many()
            .filter(message::Column::Id.is_in(chunk.iter().copied()))
            .filter(message::Column::PackId.eq(old))
            .filter(message::Column::EraseRequestedAt.is_not_null())
            .exec(tx.db())
            .await?;
        if gone.rows_affected != chunk.len() as u64 {
            // One of them came back: it lies in a folder again.
            return Err(StoreError::outdated("pack", old));
        }
    }
    if let Some(new) = new {
        new.insert(tx).await?;
        for table in ["messages", "submissions"] {
            let rows: Vec<_> = moves.iter().filter(|row| row.table == table).collect();
            for chunk in rows.chunks(CHUNK) {
                point_at(tx, table, old, new.id, chunk).await?;
            }
        }
    }
    let deleted = pack::Entity::delete_by_id(old).exec(tx.db()).await?;
    if deleted.rows_affected != 1 {
        return Err(StoreError::outdated("pack", old));
    }
    erased_packs::note(tx, account_id, old).await?;
    sweep::note(tx).await
}

async fn point_at(tx: &Tx, table: &str, old: PackId, new: PackId, rows: &[&Move]) -> Result<(), StoreError> {
    let text = format!(
        "with moved (id, new_offset) as (values {}) update {table} set pack_id = $1, pack_offset = moved.new_offset \
         from moved where {table}.id = moved.id and {table}.pack_id = $2",
        sql::rows(3, rows.len(), 2)
    );
    let values = [Value::from(new), Value::from(old)].into_iter().chain(
        rows.iter()
            .flat_map(|row| [Value::from(row.id), Value::from(row.offset)]),
    );
    let moved = tx.db().execute_raw(sql::statement(tx.db(), text, values)).await?;
    if moved.rows_affected() == rows.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::outdated("pack", old))
    }
}
