//! Whole messages, one at a time, in memory that does not grow with the folder.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroU32;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use imap_proto::Response;

use super::error::{ImapError, ImapErrorKind};
use super::fetch::{Attributes, MAX_SET_TEXT};
use super::flag::Flags;
use super::session::ImapSession;
use super::uid::{ModSeq, Uid, UidSet};
use super::wire::{Event, Tag};

/// How messages are fetched.
#[derive(Clone, Copy, Debug)]
pub struct FetchSettings {
    /// How many commands may be under way at once. Two hide the time of a round trip; more only help on very long
    /// ways.
    pub in_flight: usize,
    /// The most bytes of each message; a longer one comes as its beginning, with
    /// [`FetchedMessage::complete`] unset. `None` asks for whole messages; then one above
    /// [`ImapLimits::literal`](super::ImapLimits::literal) ends the session.
    pub body_limit: Option<NonZeroU32>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            in_flight: 2,
            body_limit: NonZeroU32::new(8 * 1024 * 1024),
        }
    }
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct FetchedMessage {
    /// Its UID in the selected folder.
    pub uid: Uid,
    /// Its flags; `None` when the server left them out.
    pub flags: Option<Flags>,
    /// When it arrived; `None` when the server left it out or wrote it in no known form.
    pub internal_date: Option<DateTime<Utc>>,
    /// RFC822.SIZE, in bytes: what the server says, which need not be true.
    pub size: Option<u32>,
    /// Its modification sequence, where the folder keeps them.
    pub mod_seq: Option<ModSeq>,
    /// The server's own name for the message, which stays when it moves.
    pub server_id: Option<ServerMessageId>,
    /// Its raw source, or the beginning of it.
    pub raw: Bytes,
    /// Whether `raw` is all of it; if not, go on with [`ImapSession::body_pieces`].
    pub complete: bool,
}

/// A name that a server gives to a message over all folders.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerMessageId {
    /// X-GM-MSGID.
    Gmail(u64),
    /// EMAILID (RFC 8474).
    EmailId(String),
}

/// A fetch under way. Call [`MessageFetch::next`] until it gives `None`. Dropped before that, it leaves the session
/// unusable; to stop in order, call [`MessageFetch::finish_early`] and read the rest.
#[derive(Debug)]
pub struct MessageFetch<'s> {
    session: &'s mut ImapSession,
    settings: FetchSettings,
    items: String,
    waiting: VecDeque<UidSet>,
    under_way: VecDeque<(Tag, UidSet)>,
    /// What was answered to its end, and not taken yet.
    completed: Vec<UidSet>,
    /// What was handed out: some servers send a message twice.
    seen: HashSet<Uid>,
    /// The first refusal, told when everything under way has been read.
    refusal: Option<ImapError>,
}

impl ImapSession {
    /// Fetches the messages of `batches`, begun in their order; with several in flight a server may mix their answers.
    /// Nothing marks a message as read.
    ///
    /// Plan a batch by count and bytes (a few hundred messages, a few megabytes): each is one command, and
    /// [`MessageFetch::finish_early`] ends between commands.
    pub fn fetch_messages(
        &mut self,
        batches: impl IntoIterator<Item = UidSet>,
        settings: FetchSettings,
    ) -> MessageFetch<'_> {
        let mut items = String::from("(UID FLAGS INTERNALDATE RFC822.SIZE");
        if self.condstore {
            items.push_str(" MODSEQ");
        }
        if self.offered.has("OBJECTID") {
            items.push_str(" EMAILID");
        }
        if self.offered.has("X-GM-EXT-1") {
            items.push_str(" X-GM-MSGID");
        }
        items.push_str(" BODY.PEEK[]");
        if let Some(limit) = settings.body_limit {
            items.push_str(&format!("<0.{limit}>"));
        }
        items.push(')');
        let waiting = batches
            .into_iter()
            .flat_map(|batch| batch.split(MAX_SET_TEXT))
            .collect();
        MessageFetch {
            session: self,
            settings,
            items,
            waiting,
            under_way: VecDeque::new(),
            completed: Vec::new(),
            seen: HashSet::new(),
            refusal: None,
        }
    }
}

impl MessageFetch<'_> {
    /// The next message; `None` when all have come. Messages that are gone are left out: compare with what was asked
    /// for. May be dropped while it waits for the server and called again; dropped while it sends, it leaves the session
    /// unusable.
    ///
    /// # Errors
    /// A refusal comes after the messages that the server did send, and leaves the session usable; anything else ends
    /// the session.
    pub async fn next(&mut self) -> Result<Option<FetchedMessage>, ImapError> {
        loop {
            self.send_waiting().await?;
            let wait = self.session.wire.limits.slow_response_time;
            if self.under_way.is_empty() {
                return self.refusal.take().map_or(Ok(None), Err);
            }
            let mut found = None;
            let received = {
                let (under_way, seen) = (&self.under_way, &self.seen);
                self.session.wire.receive("UID FETCH", wait, |response| {
                    let Response::Fetch(_, attributes) = response else {
                        return false;
                    };
                    let attributes = Attributes::read(attributes);
                    let asked =
                        |uid: Uid| under_way.iter().any(|(_, set)| set.contains(uid)) && !seen.contains(&uid);
                    if !attributes.has_body || !attributes.uid.is_some_and(asked) {
                        return false;
                    }
                    found = Some(attributes);
                    true
                })
            };
            match received.await? {
                (Event::Untagged, Some(raw)) => {
                    if let Some(message) = found.and_then(|attributes| self.message(attributes, raw)) {
                        self.seen.insert(message.uid);
                        return Ok(Some(message));
                    }
                }
                (Event::Untagged, None) => {}
                (Event::Continue(_), _) => {
                    let what = "a continuation request in UID FETCH".into();
                    return Err(self.session.wire.broken(ImapErrorKind::Protocol { what }));
                }
                (Event::Done(text, ending), _) => {
                    // A server may work on commands at the same time (RFC 3501 section 5.5); Dovecot does, and answers
                    // get mixed.
                    let done = self.under_way.iter().position(|(tag, _)| tag.is(&text));
                    let Some((tag, set)) = self.under_way.remove(done.unwrap_or(0)) else {
                        continue;
                    };
                    let outcome = self.session.wire.completed(&tag, &text, ending);
                    self.seen.retain(|uid| {
                        !set.contains(*uid) || self.under_way.iter().any(|(_, s)| s.contains(*uid))
                    });
                    match outcome {
                        Ok(_) => self.completed.push(set),
                        Err(error) if error.leaves_session_usable() => {
                            // Those behind it are read; none is begun any more.
                            self.waiting.clear();
                            self.refusal.get_or_insert(error);
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    /// The sets that were answered to their end since this was last asked: whatever of them is there has been handed
    /// out. A batch whose set is too long for one command comes in several sets.
    pub fn take_completed(&mut self) -> Vec<UidSet> {
        std::mem::take(&mut self.completed)
    }

    /// Begins no further command. What is under way must still be read to its end with [`MessageFetch::next`].
    pub fn finish_early(&mut self) {
        self.waiting.clear();
    }

    async fn send_waiting(&mut self) -> Result<(), ImapError> {
        while self.under_way.len() < self.settings.in_flight.max(1) {
            // Taken away after it was sent: this future may be dropped in between (the session then knows).
            let Some(set) = self.waiting.front() else { break };
            let wire = &mut self.session.wire;
            let each = self
                .settings
                .body_limit
                .map_or(wire.limits.literal, NonZeroU32::get);
            let bodies = set
                .len()
                .unwrap_or(u64::MAX)
                .saturating_mul(u64::from(each).saturating_add(4096));
            let arguments = format!("{set} {}", self.items);
            let tag = match self.under_way.is_empty() {
                true => wire.send("UID FETCH", &arguments, bodies).await?,
                false => wire.send_behind("UID FETCH", &arguments, bodies).await?,
            };
            if let Some(set) = self.waiting.pop_front() {
                self.under_way.push_back((tag, set));
            }
        }
        Ok(())
    }

    fn message(&self, attributes: Attributes, raw: Bytes) -> Option<FetchedMessage> {
        let limit = self.settings.body_limit.map(NonZeroU32::get);
        Some(FetchedMessage {
            uid: attributes.uid?,
            flags: attributes.flags,
            internal_date: attributes.internal_date,
            size: attributes.size,
            mod_seq: attributes.mod_seq,
            server_id: match (attributes.gmail_id, attributes.email_id) {
                (Some(id), _) => Some(ServerMessageId::Gmail(id)),
                (None, Some(id)) => Some(ServerMessageId::EmailId(id)),
                (None, None) => None,
            },
            // By what came and not by what was announced: announced sizes are often wrong.
            complete: limit.is_none_or(|limit| raw.len() < limit as usize),
            raw,
        })
    }
}
