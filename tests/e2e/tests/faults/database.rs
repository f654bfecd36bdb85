//! PostgreSQL is killed in the middle of a first sync and comes back, then it is restarted in order.

use std::time::Duration;

use postroom_corpus::Corpus;
use postroom_e2e::{Mode, Stack, StackOptions, connect_request, small_mail};
use postroom_test_support::{SeedMessage, TestUser, Testbed, eventually};
use serde_json::json;

use crate::{PATIENCE, imap_proxy, letter, wait_for_announced, wait_for_count};

const MESSAGES: u64 = 800;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_cost_nothing() {
    let testbed = Testbed::load().unwrap();
    let (ada, bob) = (
        testbed.create_user("database-ada").unwrap(),
        testbed.create_user("database-bob").unwrap(),
    );
    fill(&testbed, &bob).await;
    let mut postgres = testbed.private_postgres().await.unwrap();
    let options = StackOptions {
        database_url: Some(postgres.url()),
        ..StackOptions::default()
    };
    let stack = Stack::start(Mode::Distributed, options).await.unwrap();
    let from = stack.connect_by_password(&testbed, &ada).await.unwrap();
    stack.wait_for_state(&from, "connected", PATIENCE).await;

    let slow = imap_proxy(&testbed).await;
    slow.delay(Duration::from_millis(15));
    let mut request = connect_request(&testbed, &bob);
    request["imap"]["port"] = json!(slow.port());
    let to = stack.connect(&request).await.unwrap();
    let half_done = eventually(PATIENCE, "the first sync to be under way", async || {
        let shown = stack.account(&to).await.unwrap();
        let done = shown["progress"]["messages_done"].as_u64().unwrap();
        (done > 0).then_some(done)
    })
    .await;
    assert!(half_done < MESSAGES);
    postgres.kill().await.unwrap();
    slow.delay(Duration::ZERO);
    let during = "while the database was away";
    testbed.deliver(&bob, &small_mail(during)).await.unwrap();
    assert!(stack.account(&to).await.is_err(), "the API cannot answer now");
    postgres.start().await.unwrap();
    comes_back(&stack, &to).await;
    stack.wait_for_same(&testbed, &bob, &to, "INBOX", PATIENCE).await;
    wait_for_announced(&stack, &to, &[during]).await;

    postgres.stop().await.unwrap();
    postgres.start().await.unwrap();
    comes_back(&stack, &to).await;
    let last = "after all that";
    let submission = stack.send(&from, &letter(&bob, last)).await.unwrap();
    stack.wait_for_submission(&submission, "sent", PATIENCE).await;
    wait_for_announced(&stack, &to, &[during, last]).await;
    wait_for_count(&testbed, &bob, "INBOX", MESSAGES as usize + 2).await;
    assert!(stack.dead_letters().await.unwrap().is_empty());
}

async fn fill(testbed: &Testbed, user: &TestUser) {
    let corpus = Corpus::new(41, MESSAGES).addressed_to(&user.address);
    let messages = corpus
        .messages()
        .map(|mail| SeedMessage::new(mail.raw).received(mail.received_at));
    testbed.seed(user, "INBOX", messages.collect()).await.unwrap();
}

async fn comes_back(stack: &Stack, account: &str) {
    eventually(PATIENCE, "the account to be connected again", async || {
        let shown = stack.account(account).await?;
        anyhow::ensure!(shown["state"] == "connected", "{shown}");
        anyhow::Ok(())
    })
    .await;
}
