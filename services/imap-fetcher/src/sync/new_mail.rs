//! New mail: every UID from the folder's cursor on.

use postroom_events::FolderId;
use postroom_mail::imap::{MessageSize, Uid, UidSet};

use super::{
    MailboxSync,
    intake::{Intake, Kind, plan},
};
use crate::step_error::StepError;

/// So few are fetched without having been asked for their sizes: that saves a round trip.
const FEW: i64 = 8;
/// Of each of them so much at most; a longer one is fetched alone.
const FEW_BYTES: u32 = 1024 * 1024;

/// How many messages may be new.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// Live mail.
    Few,
    /// At most so many.
    AtMost(i64),
    /// The server does not say.
    Unknown,
}

impl MailboxSync<'_> {
    /// Fetches and stores what is new in the open folder.
    #[tracing::instrument(name = "imap.fetch_new", skip_all)]
    pub(super) async fn fetch_new(&mut self, id: FolderId, expected: Expected) -> Result<(), StepError> {
        let uid_next = self.folders.get(id)?.row.uid_next.unwrap_or(1);
        let Some(first) = super::flags::to_uid(uid_next) else {
            return Ok(());
        };
        let (sets, body_limit) = match expected {
            Expected::Few => (vec![UidSet::starting_at(first)], FEW_BYTES),
            Expected::AtMost(count) if count <= FEW => (vec![UidSet::starting_at(first)], FEW_BYTES),
            Expected::AtMost(_) | Expected::Unknown => {
                (self.plan_from(first).await?, self.fetcher.settings.whole_message)
            }
        };
        let intake = Intake {
            kind: Kind::New,
            sets,
            body_limit,
            until: None,
        };
        self.take_in(id, intake).await?;
        Ok(())
    }

    async fn plan_from(&mut self, first: Uid) -> Result<Vec<UidSet>, StepError> {
        let sizes = self.session.fetch_sizes(&UidSet::starting_at(first)).await?;
        let mut sizes: Vec<MessageSize> = sizes.into_iter().filter(|size| size.uid >= first).collect();
        sizes.sort_by_key(|size| size.uid);
        Ok(plan(&sizes, &self.fetcher.settings))
    }
}
