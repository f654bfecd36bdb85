//! Looking at one folder: what is new, what changed, what is gone.

use postroom_events::FolderId;
use postroom_mail::imap::{ModSeq, Notices, Selected};
use postroom_store::{
    Folder,
    folders::{self, CursorUpdate},
    locations,
};

use super::{MailboxSync, flags::FlagLook, new_mail::Expected, open::Opening};
use crate::step_error::StepError;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// At what the server says has changed.
    Changes,
    /// At every UID and every flag.
    Everything,
}

/// What to look at.
#[derive(Debug, Clone, Copy)]
struct Looks {
    new: Option<Expected>,
    flags: Option<FlagLook>,
    gone: bool,
    /// How many messages there are now.
    messages: i64,
}

impl MailboxSync<'_> {
    /// INBOX goes before everything else.
    pub(super) async fn look_at_inbox(&mut self) -> Result<(), StepError> {
        let Some(inbox) = self.folders.inbox() else {
            return Ok(());
        };
        if self.open == Some(inbox) {
            if !std::mem::take(&mut self.listened) {
                self.session.noop().await?;
            }
            return self.visit(inbox, Depth::Changes).await;
        }
        if self.has_changed(inbox).await? {
            self.visit(inbox, Depth::Changes).await?;
        }
        Ok(())
    }

    /// Looks at a folder, and takes over what it finds.
    #[tracing::instrument(name = "imap.visit", skip_all, fields(folder.id = %id))]
    pub(super) async fn visit(&mut self, id: FolderId, depth: Depth) -> Result<(), StepError> {
        let opening = self.open(id).await?;
        let looks = match opening {
            Opening::Unusable => return Ok(()),
            Opening::Fresh(selected) => self.looks_at_opened(id, &selected).await?,
            Opening::Already => self.looks_by_notices(id)?,
        };
        let everything = depth == Depth::Everything;
        if let Some(expected) = looks.new {
            self.fetch_new(id, expected).await?;
        }
        let flags = if everything {
            Some(FlagLook::All)
        } else {
            looks.flags
        };
        if let Some(flags) = flags {
            self.compare_flags(id, flags).await?;
        }
        if looks.gone || everything {
            self.compare_uids(id).await?;
        }
        self.note_count(id, looks.messages).await
    }

    async fn looks_at_opened(&mut self, id: FolderId, selected: &Selected) -> Result<Looks, StepError> {
        let row = self.folders.get(id)?.row.clone();
        let first_unknown = row.uid_next.unwrap_or(1);
        let new = match selected.uid_next {
            Some(uid) if i64::from(uid.get()) > first_unknown => {
                Some(Expected::AtMost(i64::from(uid.get()) - first_unknown))
            }
            Some(_) => None,
            None => Some(Expected::Unknown),
        };
        Ok(Looks {
            new,
            flags: flag_look(&row, selected.highest_mod_seq),
            // During the first sync the counts differ anyway.
            gone: row.backfill_completed_at.is_some() && self.counts_differ(&row, selected.exists).await?,
            messages: selected.exists.into(),
        })
    }

    async fn counts_differ(&mut self, row: &Folder, exists: u32) -> Result<bool, StepError> {
        let Some(uid_validity) = row.uid_validity else {
            return Ok(false);
        };
        let stored = locations::count(self.fetcher.store.read(), row.id, uid_validity).await?;
        Ok(stored != u64::from(exists))
    }

    fn looks_by_notices(&mut self, id: FolderId) -> Result<Looks, StepError> {
        let Notices {
            exists,
            expunged,
            flags,
        } = self.session.take_notices();
        let before = self.folders.get(id)?.row.messages_on_server;
        Ok(Looks {
            new: exists.map(|_| Expected::Few),
            flags: flags.then_some(FlagLook::Recent),
            gone: expunged > 0,
            messages: match exists {
                Some(exists) => exists.into(),
                None => (before - expunged.cast_signed()).max(0),
            },
        })
    }

    async fn note_count(&mut self, id: FolderId, messages: i64) -> Result<(), StepError> {
        if self.folders.get(id)?.row.messages_on_server == messages {
            return Ok(());
        }
        let tx = self.fetcher.guarded(&self.lease, "imap.note_count").await?;
        let update = CursorUpdate {
            messages_on_server: Some(messages),
            ..CursorUpdate::default()
        };
        folders::advance(&tx, id, update).await?;
        tx.commit().await?;
        self.folders.get_mut(id)?.row.messages_on_server = messages;
        Ok(())
    }
}

/// Which flags to look at in a folder that was opened: those that changed, where the server can tell, else the newest.
fn flag_look(row: &Folder, now: Option<ModSeq>) -> Option<FlagLook> {
    match (row.highest_modseq, now) {
        (Some(before), Some(now)) if now.0.cast_signed() == before => None,
        (Some(before), Some(now)) if now.0.cast_signed() > before => Some(FlagLook::Since {
            before,
            now: now.0.cast_signed(),
        }),
        // It went back: nothing that was said before can be relied on.
        (Some(_), Some(_)) => Some(FlagLook::All),
        _ => Some(FlagLook::Recent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_events::AccountId;

    fn row(highest_modseq: Option<i64>) -> Folder {
        Folder {
            id: FolderId::generate(),
            account_id: AccountId::generate(),
            name: "INBOX".into(),
            delimiter: None,
            role: None,
            selectable: true,
            synced: true,
            uid_validity: Some(1),
            uid_next: Some(1),
            first_uid_next: Some(1),
            highest_modseq,
            backfill_below_uid: None,
            backfill_completed_at: None,
            messages_on_server: 0,
            last_scan_at: None,
            resets: 0,
            created_at: chrono::DateTime::UNIX_EPOCH,
            gone_at: None,
        }
    }

    #[test]
    fn a_sequence_that_goes_back_is_not_believed() {
        let look = |before, now: Option<u64>| flag_look(&row(before), now.map(ModSeq));
        assert_eq!(look(Some(5), Some(5)), None);
        assert_eq!(
            look(Some(5), Some(7)),
            Some(FlagLook::Since { before: 5, now: 7 })
        );
        assert_eq!(look(Some(5), Some(4)), Some(FlagLook::All));
        assert_eq!(look(None, Some(4)), Some(FlagLook::Recent));
        assert_eq!(look(Some(5), None), Some(FlagLook::Recent));
    }
}
