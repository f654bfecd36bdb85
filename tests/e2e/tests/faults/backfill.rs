//! imap-fetcher is killed in the middle of a first sync.

use std::time::Duration;

use postroom_corpus::Corpus;
use postroom_e2e::{Mode, Stack, StackOptions, connect_request, in_both_modes, small_mail};
use postroom_test_support::{SeedMessage, TcpProxy, TestUser, Testbed, eventually};
use serde_json::json;

use crate::{PATIENCE, all, imap_proxy, wait_for_announced};

const MESSAGES: u64 = 1_500;
const KILLS: u64 = 2;
/// Each piece of data travels so long: the first sync must not be over before it is interrupted.
const SLOW: Duration = Duration::from_millis(15);

in_both_modes!(it_goes_on_where_it_was_killed);

async fn it_goes_on_where_it_was_killed(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("backfill").unwrap();
    let corpus = Corpus::new(37, MESSAGES).addressed_to(&user.address);
    let messages = corpus
        .messages()
        .map(|mail| SeedMessage::new(mail.raw).received(mail.received_at));
    testbed.seed(&user, "INBOX", messages.collect()).await.unwrap();
    let proxy = imap_proxy(&testbed).await;
    let mut stack = Stack::start(mode, StackOptions::default()).await.unwrap();
    let mut request = connect_request(&testbed, &user);
    request["imap"]["port"] = json!(proxy.port());
    let account = stack.connect(&request).await.unwrap();

    let (mut done, mut new) = (0, Vec::new());
    for kill in 1..=KILLS {
        done = kill_in_the_middle(&mut stack, &proxy, &account, done).await;
        let subject = format!("while nobody was there {kill}");
        testbed.deliver(&user, &small_mail(&subject)).await.unwrap();
        new.push(subject);
        let name = stack.process_of("imap-fetcher").to_owned();
        stack.restart(&name).await.unwrap();
    }
    proxy.delay(Duration::ZERO);

    stack.wait_for_state(&account, "connected", PATIENCE).await;
    stack
        .wait_for_same(&testbed, &user, &account, "INBOX", PATIENCE)
        .await;
    wait_for_announced(&stack, &account, &all(&new)).await;
    imported_once(&stack, &user, &account).await;
}

/// Lets it come further, then silences the network, so that it is under way for sure, and kills it. Gives how far it came.
async fn kill_in_the_middle(stack: &mut Stack, proxy: &TcpProxy, account: &str, before: u64) -> u64 {
    proxy.delay(SLOW);
    let done = eventually(PATIENCE, "the first sync to go on", async || {
        let shown = stack.account(account).await.unwrap();
        let done = shown["progress"]["messages_done"].as_u64().unwrap();
        (done > before).then_some(done).ok_or(done)
    })
    .await;
    proxy.hold();
    assert!(
        done < MESSAGES,
        "the first sync was over too soon to be interrupted"
    );
    let name = stack.process_of("imap-fetcher").to_owned();
    stack.kill(&name).unwrap();
    proxy.cut();
    proxy.release();
    done
}

/// Every message was announced as imported once, and none as new.
async fn imported_once(stack: &Stack, user: &TestUser, account: &str) {
    let filter = format!("account={account}&type=message.imported");
    let events = stack.events(&filter).await.unwrap();
    let mut ids: Vec<String> = events
        .iter()
        .flat_map(|event| event["data"]["message_ids"].as_array().unwrap())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(
        (ids.len(), all),
        (MESSAGES as usize, MESSAGES as usize),
        "{}",
        user.address
    );
    let completed = format!("account={account}&type=backfill.completed");
    assert_eq!(stack.events(&completed).await.unwrap().len(), 1);
    let shown = stack.account(account).await.unwrap();
    assert_eq!(shown["progress"]["messages_done"], MESSAGES, "{shown}");
}
