//! Flags: what other clients have changed.

use postroom_events::{FolderId, MessageFlagsChanged};
use postroom_mail::imap::{Flags, MessageFlags, ModSeq, Uid, UidSet};
use postroom_store::{
    events,
    folders::{self, CursorUpdate},
    locations::{self, ServerFlags, join_flags},
};

use super::MailboxSync;
use crate::step_error::StepError;

/// So many of the newest messages are looked at where the server cannot tell what changed.
const RECENT: u32 = 300;
/// UIDs in one command, where all are looked at.
const WINDOW: usize = 5_000;
/// Changes in one event.
const EVENT_CHANGES: usize = 500;

/// Which flags to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlagLook {
    /// Those that changed (RFC 7162).
    Since {
        /// After this modification sequence, ...
        before: i64,
        /// ... up to this one.
        now: i64,
    },
    /// Those that changed, where the server can tell, else the newest messages'.
    Recent,
    /// All.
    All,
}

/// Flags as they are stored.
pub(super) fn stored_flags(flags: &Flags) -> String {
    join_flags(flags.iter().map(|flag| flag.as_wire()))
}

impl MailboxSync<'_> {
    /// Takes over flags in the open folder.
    #[tracing::instrument(name = "imap.flags", skip_all)]
    pub(super) async fn compare_flags(&mut self, id: FolderId, look: FlagLook) -> Result<(), StepError> {
        let row = &self.folders.get(id)?.row;
        let known = row
            .highest_modseq
            .filter(|_| self.session.capabilities().has("CONDSTORE"));
        match (look, known) {
            (FlagLook::Since { before, now }, _) => self.flags_since(id, before, Some(now)).await,
            (FlagLook::Recent, Some(before)) => self.flags_since(id, before, None).await,
            (FlagLook::Recent, None) => {
                let next = u32::try_from(row.uid_next.unwrap_or(1)).unwrap_or(u32::MAX);
                let Some(first) = Uid::new(next.saturating_sub(RECENT).max(1)) else {
                    return Ok(());
                };
                let flags = self.session.fetch_flags(&UidSet::starting_at(first)).await?;
                self.take_flags(id, flags, None).await
            }
            (FlagLook::All, _) => self.all_flags(id).await,
        }
    }

    async fn flags_since(&mut self, id: FolderId, before: i64, now: Option<i64>) -> Result<(), StepError> {
        let since = ModSeq(before.unsigned_abs());
        let flags = self
            .session
            .fetch_flags_changed_since(&UidSet::all(), since)
            .await?;
        let seen = flags
            .iter()
            .filter_map(|flags| flags.mod_seq)
            .map(|number| number.0.cast_signed())
            .max();
        let reached = now.max(seen).filter(|reached| *reached > before);
        self.take_flags(id, flags, reached).await
    }

    /// Every flag, window by window.
    async fn all_flags(&mut self, id: FolderId) -> Result<(), StepError> {
        let row = &self.folders.get(id)?.row;
        let Some(uid_validity) = row.uid_validity else {
            return Ok(());
        };
        let stored = locations::uids(self.fetcher.store.read(), id, uid_validity).await?;
        let mut reached = None;
        for window in stored.chunks(WINDOW) {
            let uids: UidSet = window.iter().filter_map(|uid| to_uid(*uid)).collect();
            let flags = self.session.fetch_flags(&uids).await?;
            let seen = flags
                .iter()
                .filter_map(|flags| flags.mod_seq)
                .map(|number| number.0.cast_signed())
                .max();
            reached = reached.max(seen);
            self.take_flags(id, flags, None).await?;
        }
        self.take_flags(id, Vec::new(), reached).await
    }

    async fn take_flags(
        &mut self,
        id: FolderId,
        flags: Vec<MessageFlags>,
        reached: Option<i64>,
    ) -> Result<(), StepError> {
        let row = &self.folders.get(id)?.row;
        let Some(uid_validity) = row
            .uid_validity
            .filter(|_| !flags.is_empty() || reached.is_some())
        else {
            return Ok(());
        };
        let server: Vec<_> = flags
            .iter()
            .map(|flags| ServerFlags {
                uid: flags.uid.get().into(),
                flags: stored_flags(&flags.flags),
                modseq: flags.mod_seq.map(|number| number.0.cast_signed()),
            })
            .collect();
        let tx = self.fetcher.guarded(&self.lease, "imap.take_flags").await?;
        let changes = locations::update_flags(&tx, id, uid_validity, &server).await?;
        let told: Vec<_> = changes
            .chunks(EVENT_CHANGES)
            .map(|changes| {
                MessageFlagsChanged {
                    account_id: self.account.id,
                    folder_id: id,
                    changes: changes.to_vec(),
                }
                .into()
            })
            .collect();
        events::append(&tx, &self.metadata(), told).await?;
        let update = CursorUpdate {
            highest_modseq: reached.map(Some),
            ..CursorUpdate::default()
        };
        folders::advance(&tx, id, update).await?;
        tx.commit().await?;
        if reached.is_some() {
            self.folders.get_mut(id)?.row.highest_modseq = reached;
        }
        Ok(())
    }
}

/// A stored UID as IMAP has it.
pub(super) fn to_uid(stored: i64) -> Option<Uid> {
    u32::try_from(stored).ok().and_then(Uid::new)
}
