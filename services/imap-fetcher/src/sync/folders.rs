//! Which folders there are.

use std::collections::{HashMap, HashSet};

use postroom_events::{FolderId, FoldersChanged};
use postroom_mail::imap::{self, FolderName};
use postroom_store::{
    Folder, StoreError, events,
    folders::{self, FolderRole, ListedFolder},
};

use super::{MailboxSync, vanished::Vanished};
use crate::step_error::StepError;

/// A folder, its name on the wire, and what this session has learnt of it.
#[derive(Debug)]
pub(super) struct KnownFolder {
    pub(super) row: Folder,
    pub(super) name: FolderName,
    /// It cannot be opened, or changes its UIDVALIDITY all the time: left alone until folders are listed again.
    pub(super) unusable: bool,
    /// How often its UIDVALIDITY changed in this session.
    pub(super) resets: u32,
    /// UIDs that the server lists and does not give out.
    pub(super) refused: HashSet<i64>,
}

/// The folders of the account, by id.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<FolderId, KnownFolder>,
}

impl Folders {
    pub(super) fn get(&self, id: FolderId) -> Result<&KnownFolder, StepError> {
        let missing = || StepError::Store(StoreError::not_found("folder", id));
        self.known.get(&id).ok_or_else(missing)
    }

    pub(super) fn get_mut(&mut self, id: FolderId) -> Result<&mut KnownFolder, StepError> {
        let missing = || StepError::Store(StoreError::not_found("folder", id));
        self.known.get_mut(&id).ok_or_else(missing)
    }

    /// INBOX, unless its mail is not wanted.
    pub(super) fn inbox(&self) -> Option<FolderId> {
        self.by_role(FolderRole::Inbox)
            .filter(|id| self.known.get(id).is_some_and(|folder| folder.row.synced))
    }

    /// Whether a folder's mail is fetched.
    pub(super) fn is_synced(&self, id: FolderId) -> bool {
        self.known.get(&id).is_some_and(KnownFolder::is_synced)
    }

    /// Takes over which folders are wanted. Gives whether one is that was not before.
    fn choose(&mut self, choices: &HashMap<FolderId, bool>) -> bool {
        let mut some_added = false;
        for (id, folder) in &mut self.known {
            let synced = choices.get(id).copied().unwrap_or(folder.row.synced);
            some_added |= synced && !folder.row.synced;
            folder.row.synced = synced;
        }
        some_added
    }

    pub(super) fn by_role(&self, role: FolderRole) -> Option<FolderId> {
        self.known
            .values()
            .find(|folder| folder.row.known_role() == Some(role) && folder.row.selectable)
            .map(|folder| folder.row.id)
    }

    /// Whether a folder may yet bring back what lay in it before its UIDVALIDITY changed: also one that cannot be opened
    /// now, or is not fetched at present.
    pub(super) fn some_being_read_anew(&self) -> bool {
        self.known
            .values()
            .any(|folder| folder.row.resets > 0 && folder.row.backfill_completed_at.is_none())
    }

    /// The folders whose mail is fetched, what matters most first.
    pub(super) fn synced(&self) -> Vec<&KnownFolder> {
        let mut folders: Vec<_> = self.known.values().filter(|folder| folder.is_synced()).collect();
        folders.sort_by_key(|folder| (folder.rank(), &folder.row.name));
        folders
    }
}

impl KnownFolder {
    fn is_synced(&self) -> bool {
        // Views hold nothing of their own.
        let view = matches!(
            self.row.known_role(),
            Some(FolderRole::Flagged | FolderRole::Important)
        );
        self.row.selectable && self.row.synced && !view && !self.unusable
    }

    fn rank(&self) -> u8 {
        match self.row.known_role() {
            Some(FolderRole::Inbox) => 0,
            Some(FolderRole::Sent) => 1,
            None | Some(FolderRole::Archive) => 2,
            Some(FolderRole::All) => 3,
            Some(FolderRole::Drafts) => 4,
            Some(FolderRole::Trash) => 5,
            Some(_) => 6,
        }
    }
}

impl MailboxSync<'_> {
    /// Lists the folders, and takes over what came, went or was renamed.
    #[tracing::instrument(name = "imap.list", skip_all)]
    pub(super) async fn list_folders(&mut self) -> Result<(), StepError> {
        let listed = self.session.list_folders().await?;
        let stored = folders::of_account(self.fetcher.store.read(), self.account.id).await?;
        let names: HashMap<String, FolderName> = listed
            .iter()
            .map(|folder| (folder.name.decoded(), folder.name.clone()))
            .collect();
        let listed = self.describe(listed, &stored).await?;
        let tx = self.fetcher.guarded(&self.lease, "imap.list_folders").await?;
        let changes = folders::reconcile(&tx, self.account.id, &listed).await?;
        if !changes.is_empty() {
            let event = FoldersChanged {
                account_id: self.account.id,
                added: changes.added.clone(),
                removed: changes.removed.clone(),
                renamed: changes.renamed.clone(),
            };
            events::append(&tx, &self.metadata(), vec![event.into()]).await?;
        }
        tx.commit().await?;
        self.take_over(&names).await?;
        self.due.list = self.now() + self.fetcher.settings.list_every;
        Ok(())
    }

    /// The list as the store takes it. Only where a folder has gone, new ones are asked for their UIDVALIDITY: it may be
    /// the same under a new name.
    async fn describe(
        &mut self,
        listed: Vec<imap::ListedFolder>,
        stored: &[Folder],
    ) -> Result<Vec<ListedFolder>, StepError> {
        let on_server: HashSet<String> = listed.iter().map(|folder| folder.name.decoded()).collect();
        let here: HashSet<&str> = stored.iter().map(|row| row.name.as_str()).collect();
        let some_gone = stored.iter().any(|row| !on_server.contains(&row.name));
        let mut described = Vec::with_capacity(listed.len());
        for folder in listed {
            let name = folder.name.decoded();
            let ask = some_gone && folder.selectable && !here.contains(name.as_str());
            let uid_validity = if ask {
                self.uid_validity_of(&folder.name).await?
            } else {
                None
            };
            described.push(ListedFolder {
                name,
                delimiter: folder.delimiter.map(String::from),
                role: folder.role.and_then(|role| FolderRole::from_name(role.name())),
                selectable: folder.selectable,
                uid_validity,
            });
        }
        Ok(described)
    }

    async fn uid_validity_of(&mut self, name: &FolderName) -> Result<Option<i64>, StepError> {
        match self.session.status(name).await {
            Ok(status) => Ok(status.uid_validity.map(|validity| i64::from(validity.0))),
            Err(error) if error.leaves_session_usable() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn take_over(&mut self, names: &HashMap<String, FolderName>) -> Result<(), StepError> {
        let db = self.fetcher.store.read();
        let mut known = HashMap::new();
        for row in folders::of_account(db, self.account.id).await? {
            let Some(name) = names.get(&row.name) else {
                continue;
            };
            let before = self.folders.known.remove(&row.id);
            let folder = KnownFolder {
                name: name.clone(),
                unusable: false,
                resets: before.as_ref().map_or(0, |folder| folder.resets),
                refused: before.map(|folder| folder.refused).unwrap_or_default(),
                row,
            };
            known.insert(folder.row.id, folder);
        }
        self.folders.known = known;
        if self.open.is_some_and(|id| !self.folders.known.contains_key(&id)) {
            self.open = None;
        }
        if self
            .plan
            .as_ref()
            .is_some_and(|plan| !self.folders.known.contains_key(&plan.folder_id))
        {
            self.plan = None;
        }
        for row in folders::gone(db, self.account.id).await? {
            if !self.vanished.iter().any(|vanished| vanished.folder_id == row.id) {
                let vanished = Vanished::whole_folder(self.fetcher, &row).await?;
                self.vanished.push(vanished);
            }
        }
        Ok(())
    }

    /// Takes over which folders a person wants, before anything else is fetched.
    pub(super) async fn heed_choices(&mut self) -> Result<(), StepError> {
        let choices = folders::choices(self.fetcher.store.read(), self.account.id).await?;
        if self.folders.choose(&choices) {
            self.due.scan = self.now();
        }
        if self
            .plan
            .as_ref()
            .is_some_and(|plan| !self.folders.is_synced(plan.folder_id))
        {
            self.plan = None;
        }
        Ok(())
    }

    /// Reads a folder's row again after it was written.
    pub(super) async fn reload(&mut self, id: FolderId) -> Result<(), StepError> {
        let row = folders::find(self.fetcher.store.read(), id).await?;
        self.folders.get_mut(id)?.row = row;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::DateTime;
    use postroom_events::AccountId;

    use super::*;

    fn folder(resets: i32, read: bool, unusable: bool) -> KnownFolder {
        let row = Folder {
            id: FolderId::generate(),
            account_id: AccountId::generate(),
            name: "A".into(),
            delimiter: None,
            role: None,
            selectable: true,
            synced: true,
            uid_validity: Some(1),
            uid_next: Some(1),
            first_uid_next: Some(1),
            highest_modseq: None,
            backfill_below_uid: None,
            backfill_completed_at: read.then_some(DateTime::UNIX_EPOCH),
            messages_on_server: 0,
            last_scan_at: None,
            resets,
            created_at: DateTime::UNIX_EPOCH,
            gone_at: None,
        };
        KnownFolder {
            name: FolderName::from_decoded("A").unwrap(),
            row,
            unusable,
            resets: 0,
            refused: HashSet::new(),
        }
    }

    fn being_read_anew(folder: KnownFolder) -> bool {
        let read = super::tests::folder(1, true, false);
        let known = [(read.row.id, read), (folder.row.id, folder)].into();
        Folders { known }.some_being_read_anew()
    }

    #[test]
    fn a_folder_that_was_reset_and_cannot_be_opened_may_yet_bring_back_its_mail() {
        assert!(being_read_anew(folder(1, false, false)));
        assert!(being_read_anew(folder(1, false, true)));
        assert!(!being_read_anew(folder(1, true, false)));
        // Its first sync brings what was never stored.
        assert!(!being_read_anew(folder(0, false, true)));
    }
}
