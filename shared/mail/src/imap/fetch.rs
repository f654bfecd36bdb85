//! Sizes, flags and pieces of messages. Whole messages are streamed: see `fetch_messages`.

use std::num::NonZeroU32;

use bytes::Bytes;
use imap_proto::{AttributeValue, Response};

use super::error::ImapError;
use super::flag::Flags;
use super::session::ImapSession;
use super::uid::{ModSeq, Uid, UidSet};
use super::wire::Event;

/// The longest UID set of one command, in bytes.
pub(super) const MAX_SET_TEXT: usize = 4000;

/// The size of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSize {
    /// The message.
    pub uid: Uid,
    /// RFC822.SIZE, in bytes: what the server says, which need not be true.
    pub size: u32,
}

/// The flags of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFlags {
    /// The message.
    pub uid: Uid,
    /// Its flags.
    pub flags: Flags,
    /// Its modification sequence, where the folder keeps them.
    pub mod_seq: Option<ModSeq>,
}

/// What one FETCH response says of a message, its body aside.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) uid: Option<Uid>,
    pub(super) flags: Option<Flags>,
    pub(super) internal_date: Option<chrono::DateTime<chrono::Utc>>,
    pub(super) size: Option<u32>,
    pub(super) mod_seq: Option<ModSeq>,
    pub(super) has_body: bool,
    pub(super) email_id: Option<String>,
    pub(super) gmail_id: Option<u64>,
}

impl Attributes {
    pub(super) fn read(attributes: &[AttributeValue<'_>]) -> Self {
        let mut read = Self::default();
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(number) => read.uid = Uid::new(*number),
                AttributeValue::Flags(flags) => read.flags = Some(Flags::from_server(flags)),
                AttributeValue::InternalDate(date) => read.internal_date = super::date::parse(date),
                AttributeValue::Rfc822Size(size) => read.size = Some(*size),
                AttributeValue::ModSeq(number) => read.mod_seq = Some(ModSeq(*number)),
                AttributeValue::BodySection { data, .. } => read.has_body = data.is_some(),
                AttributeValue::EmailId(id) => read.email_id = Some(id.clone().into_owned()),
                AttributeValue::GmailMsgId(id) => read.gmail_id = Some(*id),
                _ => {}
            }
        }
        read
    }
}

impl ImapSession {
    /// The sizes of messages, to plan a fetch by bytes. Messages that are gone are left out.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn fetch_sizes(&mut self, uids: &UidSet) -> Result<Vec<MessageSize>, ImapError> {
        let mut sizes = Vec::new();
        self.fetch_each(uids, "(UID RFC822.SIZE)", "", |attributes| {
            let (Some(uid), Some(size)) = (attributes.uid, attributes.size) else {
                return false;
            };
            sizes.push(MessageSize { uid, size });
            true
        })
        .await?;
        Ok(sizes)
    }

    /// The flags of messages. A message for which the server names no flags is left out.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn fetch_flags(&mut self, uids: &UidSet) -> Result<Vec<MessageFlags>, ImapError> {
        self.flags(uids, "").await
    }

    /// The flags of messages that changed after `since` (RFC 7162).
    ///
    /// # Errors
    /// When the folder was not opened with CONDSTORE, the server refuses or the connection is lost.
    pub async fn fetch_flags_changed_since(
        &mut self,
        uids: &UidSet,
        since: ModSeq,
    ) -> Result<Vec<MessageFlags>, ImapError> {
        self.need("CONDSTORE")?;
        self.flags(uids, &format!(" (CHANGEDSINCE {since})")).await
    }

    async fn flags(&mut self, uids: &UidSet, modifier: &str) -> Result<Vec<MessageFlags>, ImapError> {
        let items = if self.condstore {
            "(UID FLAGS MODSEQ)"
        } else {
            "(UID FLAGS)"
        };
        let mut found = Vec::new();
        self.fetch_each(uids, items, modifier, |attributes| {
            let (Some(uid), Some(flags)) = (attributes.uid, attributes.flags) else {
                return false;
            };
            found.push(MessageFlags {
                uid,
                flags,
                mod_seq: attributes.mod_seq,
            });
            true
        })
        .await?;
        Ok(found)
    }

    /// Fetches `items` and hands over each answer that is about one of `uids`; an answer that `take` does not want
    /// counts as a notice.
    pub(super) async fn fetch_each(
        &mut self,
        uids: &UidSet,
        items: &str,
        modifier: &str,
        mut take: impl FnMut(Attributes) -> bool,
    ) -> Result<(), ImapError> {
        for part in uids.split(MAX_SET_TEXT) {
            let arguments = format!("{part} {items}{modifier}");
            self.wire
                .run("UID FETCH", &arguments, |response| match response {
                    Response::Fetch(_, attributes) => {
                        let attributes = Attributes::read(attributes);
                        attributes.uid.is_some_and(|uid| uids.contains(uid)) && take(attributes)
                    }
                    _ => false,
                })
                .await?;
        }
        Ok(())
    }

    /// A message's raw source from byte `offset` on, piece by piece; for messages too large to be read at once. What
    /// the server says of the size is not believed: the message ends where a piece is shorter than asked for.
    pub fn body_pieces(&mut self, uid: Uid, offset: u32, piece: NonZeroU32) -> BodyPieces<'_> {
        BodyPieces {
            session: self,
            uid,
            offset: Some(offset),
            piece,
        }
    }

    /// One piece of a message; `None` when the message is gone.
    async fn fetch_piece(
        &mut self,
        uid: Uid,
        offset: u32,
        piece: NonZeroU32,
    ) -> Result<Option<Bytes>, ImapError> {
        let arguments = format!("{uid} (UID BODY.PEEK[]<{offset}.{piece}>)");
        let tag = self
            .wire
            .send("UID FETCH", &arguments, u64::from(piece.get()))
            .await?;
        let wait = self.wire.limits.slow_response_time;
        let mut found = None;
        loop {
            let mut wanted = false;
            let (event, body) = self
                .wire
                .receive("UID FETCH", wait, |response| {
                    if let Response::Fetch(_, attributes) = response {
                        let attributes = Attributes::read(attributes);
                        wanted = attributes.has_body && attributes.uid.is_none_or(|answered| answered == uid);
                    }
                    wanted
                })
                .await?;
            match event {
                Event::Untagged if wanted => found = body,
                Event::Untagged | Event::Continue(_) => {}
                Event::Done(text, ending) => {
                    self.wire.completed(&tag, &text, ending)?;
                    return Ok(found);
                }
            }
        }
    }
}

/// The pieces of one message. May be dropped between two pieces.
#[derive(Debug)]
pub struct BodyPieces<'s> {
    session: &'s mut ImapSession,
    uid: Uid,
    /// Where the next piece begins; `None` after the last.
    offset: Option<u32>,
    piece: NonZeroU32,
}

impl BodyPieces<'_> {
    /// The next piece; `None` after the last one, or when the message is gone.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ImapError> {
        let Some(offset) = self.offset else {
            return Ok(None);
        };
        let found = self.session.fetch_piece(self.uid, offset, self.piece).await?;
        let Some(mut bytes) = found.filter(|bytes| !bytes.is_empty()) else {
            self.offset = None;
            return Ok(None);
        };
        let asked = self.piece.get() as usize;
        self.offset = if bytes.len() < asked {
            None
        } else {
            offset.checked_add(self.piece.get())
        };
        // A server that gives more than asked for would make the next piece overlap.
        bytes.truncate(asked);
        Ok(Some(bytes))
    }
}
