//! Folders as people read them: those with a purpose first, the others by name, each below its parent.

use postroom_events::FolderId;
use postroom_store::{Folder, folders::FolderRole};

/// Deeper ones are not indented any further.
const DEEPEST: usize = 4;

/// A folder in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FolderLine {
    pub(super) id: FolderId,
    /// The last part of its name.
    pub(super) name: String,
    /// Its whole name.
    pub(super) path: String,
    /// How many parents are shown above it.
    pub(super) depth: usize,
}

/// The folders that can hold mail, in the order in which people look for them.
pub(super) fn in_order(folders: &[Folder]) -> Vec<(FolderLine, &Folder)> {
    let mut shown: Vec<_> = folders.iter().filter(|folder| folder.selectable).collect();
    shown.sort_by_key(|folder| (rank(folder), folder.name.to_lowercase()));
    shown
        .iter()
        .map(|folder| (line(folder, &shown), *folder))
        .collect()
}

fn rank(folder: &Folder) -> u8 {
    match folder.known_role() {
        Some(FolderRole::Inbox) => 0,
        Some(FolderRole::Drafts) => 1,
        Some(FolderRole::Sent) => 2,
        Some(FolderRole::Archive) => 3,
        Some(FolderRole::All) => 4,
        Some(FolderRole::Flagged | FolderRole::Important) => 5,
        Some(FolderRole::Junk) => 6,
        Some(FolderRole::Trash) => 7,
        None => 8,
    }
}

fn line(folder: &Folder, shown: &[&Folder]) -> FolderLine {
    let path = folder.name.clone();
    let (name, depth) = match (folder.known_role(), folder.delimiter.as_deref()) {
        (Some(FolderRole::Inbox), _) => ("Inbox".to_owned(), 0),
        (Some(_), Some(delimiter)) => (last(&path, delimiter), 0),
        (None, Some(delimiter)) if !delimiter.is_empty() => {
            let parents = shown
                .iter()
                .filter(|other| path.starts_with(&format!("{}{delimiter}", other.name)))
                .filter(|other| other.known_role().is_none())
                .count();
            let name = if parents > 0 {
                last(&path, delimiter)
            } else {
                path.clone()
            };
            (name, parents.min(DEEPEST))
        }
        _ => (path.clone(), 0),
    };
    FolderLine {
        id: folder.id,
        name,
        path,
        depth,
    }
}

fn last(path: &str, delimiter: &str) -> String {
    path.rsplit(delimiter)
        .next()
        .filter(|name| !name.is_empty() && !delimiter.is_empty())
        .unwrap_or(path)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use postroom_events::AccountId;

    use super::*;

    fn folder(name: &str, role: Option<FolderRole>, selectable: bool) -> Folder {
        Folder {
            id: FolderId::generate(),
            account_id: AccountId::generate(),
            name: name.into(),
            delimiter: Some("/".into()),
            role: role.map(|role| role.as_str().to_owned()),
            selectable,
            synced: true,
            uid_validity: None,
            uid_next: None,
            first_uid_next: None,
            highest_modseq: None,
            backfill_below_uid: None,
            backfill_completed_at: None,
            messages_on_server: 0,
            last_scan_at: None,
            resets: 0,
            created_at: DateTime::UNIX_EPOCH,
            gone_at: None,
        }
    }

    #[test]
    fn folders_stand_where_people_look_for_them() {
        let folders = [
            folder("Work/Projects/A", None, true),
            folder("Work", None, true),
            folder("Lists/Rust", None, true),
            folder("Lists", None, false),
            folder("[Gmail]/Trash", Some(FolderRole::Trash), true),
            folder("INBOX", Some(FolderRole::Inbox), true),
        ];
        let lines: Vec<_> = in_order(&folders)
            .into_iter()
            .map(|(line, _)| (line.name, line.depth))
            .collect();
        let expected = [
            ("Inbox", 0),
            ("Trash", 0),
            ("Lists/Rust", 0),
            ("Work", 0),
            ("A", 1),
        ];
        assert_eq!(lines, expected.map(|(name, depth)| (name.to_owned(), depth)));
    }
}
