//! Which messages there are.

use std::collections::BTreeSet;

use imap_proto::{MailboxDatum, Response};

use super::error::{ImapError, ImapErrorKind};
use super::folder_name::quoted;
use super::session::ImapSession;
use super::uid::{Uid, UidSet};

/// The most messages asked for in one SEARCH. Its answer is one line, which the parser reads again from its
/// beginning with each block that arrives.
const WINDOW: u32 = 10_000;

impl ImapSession {
    /// The UIDs of all messages in the selected folder, ascending.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn all_uids(&mut self) -> Result<Vec<Uid>, ImapError> {
        let mut found = BTreeSet::new();
        if self.wire.watch.exists <= WINDOW {
            self.search("ALL", &mut found).await?;
        } else {
            self.search_by_windows(&mut found).await?;
        }
        if found.is_empty() && self.wire.watch.exists > 0 {
            // Seen with Strato after an ENABLE: the folder has messages, and a search finds none.
            tracing::warn!(server = %self.wire.endpoint, exists = self.wire.watch.exists, "The server finds no message in a folder that has some; listing by FETCH");
            self.fetch_each(&UidSet::all(), "(UID)", "", |attributes| {
                found.extend(attributes.uid);
                true
            })
            .await?;
        }
        Ok(found.into_iter().collect())
    }

    /// Walks the folder by message numbers, which are dense where UIDs need not be.
    async fn search_by_windows(&mut self, found: &mut BTreeSet<Uid>) -> Result<(), ImapError> {
        let mut first = 1;
        while first <= self.wire.watch.exists {
            let before = self.wire.watch.expunges;
            let last = first.saturating_add(WINDOW - 1).min(self.wire.watch.exists);
            self.search(&format!("{first}:{last}"), found).await?;
            // Each message that went in the meantime may have moved those behind it into the part already read.
            let gone = u32::try_from(self.wire.watch.expunges - before).unwrap_or(u32::MAX);
            first = last.saturating_add(1).saturating_sub(gone).max(1);
        }
        Ok(())
    }

    /// The messages whose Message-ID is `message_id`, with or without angle brackets as given.
    ///
    /// # Errors
    /// When it holds other than printable ASCII or is over 998 bytes ([`ImapErrorKind::Argument`]), when the server
    /// refuses or the connection is lost.
    pub async fn search_message_id(&mut self, message_id: &str) -> Result<Vec<Uid>, ImapError> {
        let printable = message_id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !printable || message_id.is_empty() || message_id.len() > 998 {
            return Err(self.wire.fail(ImapErrorKind::Argument { what: "Message-ID" }));
        }
        let mut found = BTreeSet::new();
        self.search(
            &format!("HEADER \"Message-ID\" {}", quoted(message_id)),
            &mut found,
        )
        .await?;
        Ok(found.into_iter().collect())
    }

    async fn search(&mut self, criteria: &str, found: &mut BTreeSet<Uid>) -> Result<(), ImapError> {
        let outcome = self.wire.run("UID SEARCH", criteria, |response| match response {
            Response::MailboxData(MailboxDatum::Search(numbers)) => {
                found.extend(numbers.iter().copied().filter_map(Uid::new));
                true
            }
            _ => false,
        });
        outcome.await.map(drop)
    }
}
