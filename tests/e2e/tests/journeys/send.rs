//! Sending: it arrives, Sent holds one copy, a repeated request is one mail, refusals are told per recipient.

use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes};
use postroom_test_support::{TestUser, Testbed, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::PATIENCE;

in_both_modes!(mail_that_was_sent_arrives_once);

struct Correspondence {
    testbed: Testbed,
    stack: Stack,
    ada: TestUser,
    from: String,
    bob: TestUser,
    to: String,
}

async fn mail_that_was_sent_arrives_once(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let (ada, bob) = (
        testbed.create_user("send-ada").unwrap(),
        testbed.create_user("send-bob").unwrap(),
    );
    testbed.create_folder(&ada, "Sent").await.ok(); // there already where the server makes it by itself
    let options = StackOptions::with_openid(&testbed).await.unwrap();
    let stack = Stack::start(mode, options).await.unwrap();
    let from = stack.connect_by_oauth(&testbed, &ada).await.unwrap();
    let to = stack.connect_by_password(&testbed, &bob).await.unwrap();
    for account in [&from, &to] {
        stack.wait_for_state(account, "connected", PATIENCE).await;
    }
    let letters = Correspondence {
        testbed,
        stack,
        ada,
        from,
        bob,
        to,
    };
    letters.it_arrives_and_is_kept_in_sent().await;
    letters.a_repeated_request_is_one_mail().await;
    letters.refused_recipients_are_named().await;
    letters.each_mail_is_in_sent_once().await;
    assert!(letters.stack.dead_letters().await.unwrap().is_empty());
}

impl Correspondence {
    async fn it_arrives_and_is_kept_in_sent(&self) {
        let mail = json!({
            "to": [self.bob.address],
            "bcc": ["hidden@elsewhere.example"],
            "subject": "Grüße an Bob",
            "text": "Fünf Kästen.\n.\nEin Punkt allein in einer Zeile.",
            "attachments": [{ "name": "Liste.txt", "type": "text/plain", "content": "ZWlucwp6d2VpCg==" }],
        });
        let id = self.stack.send(&self.from, &mail).await.unwrap();
        let sent = self.stack.wait_for_submission(&id, "sent", PATIENCE).await;
        assert_eq!(sent["attempts"], 1, "{sent}");
        let received = format!("account={}&type=message.received", self.to);
        let told = self.stack.wait_for_events(&received, 1, PATIENCE).await;
        let message = told[0]["data"]["message_id"].as_str().unwrap();
        let message = self
            .stack
            .api
            .get(&format!("/v1/messages/{message}"))
            .await
            .unwrap();
        assert_eq!(message["subject"], "Grüße an Bob");
        assert_eq!(message["message_id"], sent["message_id"]);
        let text = message["content"]["text"].as_str().unwrap().replace("\r\n", "\n");
        assert!(text.contains("Fünf Kästen.\n.\nEin Punkt"), "{text}");
        assert_eq!(message["content"]["attachments"][0]["name"], "Liste.txt");
        let raw = self
            .testbed
            .mailbox_raw(&self.bob, "INBOX")
            .await
            .unwrap()
            .remove(0);
        assert!(
            !String::from_utf8_lossy(&raw).contains("hidden@"),
            "Bcc is nobody's business"
        );
    }

    async fn a_repeated_request_is_one_mail(&self) {
        let mail = json!({ "to": [self.bob.address], "subject": "Only once", "text": "x" });
        let other = json!({ "to": [self.bob.address], "subject": "Another one", "text": "x" });
        let again = || self.stack.send_once(&self.from, "order-4711", &mail);
        // Two at the same moment, and one afterwards.
        let (first, second) = tokio::join!(again(), again());
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!((first.0, second.0), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
        let id = first.1["submission_id"].as_str().unwrap();
        self.stack.wait_for_submission(id, "sent", PATIENCE).await;
        let third = again().await.unwrap();
        for answer in [&second.1, &third.1] {
            assert_eq!(answer["submission_id"], first.1["submission_id"]);
        }
        let (status, refused) = self
            .stack
            .send_once(&self.from, "order-4711", &other)
            .await
            .unwrap();
        assert_eq!(status, StatusCode::CONFLICT, "{refused}");
        assert_eq!(refused["code"], "idempotency_key_reused");
        let received = format!("account={}&type=message.received", self.to);
        self.stack.wait_for_events(&received, 2, PATIENCE).await;
        assert_eq!(self.testbed.mailbox_count(&self.bob, "INBOX").await.unwrap(), 2);
    }

    async fn refused_recipients_are_named(&self) {
        let nobody = format!("reject-7@{}", self.testbed.domain);
        let mail = json!({ "to": [self.bob.address, nobody], "subject": "To one of two", "text": "x" });
        let id = self.stack.send(&self.from, &mail).await.unwrap();
        let half = self.stack.wait_for_submission(&id, "sent", PATIENCE).await;
        let states: Vec<_> = recipients(&half).collect();
        assert_eq!(states, ["sent", "failed"], "{half}");
        assert_eq!(half["recipients"][1]["smtp_code"], 550, "{half}");
        assert_eq!(half["recipients"][1]["enhanced_code"], "5.1.1", "{half}");

        let mail = json!({ "to": [nobody], "subject": "To nobody", "text": "x" });
        let id = self.stack.send(&self.from, &mail).await.unwrap();
        let failed = self.stack.wait_for_submission(&id, "failed", PATIENCE).await;
        assert!(failed["cause"].is_string(), "{failed}");
        let told = format!("account={}&type=send.failed", self.from);
        let told = self.stack.wait_for_events(&told, 1, PATIENCE).await;
        assert_eq!(told.len(), 1);
        assert!(!told[0].to_string().contains(&nobody), "events hold no addresses");

        let busy = format!("tempfail-7@{}", self.testbed.domain);
        let mail = json!({ "to": [busy], "subject": "Later", "text": "x" });
        let id = self.stack.send(&self.from, &mail).await.unwrap();
        let deferred = self.stack.wait_for_submission(&id, "deferred", PATIENCE).await;
        assert!(deferred["next_attempt_at"].is_string(), "{deferred}");
    }

    /// Three mails left, and each has its copy in Sent: on the server, and here.
    async fn each_mail_is_in_sent_once(&self) {
        let subjects = ["Grüße an Bob", "Only once", "To one of two"];
        eventually(PATIENCE, "three copies in Sent", async || {
            let count = self.testbed.mailbox_count(&self.ada, "Sent").await.unwrap();
            (count >= subjects.len()).then_some(()).ok_or(count)
        })
        .await;
        let path = format!("/v1/accounts/{}/sync", self.from);
        self.stack.api.post(&path, &json!({})).await.unwrap();
        self.stack
            .wait_for_same(&self.testbed, &self.ada, &self.from, "Sent", PATIENCE)
            .await;
        let sent = self.stack.messages_in(&self.from, "Sent").await.unwrap();
        let mut found: Vec<_> = sent
            .iter()
            .map(|message| message["subject"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found, subjects);
        assert_eq!(self.testbed.mailbox_count(&self.bob, "INBOX").await.unwrap(), 3);
    }
}

fn recipients(submission: &Value) -> impl Iterator<Item = &str> {
    let recipients = submission["recipients"].as_array().unwrap();
    recipients
        .iter()
        .map(|recipient| recipient["state"].as_str().unwrap())
}
