//! Reading from Dovecot: folders, messages, flags, waiting.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use postroom_mail::imap::{
    FetchSettings, Flag, FolderRole, IdleOutcome, ImapErrorKind, Notices, Uid, UidSet,
};
use postroom_test_support::{SeedMessage, Testbed};
use tokio::time::{Instant, timeout};

use crate::rig::{self, fetch_all, folder, message};

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

#[tokio::test]
async fn folders_come_with_their_names_and_roles() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("folders").unwrap();
    for name in ["Entwürfe", "Clients/Bücher & Co"] {
        testbed.create_folder(&user, name).await.unwrap();
    }
    let mut session = rig::session(&testbed, &user).await;
    let folders = session.list_folders().await.unwrap();
    let find = |name: &str| {
        folders
            .iter()
            .find(|listed| listed.name.decoded() == name)
            .unwrap()
    };
    assert_eq!(find("INBOX").role, Some(FolderRole::Inbox));
    assert_eq!(find("Clients/Bücher & Co").delimiter, Some('/'));
    assert_eq!(find("Clients/Bücher & Co").role, None);
    assert!(find("Entwürfe").selectable);
    for role in [FolderRole::Sent, FolderRole::Drafts, FolderRole::Trash] {
        assert_eq!(
            folders.iter().filter(|listed| listed.role == Some(role)).count(),
            1,
            "{role:?}"
        );
    }
    let opened = session
        .select(&find("Clients/Bücher & Co").name.clone())
        .await
        .unwrap();
    assert_eq!(opened.exists, 0);
    session.logout().await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_a_refusal_and_the_session_goes_on() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("nofolder").unwrap();
    let mut session = rig::session(&testbed, &user).await;
    let error = session.select(&folder("not there")).await.unwrap_err();
    assert!(
        matches!(
            error.kind,
            ImapErrorKind::No {
                command: "SELECT",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.leaves_session_usable());
    session.select(&folder("INBOX")).await.unwrap();
    session.logout().await;
}

#[tokio::test]
async fn every_byte_flag_and_date_comes_as_it_is() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("bytes").unwrap();
    let received = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let mut seeded: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let sizes = [0, 100, 4000, 4096, 5000, 16_000, 17_000, 300_000, 2_000_000];
    let mut messages = Vec::new();
    for (number, size) in sizes.into_iter().enumerate() {
        let mut raw = message(number, size);
        raw.extend_from_slice(b"\xff\xfe 8bit \xe9\r\nA1 OK done\r\n");
        seeded.insert(number as u32 + 1, raw.clone());
        messages.push(
            SeedMessage::new(raw)
                .received(received)
                .flags(&["\\Seen", "\\Flagged"]),
        );
    }
    testbed.seed(&user, "INBOX", messages).await.unwrap();
    let mut session = rig::session(&testbed, &user).await;
    let opened = session.examine(&folder("INBOX")).await.unwrap();
    assert!(opened.read_only);
    assert_eq!(opened.exists, 9);
    assert_eq!(opened.uid_next, Some(uid(10)));
    assert!(opened.highest_mod_seq.is_some());

    let fetched = fetch_all(&mut session, vec![UidSet::all()], FetchSettings::default()).await;
    assert_eq!(fetched.len(), 9);
    for message in &fetched {
        let raw = &seeded[&message.uid.get()];
        assert_eq!(message.raw, *raw, "message {}", message.uid);
        assert!(message.complete);
        assert_eq!(message.size, Some(raw.len() as u32));
        assert_eq!(message.internal_date, Some(received));
        assert_eq!(message.flags.as_ref().unwrap().to_string(), "(\\Seen \\Flagged)");
        assert!(message.mod_seq.is_some());
    }
    let sizes = session.fetch_sizes(&UidSet::all()).await.unwrap();
    assert!(
        sizes
            .iter()
            .all(|found| found.size as usize == seeded[&found.uid.get()].len())
    );
    session.logout().await;
}

#[tokio::test]
async fn batches_in_flight_together_bring_each_message_once() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("batches").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..300).map(|number| message(number, 2000)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    for in_flight in [0, 1, 2, 4] {
        let batches = (0..10)
            .rev()
            .map(|n| UidSet::range(uid(n * 30 + 1)..=uid(n * 30 + 30)))
            .collect();
        let settings = FetchSettings {
            in_flight,
            ..FetchSettings::default()
        };
        let mut uids: Vec<u32> = fetch_all(&mut session, batches, settings)
            .await
            .iter()
            .map(|m| m.uid.get())
            .collect();
        assert_eq!(uids[0], 271, "the order of the batches is kept");
        uids.sort_unstable();
        assert_eq!(uids, (1..=300).collect::<Vec<_>>());
    }
    // Nothing was marked as read.
    let flags = session.fetch_flags(&UidSet::all()).await.unwrap();
    assert_eq!(flags.len(), 300);
    assert!(flags.iter().all(|message| !message.flags.contains(&Flag::Seen)));
    session.logout().await;
}

#[tokio::test]
async fn a_fetch_can_end_early_in_order() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("early").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..50).map(|number| message(number, 500)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    let batches: Vec<UidSet> = (0..5)
        .map(|n| UidSet::range(uid(n * 10 + 1)..=uid(n * 10 + 10)))
        .collect();
    let mut fetch = session.fetch_messages(
        batches,
        FetchSettings {
            in_flight: 2,
            ..FetchSettings::default()
        },
    );
    let mut count = 0;
    while let Some(_message) = fetch.next().await.unwrap() {
        count += 1;
        fetch.finish_early();
    }
    assert_eq!(
        count, 20,
        "the two commands under way were read, no other was begun"
    );
    session.noop().await.unwrap();
    session.logout().await;
}

#[tokio::test]
async fn a_fetch_dropped_in_the_middle_cannot_spoil_the_next_command() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("dropped").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..5).map(|number| message(number, 500)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    let mut fetch = session.fetch_messages([UidSet::all()], FetchSettings::default());
    fetch.next().await.unwrap().unwrap();
    drop(fetch);
    assert_eq!(session.noop().await.unwrap_err().kind, ImapErrorKind::Interrupted);
    assert_eq!(
        session.all_uids().await.unwrap_err().kind,
        ImapErrorKind::Interrupted
    );
}

#[tokio::test]
async fn a_wait_for_a_message_can_be_given_up_and_taken_up_again() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("selectable").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..200).map(|number| message(number, 20_000)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    let mut fetch = session.fetch_messages([UidSet::all()], FetchSettings::default());
    let mut uids = vec![fetch.next().await.unwrap().unwrap().uid.get()];
    loop {
        match timeout(Duration::from_micros(50), fetch.next()).await {
            Ok(Ok(Some(message))) => uids.push(message.uid.get()),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => {}
        }
    }
    assert_eq!(uids, (1..=200).collect::<Vec<_>>());
    session.logout().await;
}

#[tokio::test]
async fn a_long_message_comes_in_pieces() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("pieces").unwrap();
    let piece = NonZeroU32::new(100_000).unwrap();
    let long = message(1, 1_234_567);
    // One that ends exactly where a piece does.
    let mut even = message(2, 299_000);
    even.resize(299_998, b'x');
    even.extend_from_slice(b"\r\n");
    testbed
        .seed(&user, "INBOX", vec![long.clone(), even.clone()])
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    let settings = FetchSettings {
        body_limit: Some(piece),
        ..FetchSettings::default()
    };
    let beginnings = fetch_all(&mut session, vec![UidSet::all()], settings).await;
    for (beginning, whole) in beginnings.into_iter().zip([long, even]) {
        assert!(!beginning.complete);
        let mut raw = beginning.raw.to_vec();
        assert_eq!(raw.len(), 100_000);
        let mut pieces = session.body_pieces(beginning.uid, 100_000, piece);
        while let Some(bytes) = pieces.next().await.unwrap() {
            raw.extend_from_slice(&bytes);
        }
        assert!(raw == whole, "message {} differs", beginning.uid);
    }
    let mut gone = session.body_pieces(uid(999), 0, piece);
    assert_eq!(gone.next().await.unwrap(), None);
    session.logout().await;
}

#[tokio::test]
async fn an_open_set_brings_nothing_below_its_beginning() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("openset").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..3).map(|number| message(number, 200)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    let beyond = UidSet::starting_at(uid(100));
    assert!(
        fetch_all(&mut session, vec![beyond.clone()], FetchSettings::default())
            .await
            .is_empty()
    );
    assert!(session.fetch_flags(&beyond).await.unwrap().is_empty());
    assert_eq!(session.all_uids().await.unwrap(), [uid(1), uid(2), uid(3)]);
    session.logout().await;
}

#[tokio::test]
async fn a_message_is_found_by_its_message_id() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("search").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..3).map(|number| message(number, 200)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    assert_eq!(
        session.search_message_id("<m1@example.test>").await.unwrap(),
        [uid(2)]
    );
    assert!(
        session
            .search_message_id("<none\"\\@example.test>")
            .await
            .unwrap()
            .is_empty()
    );
    for id in ["", "<a@b>\r\nP9 LOGOUT", "<ü@example.test>"] {
        let error = session.search_message_id(id).await.unwrap_err();
        assert!(matches!(error.kind, ImapErrorKind::Argument { .. }) && error.leaves_session_usable());
    }
    session.noop().await.unwrap();
    session.logout().await;
}

#[tokio::test]
async fn idle_ends_with_new_mail_with_time_and_on_request() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("idle").unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    let never = std::future::pending::<()>;

    let outcome = session.idle(Duration::from_millis(100), never()).await.unwrap();
    assert_eq!(outcome, IdleOutcome::TimedOut);
    let outcome = session
        .idle(Duration::from_secs(60), std::future::ready(()))
        .await
        .unwrap();
    assert_eq!(outcome, IdleOutcome::Stopped);

    let deliver = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        testbed.deliver(&user, &message(1, 300)).await.unwrap();
        Instant::now()
    };
    let (outcome, delivered) = tokio::join!(session.idle(Duration::from_secs(60), never()), deliver);
    assert_eq!(outcome.unwrap(), IdleOutcome::Changed);
    assert!(delivered.elapsed() < Duration::from_secs(2));
    assert_eq!(session.take_notices().exists, Some(1));
    session.logout().await;
}

#[tokio::test]
async fn what_others_do_is_noticed_and_not_lost() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("notices").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..3).map(|number| message(number, 200)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    assert_eq!(session.take_notices(), Notices::default());

    testbed.add_flag(&user, "INBOX", "uid 2", "\\Seen").await.unwrap();
    testbed.expunge(&user, "INBOX", "uid 1").await.unwrap();
    testbed.deliver(&user, &message(9, 300)).await.unwrap();
    session.noop().await.unwrap();
    // Untaken notices end a wait at once.
    let outcome = session
        .idle(Duration::from_secs(60), std::future::pending())
        .await
        .unwrap();
    assert_eq!(outcome, IdleOutcome::Changed);
    let notices = session.take_notices();
    assert_eq!(
        notices,
        Notices {
            exists: Some(3),
            expunged: 1,
            flags: true
        }
    );
    session.logout().await;
}

#[tokio::test]
async fn only_what_changed_is_asked_for() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("condstore").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..5).map(|number| message(number, 200)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    let opened = session.select(&folder("INBOX")).await.unwrap();
    testbed
        .add_flag(&user, "INBOX", "uid 3", "\\Answered")
        .await
        .unwrap();
    let since = opened.highest_mod_seq.unwrap();
    let changed = session
        .fetch_flags_changed_since(&UidSet::all(), since)
        .await
        .unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].uid, uid(3));
    assert!(changed[0].flags.contains(&Flag::Answered));
    assert!(changed[0].mod_seq.unwrap() > since);
    session.logout().await;
}

#[tokio::test]
async fn a_folder_tells_its_state_without_being_opened() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("status").unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..4).map(|number| message(number, 200)).collect(),
        )
        .await
        .unwrap();
    let mut session = rig::session(&testbed, &user).await;
    let status = session.status(&folder("INBOX")).await.unwrap();
    assert_eq!(
        (status.messages, status.unseen, status.uid_next),
        (Some(4), Some(4), Some(uid(5)))
    );
    assert!(status.uid_validity.is_some() && status.highest_mod_seq.is_some());
    session.logout().await;
}
