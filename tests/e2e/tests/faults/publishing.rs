//! Every service is killed between its commit and the publishing of what it committed.

use postroom_e2e::{Mode, SERVICES, Stack, StackOptions, connect_request, small_mail};
use postroom_test_support::{FreshVhost, Settings, TcpProxy, Testbed, eventually};
use serde_json::json;

use crate::{PATIENCE, letter, smtp_proxy, wait_for_announced, wait_for_count};

/// What each service has committed and not published when it is killed.
const UNPUBLISHED: [&str; 4] = [
    "postroom.message.received.v1",
    "postroom.send.requested.v1",
    "postroom.send.sent.v1",
    "postroom.token.expiring.v1",
];

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
    let smtp = smtp_proxy(&testbed).await;
    let mut request = connect_request(&testbed, &bob);
    request["smtp"]["port"] = json!(smtp.port());
    let to = stack.connect(&request).await.unwrap();
    for account in [&from, &to] {
        stack.wait_for_state(account, "connected", PATIENCE).await;
    }
    smtp.hold();
    let under_way = stack.send(&to, &letter(&ada, "Under way")).await.unwrap();
    stack.wait_for_submission(&under_way, "sending", PATIENCE).await;
    eventually(PATIENCE, "the outbox to be empty", async || {
        unpublished(&stack).await.is_empty()
    })
    .await;

    // The broker falls silent. What each service commits from now on stays in the outbox.
    broker.hold();
    smtp.release();
    let requested = stack.send(&from, &letter(&bob, "A request")).await.unwrap();
    testbed.deliver(&bob, &small_mail("A delivery")).await.unwrap();
    eventually(PATIENCE, "each service to commit something", async || {
        let types = unpublished(&stack).await;
        let missing = UNPUBLISHED
            .iter()
            .any(|kind| !types.iter().any(|found| found == kind));
        if missing {
            Err(format!("{types:?}"))
        } else {
            Ok(())
        }
    })
    .await;
    for service in SERVICES {
        stack.kill(service).unwrap();
    }
    broker.cut();
    broker.release();
    for service in SERVICES {
        stack.restart(service).await.unwrap();
    }

    for submission in [&under_way, &requested] {
        let sent = stack.wait_for_submission(submission, "sent", PATIENCE).await;
        assert_eq!(sent["attempts"], 1, "{sent}");
    }
    stack.wait_for_events("type=token.refreshed", 1, PATIENCE).await;
    wait_for_announced(&stack, &to, &["A request", "A delivery"]).await;
    wait_for_announced(&stack, &from, &["Under way"]).await;
    wait_for_count(&testbed, &bob, "INBOX", 2).await;
    wait_for_count(&testbed, &ada, "INBOX", 1).await;
    eventually(PATIENCE, "everything to be published", async || {
        let types = unpublished(&stack).await;
        types.is_empty().then_some(()).ok_or(format!("{types:?}"))
    })
    .await;
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

/// The types of the events that wait in the outbox.
async fn unpublished(stack: &Stack) -> Vec<String> {
    let types = "select distinct envelope->>'type' from event_outbox";
    let rows = stack.query(types).await.unwrap();
    rows.lines().map(str::to_owned).collect()
}
