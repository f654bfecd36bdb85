//! Messages: stored in batches by the fetcher, listed for the API.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId, MessageId, PackId, TenantId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, SqlErr,
    sea_query::{Expr, ExprTrait, Func, LikeExpr},
};
use serde::{Deserialize, Serialize};

use crate::{
    Message, StoreError, Tx,
    entities::{account, location, message},
    locations::{self, NewLocation},
    packs::{Frame, StoredPack},
    sql,
};

/// Bytes of an id in a statement.
const ID_BYTES: usize = 24;
/// Bytes of a row besides its texts.
const ROW_BYTES: usize = 350;

/// What identifies a message within its account: a digest.
pub type Identity = [u8; 32];

/// A name and an address, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The display name; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The address as written.
    pub address: String,
}

/// Whom a message is for: the column `recipients`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipients {
    /// `To`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Mailbox>,
    /// `Cc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Mailbox>,
    /// `Bcc`: seen in one's own sent mail and drafts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<Mailbox>,
    /// `Reply-To`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<Mailbox>,
}

impl Message {
    /// Whom it is for.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]
    pub fn all_recipients(&self) -> Result<Recipients, StoreError> {
        Recipients::deserialize(&self.recipients).map_err(|error| StoreError::Damaged {
            what: "recipients",
            reason: error.to_string(),
        })
    }
}

/// A message that is not stored yet. Texts hold no NUL.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its id, chosen by the caller, so that its locations and events can name it.
    pub id: MessageId,
    /// What identifies it within its account.
    pub identity: Identity,
    /// `Message-ID`, without angle brackets.
    pub message_id_header: Option<String>,
    /// First id of `In-Reply-To`, without angle brackets.
    pub in_reply_to: Option<String>,
    /// Ids of `References`, oldest first, without angle brackets.
    pub references: Vec<String>,
    /// `Subject`, decoded.
    pub subject: String,
    /// Name of the first author.
    pub from_name: String,
    /// Address of the first author.
    pub from_address: String,
    /// Whom it is for.
    pub recipients: Recipients,
    /// `Date`: the sender's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the server received it.
    pub received_at: DateTime<Utc>,
    /// First words of the text.
    pub snippet: String,
    /// Whether it has attachments.
    pub has_attachments: bool,
    /// Why it could not be understood, if it could not.
    pub quarantine_cause: Option<String>,
    /// Where its raw bytes lie in the batch's pack.
    pub frame: Frame,
}

impl NewMessage {
    /// About how many bytes its row takes in a statement.
    fn bytes(&self) -> usize {
        let texts = [
            self.message_id_header.as_ref(),
            self.in_reply_to.as_ref(),
            Some(&self.subject),
            Some(&self.snippet),
            Some(&self.from_name),
            Some(&self.from_address),
        ];
        let people = [
            &self.recipients.to,
            &self.recipients.cc,
            &self.recipients.bcc,
            &self.recipients.reply_to,
        ];
        ROW_BYTES
            + texts.into_iter().flatten().map(String::len).sum::<usize>()
            + self.references.iter().map(|id| id.len() + 1).sum::<usize>()
            + people
                .into_iter()
                .flatten()
                .map(|person| person.name.len() + person.address.len() + 30)
                .sum::<usize>()
    }
}

/// A batch of messages of one folder: what is new, and where everything lies.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The account.
    pub account_id: AccountId,
    /// The folder.
    pub folder_id: FolderId,
    /// The folder's UIDVALIDITY.
    pub uid_validity: i64,
    /// Holds exactly the new messages; `None` when there are none.
    pub pack: Option<StoredPack>,
    /// Messages that were not known before.
    pub new: Vec<NewMessage>,
    /// Where new and known messages lie.
    pub locations: Vec<NewLocation>,
}

/// The stored messages with one of these identities.
///
/// # Errors
/// When the database refuses.
pub async fn known(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    identities: &[Identity],
) -> Result<HashMap<Identity, MessageId>, StoreError> {
    let mut known = HashMap::new();
    for chunk in identities.chunks(sql::rows_per_statement(db, size_of::<Identity>() + 8)) {
        let rows: Vec<(Vec<u8>, MessageId)> = message::Entity::find()
            .filter(message::Column::AccountId.eq(account_id))
            .filter(message::Column::Identity.is_in(chunk.iter().map(|identity| identity.to_vec())))
            .select_only()
            .columns([message::Column::Identity, message::Column::Id])
            .into_tuple()
            .all(db)
            .await?;
        for (identity, id) in rows {
            let identity = Identity::try_from(identity).map_err(|_| StoreError::Damaged {
                what: "message",
                reason: format!("the identity of {id} has not 32 bytes"),
            })?;
            known.insert(identity, id);
        }
    }
    Ok(known)
}

/// Stores a batch: pack, messages and locations, each in statements of hundreds of rows.
///
/// # Errors
/// [`StoreError::AlreadyExists`] when one of the new identities has become known since it was asked for, and
/// [`StoreError::Outdated`] when a known one has gone: ask again, pack anew, and delete the pack that was made in vain.
pub async fn record_batch(tx: &Tx, batch: Batch) -> Result<(), StoreError> {
    if let Some(pack) = &batch.pack {
        pack.insert(tx).await?;
        insert(tx, batch.account_id, pack.id, batch.new).await?;
    }
    keep(tx, batch.locations.iter().map(|location| location.message_id)).await?;
    locations::insert(
        tx,
        batch.account_id,
        batch.folder_id,
        batch.uid_validity,
        batch.locations,
    )
    .await
    .map_err(|error| match &error {
        StoreError::Database(cause)
            if matches!(cause.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))) =>
        {
            StoreError::outdated("a message of folder", batch.folder_id)
        }
        _ => error,
    })
}

async fn insert(
    tx: &Tx,
    account_id: AccountId,
    pack_id: PackId,
    new: Vec<NewMessage>,
) -> Result<(), StoreError> {
    let now = tx.store().clock().now();
    let mut rest = new;
    while !rest.is_empty() {
        let count = fitting(tx, &rest);
        let rows = rest
            .drain(..count)
            .map(|message| to_row(account_id, pack_id, now, message));
        message::Entity::insert_many(rows)
            .exec_without_returning(tx.db())
            .await
            .map_err(|error| StoreError::on_duplicate(error, "message", "identity"))?;
    }
    Ok(())
}

/// How many of the first messages go into one statement.
fn fitting(tx: &Tx, messages: &[NewMessage]) -> usize {
    let mut widest: usize = 0;
    messages
        .iter()
        .enumerate()
        .take_while(|(before, message)| {
            widest = Ord::max(widest, message.bytes());
            *before < sql::rows_per_statement(tx.db(), widest)
        })
        .count()
        .max(1)
}

fn to_row(
    account_id: AccountId,
    pack_id: PackId,
    now: DateTime<Utc>,
    new: NewMessage,
) -> message::ActiveModel {
    message::ActiveModel {
        id: Set(new.id),
        account_id: Set(account_id),
        identity: Set(new.identity.to_vec()),
        message_id_header: Set(new.message_id_header),
        in_reply_to: Set(new.in_reply_to),
        references_header: Set((!new.references.is_empty()).then(|| new.references.join(" "))),
        subject: Set(new.subject),
        from_name: Set(new.from_name),
        from_address: Set(new.from_address),
        // Cannot fail: the map has string keys.
        recipients: Set(serde_json::to_value(&new.recipients).unwrap_or_default()),
        sent_at: Set(new.sent_at),
        received_at: Set(new.received_at),
        size: Set(new.frame.size.cast_signed()),
        snippet: Set(new.snippet),
        has_attachments: Set(new.has_attachments),
        quarantine_cause: Set(new.quarantine_cause),
        pack_id: Set(pack_id),
        pack_offset: Set(new.frame.offset.cast_signed()),
        pack_length: Set(new.frame.length.cast_signed()),
        digest: Set(new.frame.digest.to_vec()),
        created_at: Set(now),
        erase_requested_at: Set(None),
    }
}

/// What lies in a folder (again) is not erased.
async fn keep(tx: &Tx, ids: impl Iterator<Item = MessageId>) -> Result<(), StoreError> {
    let ids: Vec<_> = ids.collect();
    for chunk in ids.chunks(sql::rows_per_statement(tx.db(), ID_BYTES)) {
        message::Entity::update_many()
            .col_expr(
                message::Column::EraseRequestedAt,
                Expr::value(Option::<DateTime<Utc>>::None),
            )
            .filter(message::Column::Id.is_in(chunk.iter().copied()))
            .filter(message::Column::EraseRequestedAt.is_not_null())
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// Marks messages as to be erased; [`crate::erasure::erase_messages`] does it. Until then they are not listed any more.
///
/// # Errors
/// When the database refuses.
pub async fn request_erasure(tx: &Tx, ids: &[MessageId]) -> Result<(), StoreError> {
    let now = tx.store().clock().now();
    for chunk in ids.chunks(sql::rows_per_statement(tx.db(), ID_BYTES)) {
        message::Entity::update_many()
            .col_expr(message::Column::EraseRequestedAt, Expr::value(now))
            .filter(message::Column::Id.is_in(chunk.iter().copied()))
            .filter(message::Column::EraseRequestedAt.is_null())
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// Messages of an account that lie in no folder and are not marked as to be erased: what a folder with a new
/// UIDVALIDITY did not bring back.
///
/// # Errors
/// When the database refuses.
pub async fn without_location(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    limit: u64,
) -> Result<Vec<MessageId>, StoreError> {
    let located = location::Entity::find()
        .select_only()
        .column(location::Column::MessageId)
        .filter(
            Expr::col((location::Entity, location::Column::MessageId))
                .equals((message::Entity, message::Column::Id)),
        )
        .into_query();
    Ok(message::Entity::find()
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::EraseRequestedAt.is_null())
        .filter(Expr::exists(located).not())
        .limit(limit)
        .select_only()
        .column(message::Column::Id)
        .into_tuple()
        .all(db)
        .await?)
}

/// Which messages to list.
#[derive(Debug, Clone, Copy)]
pub struct MessageFilter {
    /// Of this account: the caller has made sure whose it is.
    pub account_id: AccountId,
    /// Only in this folder.
    pub folder_id: Option<FolderId>,
    /// Only older than this message: where the previous page ended.
    pub before: Option<(DateTime<Utc>, MessageId)>,
    /// At most so many.
    pub limit: u64,
}

/// Messages, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(db: &impl ConnectionTrait, filter: &MessageFilter) -> Result<Vec<Message>, StoreError> {
    Ok(newest_first(filter)
        .limit(filter.limit.clamp(1, 1000))
        .all(db)
        .await?)
}

/// A search looks at so many messages and no further.
pub const SEARCHED_AT_MOST: u64 = 20_000;

/// Messages whose subject or sender contains a text, newest first, among the first [`SEARCHED_AT_MOST`] that the filter
/// takes. Upper and lower case are the same: on PostgreSQL in every script, on SQLite of ASCII letters.
///
/// # Errors
/// When the database refuses.
pub async fn search(
    db: &impl ConnectionTrait,
    filter: &MessageFilter,
    text: &str,
) -> Result<Vec<Message>, StoreError> {
    use message::Column;
    let looked_at = newest_first(filter)
        .select_only()
        .column(Column::Id)
        .limit(SEARCHED_AT_MOST)
        .into_query();
    // As it was typed, too: SQLite's lower() leaves an Ö as it is.
    let patterns = [text.to_lowercase(), text.to_owned()].map(|text| containing(&text));
    let mut matches = Condition::any();
    for column in [Column::Subject, Column::FromName, Column::FromAddress] {
        let lower = Func::lower(Expr::col((message::Entity, column)));
        matches = matches
            .add(Expr::expr(lower).like(patterns[0].clone()))
            .add(Expr::col((message::Entity, column)).like(patterns[1].clone()));
    }
    Ok(message::Entity::find()
        .filter(Column::Id.in_subquery(looked_at))
        .filter(matches)
        .order_by_desc(Column::ReceivedAt)
        .order_by_desc(Column::Id)
        .limit(filter.limit.clamp(1, 1000))
        .all(db)
        .await?)
}

/// The pattern of what contains a text; what means something in a pattern means itself.
fn containing(text: &str) -> LikeExpr {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('!')
}

fn newest_first(filter: &MessageFilter) -> Select<message::Entity> {
    use message::Column;
    let mut query = message::Entity::find()
        .filter(Column::AccountId.eq(filter.account_id))
        .filter(Column::EraseRequestedAt.is_null());
    if let Some(folder_id) = filter.folder_id {
        let here = location::Entity::find()
            .select_only()
            .column(location::Column::Uid)
            .filter(location::Column::FolderId.eq(folder_id))
            .filter(
                Expr::col((location::Entity, location::Column::MessageId))
                    .equals((message::Entity, Column::Id)),
            )
            .into_query();
        query = query.filter(Expr::exists(here));
    }
    if let Some((time, id)) = filter.before {
        query = query.filter(
            Column::ReceivedAt
                .lt(time)
                .or(Column::ReceivedAt.eq(time).and(Column::Id.lt(id))),
        );
    }
    query.order_by_desc(Column::ReceivedAt).order_by_desc(Column::Id)
}

/// One message, whoever it belongs to: for the services themselves.
///
/// # Errors
/// [`StoreError::NotFound`]
pub async fn find(db: &impl ConnectionTrait, id: MessageId) -> Result<Message, StoreError> {
    message::Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("message", id))
}

/// A message of a tenant; with a person named, of that person's accounts only.
///
/// # Errors
/// [`StoreError::NotFound`], also when it belongs to somebody else or is about to be erased.
pub async fn find_owned(
    db: &impl ConnectionTrait,
    tenant_id: TenantId,
    user_ref: Option<&str>,
    id: MessageId,
) -> Result<Message, StoreError> {
    let mut owned = account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::TenantId.eq(tenant_id));
    if let Some(user_ref) = user_ref {
        owned = owned.filter(account::Column::UserRef.eq(user_ref));
    }
    message::Entity::find_by_id(id)
        .filter(message::Column::AccountId.in_subquery(owned.into_query()))
        .filter(message::Column::EraseRequestedAt.is_null())
        .one(db)
        .await?
        .ok_or_else(|| StoreError::not_found("message", id))
}

/// The messages of an account with that Message-ID, newest first. Senders repeat ids, so there may be several.
///
/// # Errors
/// When the database refuses.
pub async fn by_message_id_header(
    db: &impl ConnectionTrait,
    account_id: AccountId,
    message_id_header: &str,
) -> Result<Vec<Message>, StoreError> {
    Ok(message::Entity::find()
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::MessageIdHeader.eq(message_id_header))
        .filter(message::Column::EraseRequestedAt.is_null())
        .order_by_desc(message::Column::ReceivedAt)
        .limit(100)
        .all(db)
        .await?)
}

/// How many messages an account has.
///
/// # Errors
/// When the database refuses.
pub async fn count(db: &impl ConnectionTrait, account_id: AccountId) -> Result<u64, StoreError> {
    Ok(message::Entity::find()
        .filter(message::Column::AccountId.eq(account_id))
        .filter(message::Column::EraseRequestedAt.is_null())
        .count(db)
        .await?)
}
