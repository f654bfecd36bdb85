//! What happens to a mailbox from outside is seen here: new mail, flags, moves, deletions.

use std::time::{Duration, Instant};

use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes, small_mail};
use postroom_test_support::{TestUser, Testbed, eventually};
use serde_json::Value;

use crate::PATIENCE;

/// From the server's "delivered" to the event in the log.
const NEW_MAIL_WITHIN: Duration = Duration::from_secs(2);
const DELIVERIES: usize = 7;

in_both_modes!(changes_on_the_server_are_seen_here);

async fn changes_on_the_server_are_seen_here(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("live").unwrap();
    testbed
        .seed(&user, "Archive", vec![small_mail("was there before")])
        .await
        .unwrap();
    let stack = Stack::start(mode, StackOptions::default()).await.unwrap();
    let account = stack.connect_by_password(&testbed, &user).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;

    new_mail_arrives_at_once(&testbed, &stack, &user, &account).await;
    flags_are_seen(&testbed, &stack, &user, &account).await;
    moves_and_deletions_are_told_apart(&testbed, &stack, &user, &account).await;
    for folder in ["INBOX", "Archive"] {
        stack
            .compare_folder(&testbed, &user, &account, folder)
            .await
            .unwrap();
    }
    assert!(stack.dead_letters().await.unwrap().is_empty());
}

async fn new_mail_arrives_at_once(testbed: &Testbed, stack: &Stack, user: &TestUser, account: &str) {
    let received = format!("account={account}&type=message.received");
    let mut took = Vec::new();
    for number in 1..=DELIVERIES {
        testbed
            .deliver(user, &small_mail(&format!("live {number}")))
            .await
            .unwrap();
        let delivered = Instant::now();
        let told = stack.wait_for_events(&received, number, PATIENCE).await;
        took.push(delivered.elapsed());
        assert_eq!(told.len(), number, "one event a mail");
    }
    took.sort();
    let median = took[DELIVERIES / 2];
    assert!(median < NEW_MAIL_WITHIN, "{took:?}");
    stack
        .compare_folder(testbed, user, account, "INBOX")
        .await
        .unwrap();
}

async fn flags_are_seen(testbed: &Testbed, stack: &Stack, user: &TestUser, account: &str) {
    testbed.add_flag(user, "INBOX", "uid 2", "\\Seen").await.unwrap();
    testbed
        .add_flag(user, "INBOX", "uid 2", "$Invoice")
        .await
        .unwrap();
    eventually(PATIENCE, "the flags of UID 2 here", async || {
        let flags = flags_of(&stack.messages_in(account, "INBOX").await.unwrap()[1]);
        (flags == ["$Invoice", "\\Seen"])
            .then_some(())
            .ok_or(format!("{flags:?}"))
    })
    .await;
    testbed
        .remove_flag(user, "INBOX", "uid 2", "\\Seen")
        .await
        .unwrap();
    eventually(PATIENCE, "the flag of UID 2 to be gone here", async || {
        let flags = flags_of(&stack.messages_in(account, "INBOX").await.unwrap()[1]);
        (flags == ["$Invoice"]).then_some(()).ok_or(format!("{flags:?}"))
    })
    .await;
    let changed = stack
        .events(&format!("account={account}&type=message.flags_changed"))
        .await
        .unwrap();
    let id = &stack.messages_in(account, "INBOX").await.unwrap()[1]["id"];
    let changes: Vec<_> = changed
        .iter()
        .flat_map(|event| event["data"]["changes"].as_array().unwrap())
        .collect();
    assert!(
        changes.len() >= 2 && changes.iter().all(|change| change["message_id"] == *id),
        "{changed:?}"
    );
}

fn flags_of(message: &Value) -> Vec<String> {
    let flags = message["locations"][0]["flags"].as_array().unwrap();
    let mut flags: Vec<_> = flags
        .iter()
        .map(|flag| flag.as_str().unwrap().to_owned())
        .collect();
    flags.sort();
    flags
}

async fn moves_and_deletions_are_told_apart(
    testbed: &Testbed,
    stack: &Stack,
    user: &TestUser,
    account: &str,
) {
    let inbox = stack.messages_in(account, "INBOX").await.unwrap();
    let (moved, deleted) = (inbox[2]["id"].clone(), inbox[3]["id"].clone());
    testbed
        .move_messages(user, "INBOX", "uid 3", "Archive")
        .await
        .unwrap();
    testbed.expunge(user, "INBOX", "uid 4").await.unwrap();

    let moves = stack
        .wait_for_events(&format!("account={account}&type=message.moved"), 1, PATIENCE)
        .await;
    let deletions = stack
        .wait_for_events(&format!("account={account}&type=message.deleted"), 1, PATIENCE)
        .await;
    let ids = |events: &[Value]| -> Vec<Value> {
        let ids = events
            .iter()
            .map(|event| event["data"]["message_ids"].as_array().unwrap().clone());
        ids.flatten().collect()
    };
    assert_eq!(ids(&moves), std::slice::from_ref(&moved));
    assert_eq!(ids(&deletions), std::slice::from_ref(&deleted));
    let archive = stack.messages_in(account, "Archive").await.unwrap();
    assert!(
        archive.iter().any(|message| message["id"] == moved),
        "the same message, elsewhere"
    );
    let told = stack
        .events(&format!("account={account}&type=message.received"))
        .await
        .unwrap();
    assert_eq!(told.len(), DELIVERIES, "what moved is not new");
}
