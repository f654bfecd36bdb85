//! Folders that a person does not want, and wants again.

use postroom_events::{AccountId, AccountSettingsChanged, EventMetadata, FolderId, SyncRequested};
use postroom_store::{events, folders};
use postroom_test_support::eventually;

use crate::{
    first_sync::deliver,
    rig::{PATIENCE, Rig, Running, World, mail, quick},
};

/// As account-manager does it.
async fn choose(rig: &Rig, running: &Running, id: AccountId, folder: FolderId, synced: bool) {
    let tx = running.parts.store.begin("test.choose").await.unwrap();
    folders::choose(&tx, id, &[folder], synced).await.unwrap();
    let changed = AccountSettingsChanged {
        account_id: id,
        paused: false,
    };
    let metadata = EventMetadata::started_by("account-manager", rig.tenant_id);
    events::append(&tx, &metadata, vec![changed.into()])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Asks for a sync of one folder, and waits until it was done or refused.
async fn asked_to_sync(rig: &Rig, running: &Running, id: AccountId, folder: FolderId) {
    let tx = running.parts.store.begin("test.sync").await.unwrap();
    let asked = SyncRequested {
        account_id: id,
        folder_id: Some(folder),
    };
    let metadata = EventMetadata::started_by("account-manager", rig.tenant_id);
    events::append(&tx, &metadata, vec![asked.into()]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn has(rig: &Rig, id: AccountId, folder: &str, count: usize) {
    let folder = rig.folder(id, folder).await;
    eventually(
        PATIENCE,
        &format!("{count} messages in {}", folder.name),
        async || {
            let found = rig.content(id, &folder).await;
            (found.len() == count).then_some(()).ok_or(format!("{found:?}"))
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_chosen_is_not_fetched_until_it_is_chosen_again() {
    for world in [World::Embedded, World::Distributed] {
        let rig = Rig::new(world).await;
        let user = rig.testbed.create_user("choosing").unwrap();
        rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
        rig.testbed.seed(&user, "Other", vec![mail(11)]).await.unwrap();
        let running = rig.start().await;
        let id = rig.connect(&running, &user).await;
        rig.synced(id).await;
        let (inbox, other) = (rig.folder(id, "INBOX").await.id, rig.folder(id, "Other").await.id);

        choose(&rig, &running, id, other, false).await;
        rig.testbed.seed(&user, "Other", vec![mail(12)]).await.unwrap();
        asked_to_sync(&rig, &running, id, other).await;
        deliver(&rig.testbed, &user, 101).await;
        has(&rig, id, "INBOX", 2).await;
        // Two scans and the sync that was asked for have come and gone.
        tokio::time::sleep(quick().scan_every * 3).await;
        has(&rig, id, "Other", 1).await;

        choose(&rig, &running, id, other, true).await;
        has(&rig, id, "Other", 2).await;

        choose(&rig, &running, id, inbox, false).await;
        // The holder has heard of it once it fetches what came after.
        rig.testbed.seed(&user, "Other", vec![mail(13)]).await.unwrap();
        has(&rig, id, "Other", 3).await;
        deliver(&rig.testbed, &user, 102).await;
        tokio::time::sleep(quick().scan_every * 3).await;
        has(&rig, id, "INBOX", 2).await;
        choose(&rig, &running, id, inbox, true).await;
        has(&rig, id, "INBOX", 3).await;
    }
}
