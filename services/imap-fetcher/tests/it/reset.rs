//! The server gives a folder another UIDVALIDITY.

use postroom_events::Event;
use postroom_test_support::eventually;

use crate::rig::{PATIENCE, Rig, World, mail, quick};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_a_new_uidvalidity_is_linked_again_and_nothing_is_new() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("reset").unwrap();
    rig.testbed
        .seed(&user, "INBOX", (1..=30).map(mail).collect::<Vec<_>>())
        .await
        .unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let before: Vec<_> = rig.messages(id).await.iter().map(|row| row.id).collect();
    let old = rig.folder(id, "INBOX").await;
    // While nobody looks, a message goes and every UID means something else.
    rig.testbed.expunge(&user, "INBOX", "uid 7").await.unwrap();
    let update = [
        "mailbox",
        "update",
        "-u",
        &user.address,
        "--uid-validity",
        "4711",
        "INBOX",
    ];
    rig.testbed.doveadm(&update).await.unwrap();
    // Whoever has the folder open is thrown out; the server may have done so by itself.
    let _ = rig.testbed.doveadm(&["kick", &user.address]).await;
    let reset = rig
        .hears(id, "FolderReset", |event| match event {
            Event::FolderReset(event) => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(
        (reset.uid_validity_before, reset.uid_validity),
        (old.uid_validity, 4711)
    );
    eventually(PATIENCE, "the folder to be read again", async || {
        let folder = rig.folder(id, "INBOX").await;
        (folder.backfill_completed_at.is_some() && rig.content(id, &folder).await.len() == 29)
            .then_some(())
            .ok_or(format!("{folder:?}"))
    })
    .await;
    eventually(PATIENCE, "the lost message to be told", async || {
        rig.messages(id).await.len() == 29
    })
    .await;
    let after: Vec<_> = rig.messages(id).await.iter().map(|row| row.id).collect();
    assert!(
        after.iter().all(|id| before.contains(id)),
        "they are the same messages"
    );
    tokio::time::sleep(quick().grace).await;
    let told = rig.told(id.0).await;
    let count = |wanted: fn(&Event) -> bool| told.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::FolderReset(_))), 1);
    assert_eq!(count(|event| matches!(event, Event::MessageReceived(_))), 0);
    assert_eq!(count(|event| matches!(event, Event::BackfillStarted(_))), 1);
    // New mail is new mail again.
    rig.testbed.deliver(&user, &mail(99)).await.unwrap();
    eventually(PATIENCE, "new mail", async || {
        rig.received_in(id, old.id).await == 1
    })
    .await;
}
