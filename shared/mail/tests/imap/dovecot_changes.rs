//! Changing what Dovecot holds: flags, copies, moves, deletion, APPEND.

use postroom_mail::imap::{Flag, FlagChange, Flags, ImapErrorKind, ImapSession, Uid, UidSet};
use postroom_test_support::{TestUser, Testbed};

use crate::rig::{self, fetch_all, folder, message};

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

fn flags(texts: &[&str]) -> Flags {
    texts.iter().map(|text| Flag::from_wire(text).unwrap()).collect()
}

async fn with_messages(testbed: &Testbed, prefix: &str, count: usize) -> (TestUser, ImapSession) {
    let user = testbed.create_user(prefix).unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            (0..count).map(|number| message(number, 300)).collect(),
        )
        .await
        .unwrap();
    testbed.create_folder(&user, "Elsewhere").await.unwrap();
    let mut session = rig::session(testbed, &user).await;
    session.select(&folder("INBOX")).await.unwrap();
    (user, session)
}

async fn flags_of(session: &mut ImapSession, number: u32) -> String {
    session.fetch_flags(&UidSet::one(uid(number))).await.unwrap()[0]
        .flags
        .to_string()
}

#[tokio::test]
async fn flags_are_added_removed_and_replaced() {
    let testbed = Testbed::load().unwrap();
    let (_user, mut session) = with_messages(&testbed, "store", 2).await;
    let both: UidSet = [uid(1), uid(2)].into_iter().collect();
    session
        .store_flags(&both, &FlagChange::Add(flags(&["\\Seen", "$Forwarded"])))
        .await
        .unwrap();
    assert_eq!(flags_of(&mut session, 1).await, "(\\Seen $Forwarded)");
    session
        .store_flags(&UidSet::one(uid(1)), &FlagChange::Remove(flags(&["\\Seen"])))
        .await
        .unwrap();
    assert_eq!(flags_of(&mut session, 1).await, "($Forwarded)");
    session
        .store_flags(&UidSet::one(uid(1)), &FlagChange::Replace(flags(&["\\Answered"])))
        .await
        .unwrap();
    assert_eq!(flags_of(&mut session, 1).await, "(\\Answered)");
    assert_eq!(flags_of(&mut session, 2).await, "(\\Seen $Forwarded)");
    session.logout().await;
}

#[tokio::test]
async fn copied_and_moved_messages_are_found_where_the_server_says() {
    let testbed = Testbed::load().unwrap();
    let (_user, mut session) = with_messages(&testbed, "move", 5).await;
    let target = folder("Elsewhere");
    let copied = session
        .copy_messages(&UidSet::one(uid(1)), &target)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(copied.pairs, [(uid(1), uid(1))]);
    let moving: UidSet = [uid(2), uid(4)].into_iter().collect();
    let outcome = session.move_messages(&moving, &target).await.unwrap();
    assert!(!outcome.left_marked_deleted);
    let moved = outcome.copied.unwrap();
    assert_eq!(moved.pairs, [(uid(2), uid(2)), (uid(4), uid(3))]);
    assert_eq!(moved.uid_validity, copied.uid_validity);
    assert_eq!(session.all_uids().await.unwrap(), [uid(1), uid(3), uid(5)]);
    assert_eq!(session.take_notices().expunged, 2);
    let opened = session.select(&target).await.unwrap();
    assert_eq!((opened.exists, opened.uid_validity), (3, moved.uid_validity));
    let error = session
        .move_messages(&UidSet::all(), &folder("not there"))
        .await
        .unwrap_err();
    let ImapErrorKind::No { answer, .. } = &error.kind else {
        panic!("{error:?}")
    };
    assert!(answer.has_code("TRYCREATE"), "{answer:?}");
    session.logout().await;
}

#[tokio::test]
async fn exactly_the_messages_named_are_deleted() {
    let testbed = Testbed::load().unwrap();
    let (user, mut session) = with_messages(&testbed, "delete", 4).await;
    testbed
        .add_flag(&user, "INBOX", "uid 1", "\\Deleted")
        .await
        .unwrap();
    assert!(session.delete_messages(&UidSet::one(uid(3))).await.unwrap());
    assert_eq!(
        session.all_uids().await.unwrap(),
        [uid(1), uid(2), uid(4)],
        "another client's mark was expunged too"
    );
    session.logout().await;
}

#[tokio::test]
async fn an_appended_message_is_where_the_server_says_byte_for_byte() {
    let testbed = Testbed::load().unwrap();
    let (_user, mut session) = with_messages(&testbed, "append", 1).await;
    let date = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let inbox = folder("INBOX");
    let validity = session.select(&inbox).await.unwrap().uid_validity;
    // Small ones go out at once, large ones wait for the server's leave; the open folder announces each by EXISTS.
    for (number, size) in [(10, 100), (11, 60_000), (12, 70_000), (13, 3_000_000)] {
        let raw = message(number, size);
        let (at, uid) = session
            .append(&inbox, &flags(&["\\Seen", "$Own"]), Some(date), &raw)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(at, validity);
        let fetched = fetch_all(&mut session, vec![UidSet::one(uid)], Default::default()).await;
        assert!(fetched[0].raw == raw, "{size} bytes came back changed");
        assert_eq!(fetched[0].internal_date, Some(date));
        assert_eq!(fetched[0].flags.as_ref().unwrap().to_string(), "(\\Seen $Own)");
    }
    assert_eq!(session.take_notices().exists, Some(5));
    for size in [100, 70_000] {
        let error = session
            .append(&folder("not there"), &Flags::default(), None, &message(1, size))
            .await
            .unwrap_err();
        let ImapErrorKind::No { answer, .. } = &error.kind else {
            panic!("{error:?}")
        };
        assert!(answer.has_code("TRYCREATE"), "{answer:?}");
        session.noop().await.unwrap();
    }
    let error = session
        .append(&inbox, &Flags::default(), None, b"a\0b")
        .await
        .unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Argument { .. }));
    session.logout().await;
}
