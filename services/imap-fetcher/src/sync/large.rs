//! A message that is too large to be fetched among others: alone, in pieces.

use std::num::NonZeroU32;

use bytes::BytesMut;
use postroom_events::FolderId;
use postroom_mail::imap::{FetchSettings, FetchedMessage, Uid, UidSet};

use super::{
    MailboxSync,
    commit::Committer,
    intake::{Kind, RawBatch},
    prepare,
};
use crate::step_error::StepError;

/// Bytes of one piece.
const PIECE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1024 * 1024 - 1);
/// Of a message that is larger than what is kept, so much is kept.
const BEGINNING: usize = 1024 * 1024;

impl MailboxSync<'_> {
    /// Takes one large message in. Of one that is larger than what is allowed, the beginning.
    #[tracing::instrument(name = "imap.fetch_large", skip_all)]
    pub(super) async fn take_in_large(
        &mut self,
        id: FolderId,
        uid: Uid,
        kind: Kind,
    ) -> Result<(), StepError> {
        // One at a time in this process, whatever its size.
        let fetcher = self.fetcher;
        let _turn = fetcher
            .large
            .acquire()
            .await
            .map_err(|error| StepError::Crashed(error.to_string()))?;
        let Some(mut message) = self.without_body(uid).await? else {
            return Ok(());
        };
        let whole = self.body(&mut message).await?;
        let row = self.folders.get(id)?.row.clone();
        let mut committer = Committer::new(fetcher, self.lease, &self.account, row, kind, self.metadata());
        let preparer = committer.preparer();
        let prepared = if whole {
            let batch = RawBatch {
                messages: vec![message],
                completes: None,
            };
            prepare::prepare(&preparer, batch).await?
        } else {
            tracing::warn!("A message is larger than what is kept of one; its beginning is kept");
            let parsed = prepare::too_large(message, fetcher.store.clock().now());
            prepare::resolve(&preparer, std::sync::Arc::new(vec![parsed]), None).await?
        };
        committer.commit(prepared).await?;
        (self.account.messages_done, self.account.messages_total) = committer.progress();
        Ok(())
    }

    /// All that is told of a message besides its body; `None` when it is gone.
    async fn without_body(&mut self, uid: Uid) -> Result<Option<FetchedMessage>, StepError> {
        let settings = FetchSettings {
            in_flight: 1,
            body_limit: Some(NonZeroU32::MIN),
        };
        let mut fetch = self.session.fetch_messages([UidSet::one(uid)], settings);
        let mut found = None;
        while let Some(message) = fetch.next().await? {
            found = Some(message);
        }
        Ok(found)
    }

    /// Reads the body into the message. Gives whether it is all of it.
    async fn body(&mut self, message: &mut FetchedMessage) -> Result<bool, StepError> {
        let largest = self.fetcher.settings.largest_message;
        let mut raw = BytesMut::new();
        let mut pieces = self.session.body_pieces(message.uid, 0, PIECE);
        while let Some(piece) = pieces.next().await? {
            raw.extend_from_slice(&piece);
            if raw.len() as u64 > largest {
                raw.truncate(BEGINNING);
                message.raw = bytes::Bytes::copy_from_slice(&raw);
                return Ok(false);
            }
        }
        message.raw = raw.freeze();
        message.complete = true;
        Ok(true)
    }
}
