//! Every service is killed between its commit and the publishing of what it committed.

use std::time::Duration;

use postroom_e2e::{Mode, SERVICES, Stack, StackOptions, small_mail};
use postroom_test_support::{FreshVhost, Settings, TcpProxy, Testbed, eventually};

use crate::{PATIENCE, letter, wait_for_announced, wait_for_count};

const TOKEN_SECONDS: u32 = 16;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_published_though_everybody_died() {
    let testbed = Testbed::load().unwrap();
    let (ada, bob) = (
        testbed.create_user("publish-ada").unwrap(),
        testbed.create_user("publish-bob").unwrap(),
    );
    let short = Settings {
        access_token_ttl: Some(TOKEN_SECONDS),
        ..Settings::default()
    };
    testbed.openid().configure(&ada, short).await.unwrap();
    let vhost = testbed.fresh_vhost().await.unwrap();
    let (broker, amqp_url) = broker_behind_a_proxy(&vhost).await;
    let options = StackOptions {
        amqp_url: Some(amqp_url),
        ..StackOptions::with_openid(&testbed).await.unwrap()
    };
    let mut stack = Stack::start(Mode::Distributed, options).await.unwrap();
    let from = stack.connect_by_oauth(&testbed, &ada).await.unwrap();
    let to = stack.connect_by_password(&testbed, &bob).await.unwrap();
    for account in [&from, &to] {
        stack.wait_for_state(account, "connected", PATIENCE).await;
    }
    eventually(PATIENCE, "the outbox to be empty", async || {
        outbox(&stack).await == 0
    })
    .await;

    // The broker falls silent. What each service commits from now on stays in the outbox.
    broker.hold();
    let submission = stack.send(&from, &letter(&bob, "A request")).await.unwrap();
    testbed.deliver(&bob, &small_mail("A delivery")).await.unwrap();
    let received = format!("account={to}&type=message.received");
    stack.wait_for_events(&received, 1, PATIENCE).await;
    stack.wait_for_events("type=token.expiring", 1, PATIENCE).await;
    assert!(
        outbox(&stack).await >= 3,
        "a request, new mail, and a token that ends"
    );
    for service in SERVICES {
        stack.kill(service).unwrap();
    }
    broker.cut();
    broker.release();
    for service in SERVICES {
        stack.restart(service).await.unwrap();
    }

    stack.wait_for_submission(&submission, "sent", PATIENCE).await;
    stack.wait_for_events("type=token.refreshed", 1, PATIENCE).await;
    wait_for_announced(&stack, &to, &["A request", "A delivery"]).await;
    wait_for_count(&testbed, &bob, "INBOX", 2).await;
    eventually(Duration::from_secs(30), "the outbox to be empty", async || {
        outbox(&stack).await == 0
    })
    .await;
    assert_eq!(stack.submission(&submission).await.unwrap()["attempts"], 1);
    assert!(stack.dead_letters().await.unwrap().is_empty());
}

/// The testbed's broker, and a proxy that can silence it for this test alone.
async fn broker_behind_a_proxy(vhost: &FreshVhost) -> (TcpProxy, String) {
    let (before, path) = vhost.url().rsplit_once('/').unwrap();
    let (who, server) = before.rsplit_once('@').unwrap();
    let proxy = TcpProxy::start(server).await.unwrap();
    let url = format!("{who}@127.0.0.1:{}/{path}", proxy.port());
    (proxy, url)
}

async fn outbox(stack: &Stack) -> u64 {
    let count = stack.query("select count(*) from event_outbox").await.unwrap();
    count.trim().parse().unwrap()
}
