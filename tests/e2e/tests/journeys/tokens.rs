//! Tokens end, are replaced and are taken away: who notices, and who does not.

use std::time::Duration;

use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes, small_mail};
use postroom_test_support::{Revoke, Settings, TestUser, Testbed, eventually};
use serde_json::Value;

use crate::PATIENCE;

/// Lifetime of an access token; the first refresh comes after three quarters of it.
const TOKEN_SECONDS: u32 = 12;
const REFRESHES: usize = 3;

in_both_modes!(nobody_notices_that_tokens_end, a_revoked_grant_asks_the_person);

async fn connected(mode: Mode, name: &str) -> (Testbed, Stack, TestUser, String) {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user(name).unwrap();
    let short = Settings {
        access_token_ttl: Some(TOKEN_SECONDS),
        ..Settings::default()
    };
    testbed.openid().configure(&user, short).await.unwrap();
    testbed
        .seed(
            &user,
            "INBOX",
            vec![small_mail("one"), small_mail("two"), small_mail("three")],
        )
        .await
        .unwrap();
    let options = StackOptions::with_openid(&testbed).await.unwrap();
    let stack = Stack::start(mode, options).await.unwrap();
    let account = stack.connect_by_oauth(&testbed, &user).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;
    (testbed, stack, user, account)
}

/// The provider rotates refresh tokens strictly: a spent one that comes again would end the grant.
async fn nobody_notices_that_tokens_end(mode: Mode) {
    let (testbed, stack, user, account) = connected(mode, "tokens").await;
    let received = format!("account={account}&type=message.received");
    for number in 1..=REFRESHES {
        stack
            .wait_for_events("type=token.refreshed", number, PATIENCE)
            .await;
        testbed
            .deliver(&user, &small_mail(&format!("after refresh {number}")))
            .await
            .unwrap();
        stack
            .wait_for_events(&received, number, Duration::from_secs(10))
            .await;
        assert_eq!(
            testbed.sessions(&user).await.unwrap(),
            1,
            "the session in IDLE lives on"
        );
    }
    // The session's own token ended long ago. A new session takes the one of the day.
    testbed.kick(&user).await.unwrap();
    eventually(PATIENCE, "a new session", async || {
        testbed.sessions(&user).await.unwrap() == 1
    })
    .await;
    testbed
        .deliver(&user, &small_mail("after the kick"))
        .await
        .unwrap();
    stack.wait_for_events(&received, REFRESHES + 1, PATIENCE).await;

    assert_eq!(stack.states(&account).await.unwrap(), ["syncing", "connected"]);
    for kind in ["token.rejected", "account.reauthorization_required"] {
        assert!(
            stack.events(&format!("type={kind}")).await.unwrap().is_empty(),
            "{kind}"
        );
    }
    let versions: Vec<i64> = stack
        .events("type=token.refreshed")
        .await
        .unwrap()
        .iter()
        .map(|event| event["data"]["token_version"].as_i64().unwrap())
        .collect();
    let expected: Vec<i64> = (2..).take(versions.len()).collect();
    assert_eq!(versions, expected, "one after the other, none twice");
    let calls = testbed.openid().counts(&user).await.unwrap().token;
    assert_eq!(calls.by_status.keys().collect::<Vec<_>>(), ["200"], "{calls:?}");
    assert!(stack.dead_letters().await.unwrap().is_empty());
}

async fn a_revoked_grant_asks_the_person(mode: Mode) {
    let (testbed, stack, user, account) = connected(mode, "revoked").await;
    let before = ids(&stack.messages(&account).await.unwrap());
    testbed.openid().revoke(&user, Revoke::All).await.unwrap();
    stack
        .wait_for_state(&account, "needs_reauthorization", PATIENCE)
        .await;
    let shown = stack.account(&account).await.unwrap();
    assert_eq!(shown["who_can_act"], "user", "{shown}");
    assert_eq!(shown["next_step"]["kind"], "reconnect", "{shown}");
    assert!(
        shown["cause"].is_string() && shown["sentence"].is_string(),
        "{shown}"
    );
    let asked = format!("account={account}&type=account.reauthorization_required");
    assert_eq!(
        stack.events(&asked).await.unwrap().len(),
        1,
        "a person is asked once"
    );

    testbed
        .deliver(&user, &small_mail("while nobody was in"))
        .await
        .unwrap();
    stack.reconnect_by_oauth(&testbed, &user, &account).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;
    let received = format!("account={account}&type=message.received");
    stack.wait_for_events(&received, 1, PATIENCE).await;

    let after = ids(&stack.messages(&account).await.unwrap());
    assert!(
        before.iter().all(|id| after.contains(id)),
        "the mail has kept its ids"
    );
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(stack.events(&received).await.unwrap().len(), 1);
    let imported = format!("account={account}&type=message.imported");
    let imported = stack.events(&imported).await.unwrap();
    let fetched: usize = imported
        .iter()
        .map(|event| event["data"]["message_ids"].as_array().unwrap().len())
        .sum();
    assert_eq!(fetched, before.len(), "nothing was fetched again");
    stack
        .compare_folder(&testbed, &user, &account, "INBOX")
        .await
        .unwrap();
    let accounts = stack.api.get("/v1/accounts").await.unwrap();
    assert_eq!(accounts["items"].as_array().unwrap().len(), 1, "the same account");
}

fn ids(messages: &[Value]) -> Vec<String> {
    let mut ids: Vec<_> = messages
        .iter()
        .map(|message| message["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}
