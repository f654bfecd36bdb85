//! smtp-sender is killed before a mail has left, and between the mail and the server's reply to it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use postroom_e2e::{Mode, Stack, StackOptions, connect_request, in_both_modes};
use postroom_test_support::{TcpProxy, TestUser, Testbed, eventually};
use serde_json::{Value, json};

use crate::{PATIENCE, letter, smtp_proxy, wait_for_count};

/// Bytes of the attachment, and how many bytes on the way show that it is being handed over.
const LARGE: usize = 4 * 1024 * 1024;
const UNDER_WAY: u64 = 1024 * 1024;

in_both_modes!(mail_leaves_once_whenever_its_sender_is_killed);

/// Somebody whose mail goes through a proxy.
struct Sender {
    user: TestUser,
    account: String,
    proxy: TcpProxy,
}

impl Sender {
    async fn connect(testbed: &Testbed, stack: &Stack, name: &str) -> Self {
        let user = testbed.create_user(name).unwrap();
        let proxy = smtp_proxy(testbed).await;
        let mut request = connect_request(testbed, &user);
        request["smtp"]["port"] = json!(proxy.port());
        let account = stack.connect(&request).await.unwrap();
        stack.wait_for_state(&account, "connected", PATIENCE).await;
        Self { user, account, proxy }
    }
}

async fn mail_leaves_once_whenever_its_sender_is_killed(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let (bob, eve) = (
        testbed.create_user("killed-bob").unwrap(),
        testbed.create_user("killed-eve").unwrap(),
    );
    let mut stack = Stack::start(mode, StackOptions::default()).await.unwrap();
    let early = Sender::connect(&testbed, &stack, "killed-early").await;
    let late = Sender::connect(&testbed, &stack, "killed-late").await;

    early.proxy.hold();
    let unsent = stack
        .send(&early.account, &letter(&bob, "Not left yet"))
        .await
        .unwrap();
    stack.wait_for_submission(&unsent, "sending", PATIENCE).await;
    let unknown = hand_over_without_answer(&testbed, &stack, &late, &eve).await;
    let name = stack.process_of("smtp-sender").to_owned();
    stack.kill(&name).unwrap();
    for proxy in [&early.proxy, &late.proxy] {
        proxy.cut();
        proxy.release();
    }
    stack.restart(&name).await.unwrap();

    let sent = stack.wait_for_submission(&unsent, "sent", PATIENCE).await;
    assert_eq!(sent["recipients"][0]["state"], "sent", "{sent}");
    wait_for_count(&testbed, &bob, "INBOX", 1).await;
    wait_for_count(&testbed, &early.user, "Sent", 1).await;
    // Nobody knows, so it is said, and it is not sent again.
    let uncertain = stack.wait_for_submission(&unknown, "uncertain", PATIENCE).await;
    assert!(uncertain["cause"].is_string(), "{uncertain}");
    let told = format!("account={}&type=send.uncertain", late.account);
    assert_eq!(stack.events(&told).await.unwrap().len(), 1);
    assert_eq!(testbed.mailbox_count(&eve, "INBOX").await.unwrap(), 1);
    assert_eq!(testbed.mailbox_count(&bob, "INBOX").await.unwrap(), 1);
    others_go_on(&testbed, &stack, &late, &bob).await;
    assert_eq!(testbed.mailbox_count(&eve, "INBOX").await.unwrap(), 1);
}

/// The server takes the mail, and its answer does not come through. Gives the submission.
async fn hand_over_without_answer(
    testbed: &Testbed,
    stack: &Stack,
    sender: &Sender,
    to: &TestUser,
) -> String {
    let before = sender.proxy.sent();
    sender.proxy.delay(Duration::from_millis(10));
    let id = stack.send(&sender.account, &large(to)).await.unwrap();
    eventually(PATIENCE, "the mail to be on its way", async || {
        sender.proxy.sent() > before + UNDER_WAY
    })
    .await;
    sender.proxy.hold_answers();
    wait_for_count(testbed, to, "INBOX", 1).await;
    let shown = stack.submission(&id).await.unwrap();
    assert_eq!(shown["state"], "sending", "the answer came through: {shown}");
    id
}

fn large(to: &TestUser) -> Value {
    let content = STANDARD.encode(vec![b'x'; LARGE]);
    let attachment = json!({ "name": "large.bin", "type": "application/octet-stream", "content": content });
    json!({ "to": [to.address], "subject": "A large one", "text": "See below.", "attachments": [attachment] })
}

/// The account's other mail is not held up by the one that nobody knows about.
async fn others_go_on(testbed: &Testbed, stack: &Stack, sender: &Sender, to: &TestUser) {
    let next = stack
        .send(&sender.account, &letter(to, "The next one"))
        .await
        .unwrap();
    stack.wait_for_submission(&next, "sent", PATIENCE).await;
    wait_for_count(testbed, to, "INBOX", 2).await;
}
