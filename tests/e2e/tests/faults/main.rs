//! What must survive: services killed in the middle of their work, a broker and a database that go and come back, workers
//! that freeze. Nothing is lost, nothing is doubled, and nobody lends a hand.
#![allow(clippy::unwrap_used)] // bodies of the tests

mod backfill;
mod broker;
mod connecting;
mod database;
mod leases;
mod publishing;
mod refresh;
mod secrets;
mod sending;

use std::time::Duration;

use postroom_e2e::Stack;
use postroom_test_support::{TcpProxy, TestUser, Testbed, eventually};
use serde_json::{Value, json};

/// How long anything may take after a fault: a worker's holds run out, then the next one takes over.
const PATIENCE: Duration = Duration::from_secs(120);

/// A proxy in front of the IMAP server.
async fn imap_proxy(testbed: &Testbed) -> TcpProxy {
    let target = format!("{}:{}", testbed.imap.host, testbed.imap.tls_port);
    TcpProxy::start(&target).await.unwrap()
}

/// A proxy in front of the submission server.
async fn smtp_proxy(testbed: &Testbed) -> TcpProxy {
    let server = &testbed.submission;
    let target = format!("{}:{}", server.host, server.starttls_port);
    TcpProxy::start(&target).await.unwrap()
}

/// A short mail to somebody.
fn letter(to: &TestUser, subject: &str) -> Value {
    json!({ "to": [to.address], "subject": subject, "text": "A short mail." })
}

/// Waits until a mailbox on the server holds so many messages.
async fn wait_for_count(testbed: &Testbed, user: &TestUser, folder: &str, count: usize) {
    eventually(PATIENCE, &format!("{count} messages in {folder}"), async || {
        let there = testbed.mailbox_count(user, folder).await.unwrap();
        (there == count).then_some(()).ok_or(there)
    })
    .await;
}

/// The subjects of what was announced as new in INBOX, sorted: one that is there twice was announced twice.
async fn announced(stack: &Stack, account: &str) -> Vec<String> {
    let filter = format!("account={account}&type=message.received");
    let inbox = stack.folder(account, "INBOX").await.unwrap()["id"].clone();
    let mut subjects = Vec::new();
    for event in stack.events(&filter).await.unwrap() {
        if event["data"]["folder_id"] != inbox {
            continue;
        }
        let id = event["data"]["message_id"].as_str().unwrap();
        let message = stack.api.get(&format!("/v1/messages/{id}")).await.unwrap();
        subjects.push(message["subject"].as_str().unwrap().to_owned());
    }
    subjects.sort();
    subjects
}

/// Waits until exactly these were announced as new mail of an account.
async fn wait_for_announced(stack: &Stack, account: &str, subjects: &[&str]) {
    let mut expected = subjects.to_vec();
    expected.sort_unstable();
    eventually(PATIENCE, &format!("{expected:?} to be announced"), async || {
        let found = announced(stack, account).await;
        (found.len() >= expected.len())
            .then_some(())
            .ok_or(format!("{found:?}"))
    })
    .await;
    assert_eq!(announced(stack, account).await, expected);
}

/// Borrows each of them.
fn all(subjects: &[String]) -> Vec<&str> {
    subjects.iter().map(String::as_str).collect()
}
