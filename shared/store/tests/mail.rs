//! Folders, messages, locations.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::{account, keys, mail::*, on_both, tenant};
use postroom_events::FlagsChange;
use postroom_store::{
    StoreError,
    folders::{self, CursorUpdate, FolderRole, ListedFolder},
    locations::{self, Departure, ServerFlags, join_flags},
    messages::{self, MessageFilter, Recipients},
};

fn listed(name: &str, uid_validity: i64) -> ListedFolder {
    ListedFolder {
        name: name.into(),
        delimiter: Some("/".into()),
        role: name.eq_ignore_ascii_case("inbox").then_some(FolderRole::Inbox),
        selectable: true,
        uid_validity: Some(uid_validity),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_come_go_and_are_renamed() {
    on_both(|store| async move {
        let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
        let reconcile = async |list: &[ListedFolder]| {
            let tx = store.begin("test.folders").await.unwrap();
            let changes = folders::reconcile(&tx, account.id, list).await.unwrap();
            for id in &changes.added {
                let row = folders::find(tx.db(), *id).await.unwrap();
                let validity = list
                    .iter()
                    .find(|f| f.name == row.name)
                    .unwrap()
                    .uid_validity
                    .unwrap();
                folders::begin_cursor(&tx, &row, validity, 5, 4).await.unwrap();
            }
            tx.commit().await.unwrap();
            changes
        };
        let changes = reconcile(&[listed("INBOX", 1), listed("Old", 2), listed("Work", 3)]).await;
        assert_eq!(changes.added.len(), 3);
        let again = reconcile(&[listed("INBOX", 1), listed("Old", 2), listed("Work", 3)]).await;
        assert!(again.is_empty(), "{again:?}");

        let before = folders::of_account(store.read(), account.id).await.unwrap();
        let work = before.iter().find(|row| row.name == "Work").unwrap();
        let changes = reconcile(&[listed("INBOX", 1), listed("Arbeit", 3), listed("New", 4)]).await;
        assert_eq!((changes.added.len(), changes.removed.len()), (1, 1));
        assert_eq!(changes.renamed, [work.id], "the id stays");
        let after = folders::of_account(store.read(), account.id).await.unwrap();
        let names: Vec<_> = after.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["Arbeit", "INBOX", "New"]);
        let inbox = after.iter().find(|row| row.name == "INBOX").unwrap();
        assert_eq!(inbox.known_role(), Some(FolderRole::Inbox));
        assert_eq!((inbox.uid_validity, inbox.first_uid_next), (Some(1), Some(5)));
        assert_eq!(folders::gone(store.read(), account.id).await.unwrap().len(), 1);

        // A folder of the old name comes anew: it is another one.
        assert_eq!(
            reconcile(&[listed("INBOX", 1), listed("Arbeit", 3), listed("Old", 9)])
                .await
                .added
                .len(),
            1
        );
        let other = tenant(&store).await;
        let stranger = folders::find_owned(store.read(), other, inbox.id).await;
        assert!(matches!(stranger, Err(StoreError::NotFound { .. })));
        assert!(
            folders::find_owned(store.read(), account.tenant_id, inbox.id)
                .await
                .is_ok()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_keeps_what_an_update_does_not_name() {
    on_both(|store| async move {
        let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        let tx = store.begin("test.cursor").await.unwrap();
        folders::advance(&tx, inbox.id, CursorUpdate::default())
            .await
            .unwrap();
        let update = CursorUpdate {
            uid_next: Some(77),
            highest_modseq: Some(Some(9)),
            ..CursorUpdate::default()
        };
        folders::advance(&tx, inbox.id, update).await.unwrap();
        tx.commit().await.unwrap();
        let after = folders::find(store.read(), inbox.id).await.unwrap();
        assert_eq!((after.uid_next, after.highest_modseq), (Some(77), Some(9)));
        assert_eq!(after.first_uid_next, inbox.first_uid_next);
        assert_eq!(after.uid_validity, inbox.uid_validity);
        assert_eq!(after.resets, 0);

        let tx = store.begin("test.reset").await.unwrap();
        folders::begin_cursor(&tx, &after, 8, 100, 99).await.unwrap();
        tx.commit().await.unwrap();
        let reset = folders::find(store.read(), inbox.id).await.unwrap();
        assert_eq!((reset.uid_validity, reset.resets), (Some(8), 1));
        assert_eq!((reset.highest_modseq, reset.first_uid_next), (None, Some(100)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_stored_once_and_found_again_by_its_owner() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        let mails: Vec<_> = (1..=1200).map(|n| mail(n, "\\Seen")).collect();
        record(&store, &packs, &inbox, &mails).await.unwrap();
        assert_eq!(messages::count(store.read(), account.id).await.unwrap(), 1200);
        assert_eq!(locations::count(store.read(), inbox.id, 1).await.unwrap(), 1200);

        // After a crash the same UIDs come again: known, and stored only once.
        let again: Vec<_> = (1100..=1300).map(|n| mail(n, "\\Flagged")).collect();
        record(&store, &packs, &inbox, &again).await.unwrap();
        assert_eq!(messages::count(store.read(), account.id).await.unwrap(), 1300);
        let uids = locations::uids(store.read(), inbox.id, 1).await.unwrap();
        assert_eq!(uids, (1..=1300).collect::<Vec<i64>>());

        let mut before = None;
        let mut seen = Vec::new();
        loop {
            let filter = MessageFilter {
                account_id: account.id,
                folder_id: Some(inbox.id),
                before,
                limit: 500,
            };
            let page = messages::list(store.read(), &filter).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some((last.received_at, last.id));
            seen.extend(page);
        }
        assert_eq!(seen.len(), 1300);
        assert!(seen.is_sorted_by_key(|row| std::cmp::Reverse((row.received_at, row.id))));
        assert_eq!(seen[0].subject, "Message 1300");
        assert_eq!(
            seen[0].all_recipients().unwrap().to[0].address,
            "you@example.test"
        );
        assert_eq!(packs.read(&seen[0]).await.unwrap(), raw(1300));

        let id = seen[0].id;
        assert!(
            messages::find_owned(store.read(), tenant_id, Some("u1"), id)
                .await
                .is_ok()
        );
        for (tenant_id, user) in [(tenant_id, Some("u2")), (tenant(&store).await, None)] {
            let found = messages::find_owned(store.read(), tenant_id, user, id).await;
            assert!(matches!(found, Err(StoreError::NotFound { .. })), "{found:?}");
        }
        let by_header = messages::by_message_id_header(store.read(), account.id, "7@example.test").await;
        assert_eq!(by_header.unwrap().len(), 1);
        let none = Recipients::default();
        assert_eq!(serde_json::to_value(none).unwrap(), serde_json::json!({}));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_takes_what_was_typed_as_it_is() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let other = common::account(&store, &keys(), tenant_id, "b@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        let sent = folder(&store, account.id, "Sent").await;
        let theirs = folder(&store, other.id, "INBOX").await;
        let subjects = [
            "100% sure",
            "100 sure",
            "snake_case",
            "snakeXcase",
            "ÖL! ist teuer",
            "Message",
        ];
        for (number, subject) in (1..).zip(subjects) {
            let place = if number == 3 { &sent } else { &inbox };
            let mut batch = prepare(&store, &packs, place, &[mail(number, "")]).await;
            batch.new[0].subject = subject.to_owned();
            let tx = store.begin("test.batch").await.unwrap();
            messages::record_batch(&tx, batch).await.unwrap();
            tx.commit().await.unwrap();
        }
        record(&store, &packs, &theirs, &[mail(99, "")]).await.unwrap();
        let found = async |text: &str, folder_id| {
            let filter = MessageFilter {
                account_id: account.id,
                folder_id,
                before: None,
                limit: 10,
            };
            let rows = messages::search(store.read(), &filter, text).await.unwrap();
            rows.into_iter().map(|row| row.subject).collect::<Vec<_>>()
        };
        assert_eq!(found("0%", None).await, ["100% sure"]);
        assert_eq!(found("E_C", None).await, ["snake_case"]);
        assert_eq!(found("ÖL!", None).await, ["ÖL! ist teuer"]);
        assert_eq!(
            found("SURE", None).await,
            ["100 sure", "100% sure"],
            "newest first"
        );
        assert_eq!(found("snake", Some(inbox.id)).await, ["snakeXcase"]);
        assert_eq!(found("'; drop table messages; --", None).await, [""; 0]);
        let sender = messages::list(
            store.read(),
            &MessageFilter {
                account_id: account.id,
                folder_id: None,
                before: None,
                limit: 1,
            },
        )
        .await
        .unwrap()
        .remove(0);
        assert_eq!(found(&sender.from_address.to_uppercase(), None).await.len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_messages_are_counted_by_folder_and_folders_are_chosen_by_their_owner() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let other = common::account(&store, &keys(), tenant_id, "b@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        let archive = folder(&store, account.id, "Archive").await;
        let theirs = folder(&store, other.id, "INBOX").await;
        record(
            &store,
            &packs,
            &inbox,
            &[mail(1, ""), mail(2, "\\Answered \\Seen"), mail(3, "$NotSeen")],
        )
        .await
        .unwrap();
        record(&store, &packs, &archive, &[mail(4, "\\Seen")])
            .await
            .unwrap();
        record(&store, &packs, &theirs, &[mail(5, "")]).await.unwrap();
        let unread = locations::unread(store.read(), account.id).await.unwrap();
        assert_eq!(unread, [(inbox.id, 2)].into());

        let tx = store.begin("test.choose").await.unwrap();
        folders::choose(&tx, account.id, &[archive.id, theirs.id], false)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mine = folders::choices(store.read(), account.id).await.unwrap();
        assert_eq!(mine, [(inbox.id, true), (archive.id, false)].into());
        assert_eq!(
            folders::choices(store.read(), other.id).await.unwrap(),
            [(theirs.id, true)].into()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_prepared_too_early_leaves_nothing_behind() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        // Prepared while the message was unknown, committed after somebody else stored it.
        let early = prepare(&store, &packs, &inbox, &[mail(1, ""), mail(2, "")]).await;
        record(&store, &packs, &inbox, &[mail(2, "")]).await.unwrap();
        let tx = store.begin("test.early").await.unwrap();
        let refused = messages::record_batch(&tx, early).await;
        assert!(
            matches!(refused, Err(StoreError::AlreadyExists { .. })),
            "{refused:?}"
        );
        drop(tx);
        assert_eq!(messages::count(store.read(), account.id).await.unwrap(), 1);

        // Prepared while the message was known, committed after it was erased.
        let early = prepare(&store, &packs, &inbox, &[mail(2, "")]).await;
        depart(&store, &inbox, &[2], far_past()).await;
        postroom_store::erasure::erase_messages(&store, &packs, 10)
            .await
            .unwrap();
        let tx = store.begin("test.early").await.unwrap();
        let refused = messages::record_batch(&tx, early).await;
        assert!(matches!(refused, Err(StoreError::Outdated { .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_are_taken_over_and_only_changes_are_told() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        record(
            &store,
            &packs,
            &inbox,
            &[mail(1, ""), mail(2, "\\Seen"), mail(3, "")],
        )
        .await
        .unwrap();
        let flags = |uid, flags: &[&str], modseq| ServerFlags {
            uid,
            flags: join_flags(flags.iter().copied()),
            modseq,
        };
        let tx = store.begin("test.flags").await.unwrap();
        let server = [
            flags(1, &["\\Seen", "\\Recent", "$Label"], Some(7)),
            flags(2, &["\\Seen"], None),
            flags(99, &["\\Seen"], None),
        ];
        let changes = locations::update_flags(&tx, inbox.id, 1, &server).await.unwrap();
        tx.commit().await.unwrap();
        let [FlagsChange { flags, message_id }] = changes.as_slice() else {
            panic!("{changes:?}");
        };
        assert_eq!(*flags, ["$Label", "\\Seen"]);
        let stored = locations::of_messages(store.read(), &[*message_id])
            .await
            .unwrap();
        assert_eq!((stored[0].uid, stored[0].modseq), (1, Some(7)));
        let tx = store.begin("test.flags").await.unwrap();
        assert!(
            locations::update_flags(&tx, inbox.id, 1, &server)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            locations::update_flags(&tx, inbox.id, 1, &[])
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[test]
fn flags_that_could_not_be_told_apart_again_are_left_out() {
    assert_eq!(join_flags(["b", "a", "a", "\\recent", "", "x y", "c\r\n"]), "a b");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_a_folder_was_moved_copied_before_or_deleted() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        let archive = folder(&store, account.id, "Archive").await;
        record(&store, &packs, &inbox, &[mail(1, ""), mail(2, ""), mail(3, "")])
            .await
            .unwrap();
        record(&store, &packs, &archive, &[mail(2, "")]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let copied_before = store.clock().now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        record(&store, &packs, &archive, &[mail(1, "")]).await.unwrap();
        let departures = depart(&store, &inbox, &[1, 2, 3, 77], copied_before).await;
        let mut kinds: Vec<_> = departures.iter().map(|(_, kind)| *kind).collect();
        kinds.sort_by_key(|kind| format!("{kind:?}"));
        assert_eq!(
            kinds,
            [
                Departure::Gone,
                Departure::Moved(archive.id),
                Departure::StillElsewhere
            ]
        );
        assert_eq!(messages::count(store.read(), account.id).await.unwrap(), 2);

        // What is gone comes back before it was erased: it is the same message.
        record(&store, &packs, &archive, &[mail(3, "")]).await.unwrap();
        assert_eq!(messages::count(store.read(), account.id).await.unwrap(), 3);
        assert_eq!(
            postroom_store::erasure::erase_messages(&store, &packs, 10)
                .await
                .unwrap(),
            0
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_uidvalidity_keeps_the_messages_and_links_them_again() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
        let mut inbox = folder(&store, account.id, "INBOX").await;
        record(&store, &packs, &inbox, &[mail(1, ""), mail(2, "")])
            .await
            .unwrap();
        let tx = store.begin("test.reset").await.unwrap();
        assert_eq!(locations::drop_outdated(&tx, inbox.id, 2).await.unwrap(), 2);
        tx.commit().await.unwrap();
        inbox.uid_validity = Some(2);
        record(&store, &packs, &inbox, &[mail(2, "")]).await.unwrap();
        assert_eq!(messages::count(store.read(), account.id).await.unwrap(), 2);
        let lost = messages::without_location(store.read(), account.id, 10)
            .await
            .unwrap();
        assert_eq!(lost.len(), 1, "the one that did not come back");
    })
    .await;
}

fn far_past() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}
