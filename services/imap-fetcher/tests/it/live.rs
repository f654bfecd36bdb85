//! Keeping up: new mail, flags, deletions, moves, lost connections.

use std::time::{Duration, Instant};

use postroom_events::{AccountState, Event, EventMetadata, SyncRequested};
use postroom_store::{erasure, events, messages};
use postroom_test_support::{TcpProxy, eventually};

use crate::{
    first_sync::deliver,
    rig::{PATIENCE, Rig, World, mail, quick},
};

#[tokio::test(flavor = "multi_thread")]
async fn new_mail_is_announced_within_two_seconds() {
    for world in [World::Embedded, World::Distributed] {
        let rig = Rig::new(world).await;
        let user = rig.testbed.create_user("live").unwrap();
        rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
        let running = rig.start().await;
        let id = rig.connect(&running, &user).await;
        rig.synced(id).await;
        let inbox = rig.folder(id, "INBOX").await.id;
        for n in 1..=5 {
            let began = Instant::now();
            deliver(&rig.testbed, &user, 100 + n).await;
            eventually(PATIENCE, "MessageReceived", async || {
                rig.received_in(id, inbox).await == n
            })
            .await;
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{world:?}: {:?}",
                began.elapsed()
            );
        }
        assert_eq!(rig.messages(id).await.len(), 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_set_elsewhere_are_seen_here() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("flags").unwrap();
    rig.testbed
        .seed(&user, "INBOX", (1..=3).map(mail).collect::<Vec<_>>())
        .await
        .unwrap();
    rig.testbed
        .seed(&user, "Other", (11..=12).map(mail).collect::<Vec<_>>())
        .await
        .unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    rig.testbed
        .add_flag(&user, "INBOX", "uid 2", "\\Seen")
        .await
        .unwrap();
    rig.testbed
        .add_flag(&user, "Other", "uid 1", "$Label1")
        .await
        .unwrap();
    for (folder, flag) in [("INBOX", "\\Seen"), ("Other", "$Label1")] {
        let folder = rig.folder(id, folder).await;
        let change = rig
            .hears(id, "MessageFlagsChanged", |event| match event {
                Event::MessageFlagsChanged(event) if event.folder_id == folder.id => {
                    Some(event.changes.clone())
                }
                _ => None,
            })
            .await;
        assert_eq!(change[0].flags, [flag]);
    }
    let inbox = rig.folder(id, "INBOX").await;
    rig.testbed
        .remove_flag(&user, "INBOX", "uid 2", "\\Seen")
        .await
        .unwrap();
    eventually(PATIENCE, "the flag to be gone", async || {
        rig.content(id, &inbox)
            .await
            .iter()
            .all(|(.., flags)| flags.is_empty())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_is_gone_for_good_after_a_time_of_grace() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("deleted").unwrap();
    rig.testbed
        .seed(&user, "INBOX", (1..=4).map(mail).collect::<Vec<_>>())
        .await
        .unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let before = rig.messages(id).await;
    let victim = before
        .iter()
        .find(|message| message.subject == "Mail 2")
        .unwrap()
        .id;
    rig.testbed.expunge(&user, "INBOX", "uid 2").await.unwrap();
    let deleted = rig
        .hears(id, "MessageDeleted", |event| match event {
            Event::MessageDeleted(event) => Some(event.message_ids.clone()),
            _ => None,
        })
        .await;
    assert_eq!(deleted, [victim]);
    assert_eq!(rig.messages(id).await.len(), 3);
    assert_eq!(
        erasure::erase_messages(&rig.store, &rig.packs, 10).await.unwrap(),
        1
    );
    assert!(messages::find(rig.store.read(), victim).await.is_err());
    for message in rig.messages(id).await {
        rig.packs.read(&message).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_made_elsewhere_is_one_move_and_the_message_stays_itself() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("moved").unwrap();
    rig.testbed
        .seed(&user, "INBOX", (1..=4).map(mail).collect::<Vec<_>>())
        .await
        .unwrap();
    rig.testbed.seed(&user, "Archive", vec![mail(9)]).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let before = rig.messages(id).await;
    let (inbox, archive) = (rig.folder(id, "INBOX").await, rig.folder(id, "Archive").await);
    rig.testbed
        .move_messages(&user, "INBOX", "uid 2:3", "Archive")
        .await
        .unwrap();
    eventually(PATIENCE, "both messages to have moved", async || {
        let moved: usize = rig
            .told(id.0)
            .await
            .iter()
            .map(|event| match event {
                Event::MessageMoved(event)
                    if event.from_folder_id == inbox.id && event.to_folder_id == archive.id =>
                {
                    event.message_ids.len()
                }
                _ => 0,
            })
            .sum();
        (moved == 2).then_some(()).ok_or(moved)
    })
    .await;
    let after = rig.messages(id).await;
    let ids = |rows: &[postroom_store::Message]| {
        let mut ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&before), ids(&after));
    assert_eq!(rig.content(id, &archive).await.len(), 3);
    assert_eq!(rig.content(id, &inbox).await.len(), 2);
    // Nobody is told of deletions or new mail.
    tokio::time::sleep(quick().grace * 2).await;
    let told = rig.told(id.0).await;
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::MessageDeleted(_) | Event::MessageReceived(_))),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_come_are_renamed_and_go() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("folders").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    rig.testbed
        .seed(&user, "Work", vec![mail(2), mail(3)])
        .await
        .unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let (work, before) = (rig.folder(id, "Work").await, rig.messages(id).await.len());
    let rename = ["mailbox", "rename", "-u", &user.address, "Work", "Arbeit"];
    rig.testbed.doveadm(&rename).await.unwrap();
    rig.hears(id, "the new name", |event| match event {
        Event::FoldersChanged(event) => event.renamed.contains(&work.id).then_some(()),
        _ => None,
    })
    .await;
    assert_eq!(rig.folder(id, "Arbeit").await.id, work.id);
    assert_eq!(
        rig.messages(id).await.len(),
        before,
        "nothing was fetched again or lost"
    );
    let delete = ["mailbox", "delete", "-u", &user.address, "Arbeit"];
    rig.testbed.doveadm(&delete).await.unwrap();
    rig.hears(id, "the folder to be gone", |event| match event {
        Event::FoldersChanged(event) => event.removed.contains(&work.id).then_some(()),
        _ => None,
    })
    .await;
    eventually(PATIENCE, "its messages to be gone", async || {
        rig.messages(id).await.len() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_costs_time_and_no_mail() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("cut").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    let target = format!("{}:{}", rig.testbed.imap.host, rig.testbed.imap.tls_port);
    let mut proxy = TcpProxy::start(&target).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect_at(&running, &user, proxy.port()).await;
    rig.synced(id).await;
    let inbox = rig.folder(id, "INBOX").await.id;
    proxy.cut();
    deliver(&rig.testbed, &user, 2).await;
    eventually(PATIENCE, "mail after a cut", async || {
        rig.received_in(id, inbox).await == 1
    })
    .await;

    proxy.take_down();
    deliver(&rig.testbed, &user, 3).await;
    eventually(PATIENCE, "the account to be unreachable", async || {
        rig.row(id).await.state == AccountState::Unreachable
    })
    .await;
    // Which it is depends on what the outage meets: an open session, a handshake, or nobody.
    let cause = rig.row(id).await.state_cause.unwrap();
    assert!(
        ["refused", "connection_lost", "closed_during_handshake"].contains(&cause.as_str()),
        "{cause}"
    );
    proxy.bring_up().await.unwrap();
    eventually(PATIENCE, "mail after an outage", async || {
        rig.received_in(id, inbox).await == 2
    })
    .await;
    eventually(PATIENCE, "the account to be connected", async || {
        rig.row(id).await.state == AccountState::Connected
    })
    .await;
    let told = rig.told(id.0).await;
    let count = |wanted: fn(&Event) -> bool| told.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::AccountUnreachable(_))), 1);
    assert_eq!(count(|event| matches!(event, Event::AccountRecovered(_))), 1);
    assert_eq!(rig.messages(id).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_was_asked_for_is_done_at_once() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("asked").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    rig.testbed.seed(&user, "Other", vec![mail(2)]).await.unwrap();
    let settings = imap_fetcher::FetcherSettings {
        scan_every: Duration::from_secs(600),
        list_every: Duration::from_secs(600),
        ..quick()
    };
    let running = rig.start_with(settings).await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    rig.testbed.seed(&user, "Other", vec![mail(3)]).await.unwrap();
    let store = &running.parts.store;
    let tx = store.begin("test.ask").await.unwrap();
    let event = SyncRequested {
        account_id: id,
        folder_id: None,
    };
    let metadata = EventMetadata::started_by("account-manager", rig.tenant_id);
    events::append(&tx, &metadata, vec![event.into()]).await.unwrap();
    tx.commit().await.unwrap();
    let other = rig.folder(id, "Other").await.id;
    eventually(
        Duration::from_secs(5),
        "the mail in the other folder",
        async || rig.received_in(id, other).await == 1,
    )
    .await;
}
