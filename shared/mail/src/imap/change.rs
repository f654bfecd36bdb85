//! Changing messages: flags, copies, moves, deletion.

use imap_proto::Response;

use super::answer::{Completion, CompletionCode, completion_code};
use super::error::ImapError;
use super::fetch::MAX_SET_TEXT;
use super::flag::{Flag, Flags};
use super::folder_name::FolderName;
use super::session::ImapSession;
use super::uid::{Uid, UidSet, UidValidity};

/// What to do with flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagChange {
    /// Set these, leave the others.
    Add(Flags),
    /// Unset these, leave the others.
    Remove(Flags),
    /// Set these and no others.
    Replace(Flags),
}

/// Where copied or moved messages are now (COPYUID, RFC 4315), for servers that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedUids {
    /// The UIDVALIDITY of the folder that they went to.
    pub uid_validity: UidValidity,
    /// Each message's UID before, and its UID there.
    pub pairs: Vec<(Uid, Uid)>,
}

/// How a move went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveOutcome {
    /// Where the messages are now, if the server says so.
    pub copied: Option<CopiedUids>,
    /// The server could only copy: the messages are still in the old folder, marked as deleted, because the one way
    /// left to remove them (a bare EXPUNGE) would also remove what others have marked.
    pub left_marked_deleted: bool,
}

impl ImapSession {
    /// Changes flags. Read them back to see what the server made of it.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), ImapError> {
        let (sign, flags) = match change {
            FlagChange::Add(flags) => ("+", flags),
            FlagChange::Remove(flags) => ("-", flags),
            FlagChange::Replace(flags) => ("", flags),
        };
        for part in uids.split(MAX_SET_TEXT) {
            self.wire
                .run("UID STORE", &format!("{part} {sign}FLAGS.SILENT {flags}"), |_| {
                    false
                })
                .await?;
        }
        Ok(())
    }

    /// Copies messages into another folder.
    ///
    /// # Errors
    /// When the folder is not there, the server refuses or the connection is lost.
    pub async fn copy_messages(
        &mut self,
        uids: &UidSet,
        to: &FolderName,
    ) -> Result<Option<CopiedUids>, ImapError> {
        self.transfer("UID COPY", uids, to).await
    }

    /// Moves messages into another folder: by MOVE (RFC 6851), else by copy, mark and UID EXPUNGE. Never by a bare
    /// EXPUNGE.
    ///
    /// # Errors
    /// When the folder is not there, the server refuses or the connection is lost. Without MOVE a failure may come
    /// after the copy.
    pub async fn move_messages(&mut self, uids: &UidSet, to: &FolderName) -> Result<MoveOutcome, ImapError> {
        if self.offered.has("MOVE") {
            let copied = self.transfer("UID MOVE", uids, to).await?;
            return Ok(MoveOutcome {
                copied,
                left_marked_deleted: false,
            });
        }
        let copied = self.transfer("UID COPY", uids, to).await?;
        let left_marked_deleted = !self.delete_messages(uids).await?;
        Ok(MoveOutcome {
            copied,
            left_marked_deleted,
        })
    }

    /// Marks messages as deleted and removes exactly these (UID EXPUNGE, RFC 4315). Returns whether they were removed;
    /// a server without UIDPLUS leaves them marked.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn delete_messages(&mut self, uids: &UidSet) -> Result<bool, ImapError> {
        self.store_flags(uids, &FlagChange::Add([Flag::Deleted].into_iter().collect()))
            .await?;
        if !self.offered.has("UIDPLUS") {
            return Ok(false);
        }
        for part in uids.split(MAX_SET_TEXT) {
            self.wire.run("UID EXPUNGE", &part.to_string(), |_| false).await?;
        }
        Ok(true)
    }

    async fn transfer(
        &mut self,
        command: &'static str,
        uids: &UidSet,
        to: &FolderName,
    ) -> Result<Option<CopiedUids>, ImapError> {
        let mut all: Option<CopiedUids> = None;
        for part in uids.split(MAX_SET_TEXT) {
            // MOVE tells COPYUID in an untagged OK, before the messages go; COPY in the final one.
            let mut early = CompletionCode::None;
            let Completion { code } = self
                .wire
                .run(command, &format!("{part} {}", to.quoted()), |response| {
                    let Response::Data { outcome, .. } = response else {
                        return false;
                    };
                    if let code @ CompletionCode::CopyUid(..) = completion_code(outcome.code.as_ref()) {
                        early = code;
                    }
                    true
                })
                .await?;
            let code = if matches!(code, CompletionCode::CopyUid(..)) {
                code
            } else {
                early
            };
            let CompletionCode::CopyUid(validity, from, to) = code else {
                continue;
            };
            let pairs = from
                .into_iter()
                .zip(to)
                .filter_map(|(from, to)| Some((Uid::new(from)?, Uid::new(to)?)));
            let copied = all.get_or_insert(CopiedUids {
                uid_validity: UidValidity(validity),
                pairs: Vec::new(),
            });
            copied.pairs.extend(pairs);
        }
        Ok(all)
    }
}
