//! Folders: which there are, what is in them, opening one.

use imap_proto::{MailboxDatum, NameAttribute, Response, ResponseCode, StatusAttribute};

use super::answer::CompletionCode;
use super::error::{ImapError, ImapErrorKind};
use super::folder_name::{FolderName, unescaped};
use super::notices::Notices;
use super::role::FolderRole;
use super::session::ImapSession;
use super::uid::{ModSeq, Uid, UidValidity};

/// The most folders that are listed; the rest is left out, and said so.
const MAX_FOLDERS: usize = 20_000;

/// A folder as its server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFolder {
    /// Its name.
    pub name: FolderName,
    /// What stands between a folder and its subfolders; `None` when the server has no levels.
    pub delimiter: Option<char>,
    /// Whether it can be opened; some are only a level for others.
    pub selectable: bool,
    /// What it is for: as the server says, or as its name suggests.
    pub role: Option<FolderRole>,
}

/// An opened folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Whether UIDs mean what they meant.
    pub uid_validity: UidValidity,
    /// The UID that the next message will have at least, if the server says so.
    pub uid_next: Option<Uid>,
    /// How many messages there are.
    pub exists: u32,
    /// The highest modification sequence, if the folder keeps them.
    pub highest_mod_seq: Option<ModSeq>,
    /// Whether nothing can be changed.
    pub read_only: bool,
}

/// What a server tells of a folder without opening it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderStatus {
    /// How many messages there are.
    pub messages: Option<u32>,
    /// How many are unread.
    pub unseen: Option<u32>,
    /// The UID that the next message will have at least.
    pub uid_next: Option<Uid>,
    /// Whether UIDs mean what they meant.
    pub uid_validity: Option<UidValidity>,
    /// The highest modification sequence.
    pub highest_mod_seq: Option<ModSeq>,
}

impl ImapSession {
    /// All folders. Folders whose names could not be sent back are left out.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub async fn list_folders(&mut self) -> Result<Vec<ListedFolder>, ImapError> {
        let extended = self.offered.has("SPECIAL-USE") && self.offered.has("LIST-EXTENDED");
        let arguments = if extended {
            "\"\" \"*\" RETURN (SPECIAL-USE)"
        } else {
            "\"\" \"*\""
        };
        let mut folders: Vec<ListedFolder> = Vec::new();
        let mut left_out = 0usize;
        self.wire
            .run("LIST", arguments, |response| match response {
                Response::MailboxData(MailboxDatum::List(data)) => {
                    match listed(&data.name_attributes, data.delimiter.as_deref(), &data.name) {
                        Some(folder) if folders.len() < MAX_FOLDERS => folders.push(folder),
                        _ => left_out += 1,
                    }
                    true
                }
                _ => false,
            })
            .await?;
        if left_out > 0 {
            tracing::warn!(server = %self.wire.endpoint, left_out, "Folders were left out: too many, or names that cannot be sent");
        }
        folders.sort_by(|a, b| a.name.cmp(&b.name));
        folders.dedup_by(|a, b| a.name == b.name);
        guess_roles(&mut folders);
        Ok(folders)
    }

    /// Opens a folder for reading and changing.
    ///
    /// # Errors
    /// When it is not there ([`ImapErrorKind::No`]); no folder is open then.
    pub async fn select(&mut self, folder: &FolderName) -> Result<Selected, ImapError> {
        self.open(folder, "SELECT").await
    }

    /// Opens a folder for reading only; nothing can be changed by mistake.
    ///
    /// # Errors
    /// As [`ImapSession::select`].
    pub async fn examine(&mut self, folder: &FolderName) -> Result<Selected, ImapError> {
        self.open(folder, "EXAMINE").await
    }

    async fn open(&mut self, folder: &FolderName, command: &'static str) -> Result<Selected, ImapError> {
        let condstore = self.offered.has("CONDSTORE");
        let arguments = format!(
            "{}{}",
            folder.quoted(),
            if condstore { " (CONDSTORE)" } else { "" }
        );
        self.wire.watch.exists = 0;
        let mut validity = None;
        let mut uid_next = None;
        let mut highest = None;
        let completion = self
            .wire
            .run(command, &arguments, |response| {
                let Response::Data { outcome, .. } = response else {
                    return false;
                };
                match &outcome.code {
                    Some(ResponseCode::UidValidity(number)) => validity = Some(UidValidity(*number)),
                    Some(ResponseCode::UidNext(number)) => uid_next = Uid::new(*number),
                    Some(ResponseCode::HighestModSeq(number)) => highest = Some(ModSeq(*number)),
                    _ => return false,
                }
                true
            })
            .await?;
        self.condstore = condstore;
        // What the server told while it opened the folder is its state, not a change.
        self.wire.watch.notices = Notices::default();
        let Some(uid_validity) = validity else {
            let what = format!("{command} without UIDVALIDITY");
            return Err(self.wire.fail(ImapErrorKind::Protocol { what }));
        };
        Ok(Selected {
            uid_validity,
            uid_next,
            exists: self.wire.watch.exists,
            highest_mod_seq: highest,
            read_only: command == "EXAMINE" || matches!(completion.code, CompletionCode::ReadOnly),
        })
    }

    /// What is in a folder, without opening it. Not for the folder that is open (RFC 3501 section 6.3.10).
    ///
    /// # Errors
    /// When the folder is not there or the connection is lost.
    pub async fn status(&mut self, folder: &FolderName) -> Result<FolderStatus, ImapError> {
        let mod_seq = if self.offered.has("CONDSTORE") {
            " HIGHESTMODSEQ"
        } else {
            ""
        };
        let arguments = format!(
            "{} (MESSAGES UNSEEN UIDNEXT UIDVALIDITY{mod_seq})",
            folder.quoted()
        );
        let mut found = FolderStatus::default();
        self.wire
            .run("STATUS", &arguments, |response| match response {
                Response::MailboxData(MailboxDatum::Status { status, .. }) => {
                    status.iter().for_each(|attribute| found.take(attribute));
                    true
                }
                _ => false,
            })
            .await?;
        Ok(found)
    }
}

impl FolderStatus {
    fn take(&mut self, attribute: &StatusAttribute) {
        match attribute {
            StatusAttribute::Messages(count) => self.messages = Some(*count),
            StatusAttribute::Unseen(count) => self.unseen = Some(*count),
            StatusAttribute::UidNext(number) => self.uid_next = Uid::new(*number),
            StatusAttribute::UidValidity(number) => self.uid_validity = Some(UidValidity(*number)),
            StatusAttribute::HighestModSeq(number) => self.highest_mod_seq = Some(ModSeq(*number)),
            _ => {}
        }
    }
}

fn listed(attributes: &[NameAttribute<'_>], delimiter: Option<&str>, name: &str) -> Option<ListedFolder> {
    let name = FolderName::from_wire(&unescaped(name)).ok()?;
    let closed = |attribute: &NameAttribute<'_>| match attribute {
        NameAttribute::NoSelect => true,
        NameAttribute::Extension(other) => other.eq_ignore_ascii_case("\\NonExistent"),
        _ => false,
    };
    let role = match name.is_inbox() {
        true => Some(FolderRole::Inbox),
        false => attributes.iter().find_map(FolderRole::from_attribute),
    };
    Some(ListedFolder {
        selectable: !attributes.iter().any(closed),
        delimiter: delimiter.and_then(|text| unescaped(text).chars().next()),
        role,
        name,
    })
}

/// Gives roles that the server did not give, by name; each to one folder at most, and the one nearest to the top.
fn guess_roles(folders: &mut [ListedFolder]) {
    let mut order: Vec<usize> = (0..folders.len()).collect();
    let depth = |folder: &ListedFolder| {
        folder
            .delimiter
            .map_or(0, |d| folder.name.as_wire().matches(d).count())
    };
    order.sort_by_key(|index| depth(&folders[*index]));
    for index in order {
        let folder = &folders[index];
        if folder.role.is_some() || !folder.selectable || depth(folder) > 1 {
            continue;
        }
        let decoded = folder.name.decoded();
        let last = folder
            .delimiter
            .and_then(|d| decoded.rsplit(d).next())
            .unwrap_or(&decoded);
        let guess = FolderRole::guess(last);
        if guess.is_some() && !folders.iter().any(|other| other.role == guess) {
            folders[index].role = guess;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, role: Option<FolderRole>) -> ListedFolder {
        ListedFolder {
            name: FolderName::from_decoded(name).unwrap(),
            delimiter: Some('/'),
            selectable: true,
            role,
        }
    }

    #[test]
    fn the_servers_word_goes_before_a_guess_and_the_top_before_what_is_below() {
        let mut folders = vec![
            folder("Clients/Sent", None),
            folder("Sent", None),
            folder("Trash", None),
            folder("Papierkorb", Some(FolderRole::Trash)),
            folder("a/b/Archive", None),
        ];
        guess_roles(&mut folders);
        let roles: Vec<_> = folders.iter().map(|folder| folder.role).collect();
        assert_eq!(
            roles,
            [None, Some(FolderRole::Sent), None, Some(FolderRole::Trash), None]
        );
    }

    #[test]
    fn what_is_listed_is_understood() {
        let attributes = [NameAttribute::NoSelect, NameAttribute::Sent];
        let sent = listed(&attributes, Some("\\\\"), "Gesendet \\\"x\\\"").unwrap();
        assert_eq!(
            (sent.selectable, sent.delimiter, sent.role),
            (false, Some('\\'), Some(FolderRole::Sent))
        );
        assert_eq!(sent.name.decoded(), "Gesendet \"x\"");
        assert_eq!(listed(&[], Some("/"), "a\u{fffd}b"), None);
        assert_eq!(listed(&[], None, "inbox").unwrap().role, Some(FolderRole::Inbox));
    }
}
