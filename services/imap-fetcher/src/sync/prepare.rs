//! From raw messages to a batch that can be committed: parsed, the known ones found, the others packed and durable.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId, MessageId};
use postroom_mail::{
    imap::{FetchedMessage, ServerMessageId},
    mime::{self, IdentitySource, MailAddress, MessageHeaders, MessageSummary, ParseError},
};
use postroom_store::{
    Store,
    locations::NewLocation,
    messages::{self, Batch, Identity, Mailbox, NewMessage, Recipients},
    packs::{PackBuilder, Packs},
};

use super::{flags::stored_flags, intake::RawBatch};
use crate::step_error::StepError;

/// What preparing needs; nothing of it changes with the batches before.
pub(super) struct Preparer {
    pub(super) store: Store,
    pub(super) packs: Packs,
    pub(super) account_id: AccountId,
    pub(super) folder_id: FolderId,
    pub(super) uid_validity: i64,
}

/// A message, parsed or found not to be understood.
#[derive(Debug)]
pub(super) struct Parsed {
    uid: i64,
    flags: String,
    modseq: Option<i64>,
    received_at: DateTime<Utc>,
    identity: Identity,
    summary: Result<MessageSummary, &'static str>,
    raw: bytes::Bytes,
}

/// What is known of the messages of a batch, and what can be committed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) batch: Batch,
    /// New messages that could not be understood, and why.
    pub(super) quarantined: Vec<(MessageId, &'static str)>,
    /// New messages and their UIDs, ascending.
    pub(super) new: Vec<(i64, MessageId)>,
    pub(super) completes: Option<(i64, i64)>,
    /// Kept to prepare it once more, should the known ones change before it is committed.
    pub(super) parsed: Arc<Vec<Parsed>>,
}

/// Prepares a batch.
pub(super) async fn prepare(preparer: &Preparer, raw: RawBatch) -> Result<Prepared, StepError> {
    let completes = raw.completes;
    let now = preparer.store.clock().now();
    let parsed = off_thread(move || {
        raw.messages
            .into_iter()
            .map(|message| parse(message, now))
            .collect()
    })
    .await?;
    resolve(preparer, Arc::new(parsed), completes).await
}

/// Finds the known messages by one query, and packs the others. The pack is durable when this returns.
pub(super) async fn resolve(
    preparer: &Preparer,
    parsed: Arc<Vec<Parsed>>,
    completes: Option<(i64, i64)>,
) -> Result<Prepared, StepError> {
    let identities: Vec<Identity> = parsed.iter().map(|message| message.identity).collect();
    let known = messages::known(preparer.store.read(), preparer.account_id, &identities).await?;
    let shared = Arc::clone(&parsed);
    let packed = off_thread(move || pack(&shared, known)).await??;
    let stored = match packed.pack.is_empty() && packed.new.is_empty() {
        true => None,
        false => Some(preparer.packs.put(preparer.account_id, packed.pack).await?),
    };
    let mut new = packed.new_uids;
    new.sort_unstable();
    Ok(Prepared {
        batch: Batch {
            account_id: preparer.account_id,
            folder_id: preparer.folder_id,
            uid_validity: preparer.uid_validity,
            pack: stored,
            new: packed.new,
            locations: packed.locations,
        },
        quarantined: packed.quarantined,
        new,
        completes,
        parsed,
    })
}

/// Work for the processor, off the threads that wait for sockets.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StepError::Crashed(error.to_string()))
}

fn parse(message: FetchedMessage, now: DateTime<Utc>) -> Parsed {
    let summary = mime::parse_for_store(&message.raw).map_err(|error| quarantine_cause(&error));
    parsed(message, summary, now)
}

/// A message of which only the beginning is kept.
pub(super) fn too_large(message: FetchedMessage, now: DateTime<Utc>) -> Parsed {
    parsed(message, Err("too_large"), now)
}

fn parsed(
    message: FetchedMessage,
    summary: Result<MessageSummary, &'static str>,
    now: DateTime<Utc>,
) -> Parsed {
    let message_id = summary
        .as_ref()
        .ok()
        .and_then(|summary| summary.headers.message_id.as_deref());
    let source = match &message.server_id {
        Some(ServerMessageId::Gmail(id)) => IdentitySource::Gmail(*id),
        Some(ServerMessageId::EmailId(id)) => IdentitySource::EmailId(id),
        None => IdentitySource::Content {
            message_id,
            raw: &message.raw,
        },
    };
    Parsed {
        uid: message.uid.get().into(),
        flags: message.flags.as_ref().map(stored_flags).unwrap_or_default(),
        modseq: message.mod_seq.map(|number| number.0.cast_signed()),
        received_at: message.internal_date.unwrap_or(now),
        identity: mime::identity(source),
        summary,
        raw: message.raw,
    }
}

fn quarantine_cause(error: &ParseError) -> &'static str {
    match error {
        ParseError::Empty => "empty",
        ParseError::NoHeaders => "no_headers",
        ParseError::HeadersTooLong => "headers_too_long",
        ParseError::TooDeep => "too_deep",
        ParseError::TooManyParts => "too_many_parts",
        ParseError::ParserFailed => "parser_failed",
    }
}

struct Packed {
    pack: PackBuilder,
    new: Vec<NewMessage>,
    new_uids: Vec<(i64, MessageId)>,
    locations: Vec<NewLocation>,
    quarantined: Vec<(MessageId, &'static str)>,
}

fn pack(parsed: &[Parsed], mut known: HashMap<Identity, MessageId>) -> Result<Packed, StepError> {
    let mut packed = Packed {
        pack: PackBuilder::new()?,
        new: Vec::new(),
        new_uids: Vec::new(),
        locations: Vec::with_capacity(parsed.len()),
        quarantined: Vec::new(),
    };
    for message in parsed {
        let message_id = match known.get(&message.identity) {
            Some(id) => *id,
            None => {
                let new = new_message(message, &mut packed.pack)?;
                let id = new.id;
                // The same mail twice in one batch is one message.
                known.insert(message.identity, id);
                packed.new_uids.push((message.uid, id));
                if let Err(cause) = &message.summary {
                    packed.quarantined.push((id, cause));
                }
                packed.new.push(new);
                id
            }
        };
        packed.locations.push(NewLocation {
            uid: message.uid,
            message_id,
            flags: message.flags.clone(),
            modseq: message.modseq,
        });
    }
    Ok(packed)
}

fn new_message(message: &Parsed, pack: &mut PackBuilder) -> Result<NewMessage, StepError> {
    let empty = MessageHeaders::default();
    let (headers, snippet, has_attachments, quarantine_cause) = match &message.summary {
        Ok(summary) => (
            &summary.headers,
            summary.snippet.clone(),
            summary.attachment_count > 0,
            None,
        ),
        Err(cause) => (&empty, String::new(), false, Some((*cause).to_owned())),
    };
    let author = headers.from.first().map(mailbox);
    Ok(NewMessage {
        id: MessageId::generate(),
        identity: message.identity,
        message_id_header: headers.message_id.clone(),
        in_reply_to: headers.in_reply_to.clone(),
        references: headers.references.clone(),
        subject: headers.subject.clone(),
        from_name: author
            .as_ref()
            .map(|author| author.name.clone())
            .unwrap_or_default(),
        from_address: author.map(|author| author.address).unwrap_or_default(),
        recipients: Recipients {
            to: headers.to.iter().map(mailbox).collect(),
            cc: headers.cc.iter().map(mailbox).collect(),
            bcc: headers.bcc.iter().map(mailbox).collect(),
            reply_to: headers.reply_to.iter().map(mailbox).collect(),
        },
        sent_at: headers.date.map(postroom_retry::clock::to_microseconds),
        received_at: postroom_retry::clock::to_microseconds(message.received_at),
        snippet,
        has_attachments,
        quarantine_cause,
        frame: pack.add(&message.raw)?,
    })
}

fn mailbox(address: &MailAddress) -> Mailbox {
    Mailbox {
        name: address.name.clone().unwrap_or_default(),
        address: address.address.clone(),
    }
}
