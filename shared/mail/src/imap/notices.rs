//! What a server tells of the selected folder without having been asked.

use imap_proto::{MailboxDatum, Response};

/// What changed in the selected folder without having been asked for. Nothing is lost: it adds up until it is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// How many messages there are now, if that was told.
    pub exists: Option<u32>,
    /// How many messages were expunged (EXPUNGE and VANISHED).
    pub expunged: u64,
    /// Flags of some message changed.
    pub flags: bool,
}

impl Notices {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is known of the selected folder between commands.
#[derive(Debug, Default)]
pub(super) struct FolderWatch {
    /// What nobody has taken yet.
    pub(super) notices: Notices,
    /// Messages in the folder, as far as the server told.
    pub(super) exists: u32,
    /// How many messages went since the session began; grows only.
    pub(super) expunges: u64,
}

impl FolderWatch {
    /// Looks at an untagged response; `wanted` says that it is (also) the answer to a command.
    pub(super) fn note(&mut self, response: &Response<'_>, wanted: bool) {
        match response {
            Response::MailboxData(MailboxDatum::Exists(count)) => {
                self.exists = *count;
                self.notices.exists = Some(*count);
            }
            Response::Expunge(_) => self.gone(1),
            Response::Vanished { earlier: false, uids } => {
                let count = uids
                    .iter()
                    .map(|range| u64::from(range.end().saturating_sub(*range.start())) + 1)
                    .sum();
                self.gone(count);
            }
            Response::Fetch(..) if !wanted => self.notices.flags = true,
            _ => {}
        }
    }

    fn gone(&mut self, count: u64) {
        self.notices.expunged = self.notices.expunged.saturating_add(count);
        self.expunges = self.expunges.saturating_add(count);
        self.exists = self
            .exists
            .saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
    }
}
