//! Where messages lie: (folder, UIDVALIDITY, UID), with the flags they have there.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FlagsChange, FolderId, MessageId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, Value, sea_query::OnConflict,
};

use crate::{Location, StoreError, Tx, entities::location, messages, sql};

/// Bytes of a row in a statement, its flags included.
const ROW_BYTES: usize = 160;
/// Bytes of an id in a statement.
const ID_BYTES: usize = 24;
/// Bytes of a UID and its flags in a statement.
const FLAGS_BYTES: usize = 64;

/// Flags as stored: in one order, without `\Recent`, which belongs to a session and not to a message.
///
/// What could not be told apart again (empty, with a space or a control character in it) is left out.
pub fn join_flags<'a>(flags: impl IntoIterator<Item = &'a str>) -> String {
    let mut flags: Vec<_> = flags
        .into_iter()
        .filter(|flag| !flag.is_empty() && !flag.contains(|c: char| c.is_whitespace() || c.is_control()))
        .filter(|flag| !flag.eq_ignore_ascii_case("\\Recent"))
        .collect();
    flags.sort_unstable();
    flags.dedup();
    flags.join(" ")
}

/// The flags of a stored text.
pub fn split_flags(stored: &str) -> Vec<String> {
    stored
        .split(' ')
        .filter(|flag| !flag.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Where a message of a batch lies.
#[derive(Debug, Clone)]
pub struct NewLocation {
    /// Its UID there.
    pub uid: i64,
    /// The message.
    pub message_id: MessageId,
    /// Its flags, as [`join_flags`] makes them.
    pub flags: String,
    /// Its modification sequence (RFC 7162), if the server gives one.
    pub modseq: Option<i64>,
}

/// Inserts locations. One that is there already takes the flags: the same UID is fetched again after a crash.
pub(crate) async fn insert(
    tx: &Tx,
    account_id: AccountId,
    folder_id: FolderId,
    uid_validity: i64,
    new: Vec<NewLocation>,
) -> Result<(), StoreError> {
    let now = tx.store().clock().now();
    let at_once = sql::rows_per_statement(tx.db(), ROW_BYTES);
    let mut rows = new.into_iter().map(|new| location::ActiveModel {
        folder_id: Set(folder_id),
        uid_validity: Set(uid_validity),
        uid: Set(new.uid),
        account_id: Set(account_id),
        message_id: Set(new.message_id),
        flags: Set(new.flags),
        modseq: Set(new.modseq),
        linked_at: Set(now),
    });
    loop {
        let chunk: Vec<_> = rows.by_ref().take(at_once).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        use location::Column;
        location::Entity::insert_many(chunk)
            .on_conflict(
                OnConflict::columns([Column::FolderId, Column::UidValidity, Column::Uid])
                    .update_columns([Column::Flags, Column::Modseq, Column::MessageId])
                    .to_owned(),
            )
            .exec_without_returning(tx.db())
            .await?;
    }
}

/// The UIDs that are stored of a folder, ascending.
///
/// # Errors
/// When the database refuses.
pub async fn uids(
    db: &impl ConnectionTrait,
    folder_id: FolderId,
    uid_validity: i64,
) -> Result<Vec<i64>, StoreError> {
    Ok(location::Entity::find()
        .filter(location::Column::FolderId.eq(folder_id))
        .filter(location::Column::UidValidity.eq(uid_validity))
        .order_by_asc(location::Column::Uid)
        .select_only()
        .column(location::Column::Uid)
        .into_tuple()
        .all(db)
        .await?)
}

/// How many messages are stored of a folder.
///
/// # Errors
/// When the database refuses.
pub async fn count(
    db: &impl ConnectionTrait,
    folder_id: FolderId,
    uid_validity: i64,
) -> Result<u64, StoreError> {
    Ok(location::Entity::find()
        .filter(location::Column::FolderId.eq(folder_id))
        .filter(location::Column::UidValidity.eq(uid_validity))
        .count(db)
        .await?)
}

/// How many messages are unread, of each folder of an account that has some.
///
/// # Errors
/// When the database refuses.
pub async fn unread(
    db: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<HashMap<FolderId, i64>, StoreError> {
    // The condition is that of the index, word by word: nothing but unread messages is read.
    let text = "select folder_id, count(*) as unread from locations where folder_id in (select id from folders where \
                account_id = $1 and gone_at is null) and flags not like '%!\\Seen%' escape '!' group by folder_id";
    let values = [Value::from(account_id)];
    let mut unread = HashMap::new();
    for row in db.query_all_raw(sql::statement(db, text, values)).await? {
        unread.insert(row.try_get("", "folder_id")?, row.try_get("", "unread")?);
    }
    Ok(unread)
}

/// Everywhere that these messages lie.
///
/// # Errors
/// When the database refuses.
pub async fn of_messages(db: &impl ConnectionTrait, ids: &[MessageId]) -> Result<Vec<Location>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(sql::rows_per_statement(db, ID_BYTES)) {
        let rows = location::Entity::find()
            .filter(location::Column::MessageId.is_in(chunk.iter().copied()))
            .all(db)
            .await?;
        found.extend(rows);
    }
    Ok(found)
}

/// The flags that the server says a UID has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFlags {
    /// The UID.
    pub uid: i64,
    /// Its flags, as [`join_flags`] makes them.
    pub flags: String,
    /// Its modification sequence, if the server gives one.
    pub modseq: Option<i64>,
}

/// Takes over flags from the server. Gives those that were different before; UIDs that are not stored are left alone.
///
/// # Errors
/// When the database refuses.
pub async fn update_flags(
    tx: &Tx,
    folder_id: FolderId,
    uid_validity: i64,
    flags: &[ServerFlags],
) -> Result<Vec<FlagsChange>, StoreError> {
    let mut changes = Vec::new();
    for chunk in flags.chunks(sql::rows_per_statement(tx.db(), FLAGS_BYTES)) {
        let text = format!(
            "with now_has (uid, flags, modseq) as (values {}) update locations set flags = now_has.flags, \
             modseq = coalesce(now_has.modseq, locations.modseq) from now_has where locations.folder_id = $1 \
             and locations.uid_validity = $2 and locations.uid = now_has.uid and locations.flags <> now_has.flags \
             returning message_id, locations.flags",
            sql::rows(3, chunk.len(), 3)
        );
        let values = [Value::from(folder_id), Value::from(uid_validity)]
            .into_iter()
            .chain(chunk.iter().flat_map(|row| {
                [
                    Value::from(row.uid),
                    Value::from(row.flags.clone()),
                    Value::from(row.modseq),
                ]
            }));
        for row in tx
            .db()
            .query_all_raw(sql::statement(tx.db(), text, values))
            .await?
        {
            let flags: String = row.try_get("", "flags")?;
            changes.push(FlagsChange {
                message_id: row.try_get("", "message_id")?,
                flags: split_flags(&flags),
            });
        }
    }
    Ok(changes)
}

/// Which of these UIDs hold a message that came to another folder since `since`.
///
/// # Errors
/// When the database refuses.
pub async fn moved_elsewhere(
    db: &impl ConnectionTrait,
    folder_id: FolderId,
    uid_validity: i64,
    uids: &[i64],
    since: DateTime<Utc>,
) -> Result<Vec<i64>, StoreError> {
    let mut moved = Vec::new();
    for chunk in uids.chunks(sql::rows_per_statement(db, ID_BYTES)) {
        let text = format!(
            "select l.uid from locations l where l.folder_id = $1 and l.uid_validity = $2 and exists (select 1 from locations o \
             where o.message_id = l.message_id and o.folder_id <> l.folder_id and o.linked_at >= $3) and l.uid in ({})",
            sql::list(4, chunk.len())
        );
        let values = [Value::from(folder_id), uid_validity.into(), since.into()]
            .into_iter()
            .chain(chunk.iter().map(|uid| Value::from(*uid)));
        for row in db.query_all_raw(sql::statement(db, text, values)).await? {
            moved.push(row.try_get("", "uid")?);
        }
    }
    Ok(moved)
}

/// What became of a message that left a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// It came to another folder at about the same time: it was moved there.
    Moved(FolderId),
    /// It lies elsewhere too, and has for a while.
    StillElsewhere,
    /// It lies nowhere any more, and is to be erased.
    Gone,
}

/// Removes UIDs that are gone from the server, and says what became of each message. What came to another folder since
/// `moved_since` was moved there; what lies nowhere any more is marked as to be erased.
///
/// # Errors
/// When the database refuses.
pub async fn remove(
    tx: &Tx,
    folder_id: FolderId,
    uid_validity: i64,
    uids: &[i64],
    moved_since: DateTime<Utc>,
) -> Result<Vec<(MessageId, Departure)>, StoreError> {
    let mut left = Vec::new();
    for chunk in uids.chunks(sql::rows_per_statement(tx.db(), ID_BYTES)) {
        let text = format!(
            "delete from locations where folder_id = $1 and uid_validity = $2 and uid in ({}) returning message_id",
            sql::list(3, chunk.len())
        );
        let values = [Value::from(folder_id), Value::from(uid_validity)]
            .into_iter()
            .chain(chunk.iter().map(|uid| Value::from(*uid)));
        for row in tx
            .db()
            .query_all_raw(sql::statement(tx.db(), text, values))
            .await?
        {
            left.push(row.try_get::<MessageId>("", "message_id")?);
        }
    }
    left.sort_unstable();
    left.dedup();
    let mut elsewhere: HashMap<MessageId, Vec<Location>> = HashMap::new();
    for location in of_messages(tx.db(), &left).await? {
        elsewhere.entry(location.message_id).or_default().push(location);
    }
    let departures: Vec<_> = left
        .into_iter()
        .map(|id| (id, departure(elsewhere.get(&id), folder_id, moved_since)))
        .collect();
    let gone: Vec<_> = departures
        .iter()
        .filter(|(_, departure)| *departure == Departure::Gone)
        .map(|(id, _)| *id)
        .collect();
    messages::request_erasure(tx, &gone).await?;
    Ok(departures)
}

fn departure(elsewhere: Option<&Vec<Location>>, from: FolderId, moved_since: DateTime<Utc>) -> Departure {
    let Some(elsewhere) = elsewhere else {
        return Departure::Gone;
    };
    elsewhere
        .iter()
        .filter(|location| location.folder_id != from && location.linked_at >= moved_since)
        .max_by_key(|location| location.linked_at)
        .map_or(Departure::StillElsewhere, |location| {
            Departure::Moved(location.folder_id)
        })
}

/// Drops the locations of a folder whose UIDVALIDITY is another one now. The messages stay, and are linked again by
/// their identity.
///
/// # Errors
/// When the database refuses.
pub async fn drop_outdated(tx: &Tx, folder_id: FolderId, uid_validity: i64) -> Result<u64, StoreError> {
    let dropped = location::Entity::delete_many()
        .filter(location::Column::FolderId.eq(folder_id))
        .filter(location::Column::UidValidity.ne(uid_validity))
        .exec(tx.db())
        .await?;
    Ok(dropped.rows_affected)
}
