//! RabbitMQ is killed and comes back, then it is restarted in order.

use postroom_e2e::{Mode, Stack, StackOptions, small_mail};
use postroom_test_support::{TestUser, Testbed, eventually};
use reqwest::StatusCode;

use crate::{PATIENCE, all, letter, wait_for_announced, wait_for_count};

const EACH: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_away_cost_nothing() {
    let testbed = Testbed::load().unwrap();
    let (ada, bob) = (
        testbed.create_user("broker-ada").unwrap(),
        testbed.create_user("broker-bob").unwrap(),
    );
    let mut broker = testbed.private_rabbitmq().await.unwrap();
    let options = StackOptions {
        amqp_url: Some(broker.url()),
        ..StackOptions::default()
    };
    let stack = Stack::start(Mode::Distributed, options).await.unwrap();
    let from = stack.connect_by_password(&testbed, &ada).await.unwrap();
    let to = stack.connect_by_password(&testbed, &bob).await.unwrap();
    for account in [&from, &to] {
        stack.wait_for_state(account, "connected", PATIENCE).await;
    }

    broker.kill().await.unwrap();
    let mut new = Vec::new();
    let mut submissions = Vec::new();
    for number in 0..EACH {
        let (sent, delivered) = (format!("sent {number}"), format!("delivered {number}"));
        submissions.push(stack.send(&from, &letter(&bob, &sent)).await.unwrap());
        testbed.deliver(&bob, &small_mail(&delivered)).await.unwrap();
        new.extend([sent, delivered]);
    }
    says_that_it_is_not_ready(&stack).await;
    broker.start().await.unwrap();
    for submission in &submissions {
        stack.wait_for_submission(submission, "sent", PATIENCE).await;
    }
    wait_for_announced(&stack, &to, &all(&new)).await;

    broker.stop().await.unwrap();
    broker.start().await.unwrap();
    let submission = stack.send(&from, &letter(&bob, "after all that")).await.unwrap();
    stack.wait_for_submission(&submission, "sent", PATIENCE).await;
    new.push("after all that".to_owned());
    wait_for_announced(&stack, &to, &all(&new)).await;
    nothing_is_left_over(&testbed, &stack, &bob, new.len()).await;
    assert_eq!(stack.states(&to).await.unwrap(), ["syncing", "connected"]);
}

async fn says_that_it_is_not_ready(stack: &Stack) {
    eventually(PATIENCE, "readiness to end", async || {
        let answer = reqwest::get(format!("{}/readyz", stack.api.base()))
            .await
            .unwrap();
        let status = answer.status();
        let reasons = answer.text().await.unwrap();
        (status == StatusCode::SERVICE_UNAVAILABLE)
            .then_some(())
            .ok_or(reasons)
    })
    .await;
}

async fn nothing_is_left_over(testbed: &Testbed, stack: &Stack, bob: &TestUser, count: usize) {
    wait_for_count(testbed, bob, "INBOX", count).await;
    let left = "select (select count(*) from event_outbox) + (select count(*) from scheduled_retries)";
    eventually(PATIENCE, "outbox and retries to be empty", async || {
        let left = stack.query(left).await.unwrap();
        (left.trim() == "0").then_some(()).ok_or(left)
    })
    .await;
    assert!(stack.dead_letters().await.unwrap().is_empty());
}
