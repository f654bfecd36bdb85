//! Connecting by password and by OAuth 2.0: all mail comes in, byte by byte.

use postroom_corpus::{Corpus, Mail, oddities};
use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes};
use postroom_test_support::{SeedMessage, TestUser, Testbed};

use crate::PATIENCE;

const IN_ARCHIVE: u64 = 60;
const MESSAGES: u64 = 500;
const BY_OAUTH: u64 = 40;

in_both_modes!(all_mail_comes_in_as_it_is);

async fn all_mail_comes_in_as_it_is(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let (one, other) = (
        testbed.create_user("connect").unwrap(),
        testbed.create_user("connect-oauth").unwrap(),
    );
    fill(&testbed, &one).await;
    testbed
        .seed(&other, "INBOX", varied(&other, BY_OAUTH))
        .await
        .unwrap();
    let options = StackOptions::with_openid(&testbed).await.unwrap();
    let stack = Stack::start(mode, options).await.unwrap();

    let by_password = stack.connect_by_password(&testbed, &one).await.unwrap();
    let by_oauth = stack.connect_by_oauth(&testbed, &other).await.unwrap();
    for account in [&by_password, &by_oauth] {
        stack.wait_for_state(account, "connected", PATIENCE).await;
    }

    let compare = |folder| stack.compare_folder(&testbed, &one, &by_password, folder);
    let inbox = compare("INBOX").await.unwrap();
    let archive = compare("Archive/2019").await.unwrap();
    assert_eq!(inbox + archive, MESSAGES as usize);
    let same = stack
        .compare_folder(&testbed, &other, &by_oauth, "INBOX")
        .await
        .unwrap();
    assert_eq!(same, BY_OAUTH as usize);

    told_as_imported(&stack, &by_password, MESSAGES).await;
    told_as_imported(&stack, &by_oauth, BY_OAUTH).await;
    assert_eq!(stack.account(&by_oauth).await.unwrap()["method"], "oauth2");
    assert!(stack.dead_letters().await.unwrap().is_empty());
}

/// Mail that was there before is imported, each once, and none of it is new.
async fn told_as_imported(stack: &Stack, account: &str, count: u64) {
    let told = async |kind: &str| {
        let filter = format!("account={account}&type={kind}");
        stack.events(&filter).await.unwrap()
    };
    assert!(told("message.received").await.is_empty());
    let mut imported: Vec<String> = told("message.imported")
        .await
        .iter()
        .flat_map(|event| event["data"]["message_ids"].as_array().unwrap().clone())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    imported.sort();
    imported.dedup();
    assert_eq!(imported.len() as u64, count);
    assert_eq!(told("backfill.completed").await.len(), 1);
    let shown = stack.account(account).await.unwrap();
    assert_eq!(shown["progress"]["messages_done"], count, "{shown}");
    assert_eq!(shown["progress"]["messages_total"], count, "{shown}");
}

/// 500 messages in two folders, those that are odd among them.
async fn fill(testbed: &Testbed, user: &TestUser) {
    testbed
        .seed(user, "Archive/2019", varied(user, IN_ARCHIVE))
        .await
        .unwrap();
    let odd = oddities()
        .into_iter()
        .map(|oddity| oddity.raw)
        .filter(|raw| has_whole_line_ends(raw));
    let mut inbox: Vec<_> = odd.map(SeedMessage::new).collect();
    let corpus = Corpus::new(23, MESSAGES).addressed_to(&user.address);
    let rest = MESSAGES - IN_ARCHIVE - inbox.len() as u64;
    inbox.extend((0..rest).map(|index| seed_message(corpus.message(index))));
    testbed.seed(user, "INBOX", inbox).await.unwrap();
}

fn varied(user: &TestUser, count: u64) -> Vec<SeedMessage> {
    let corpus = Corpus::new(29, count).addressed_to(&user.address);
    corpus.messages().map(seed_message).collect()
}

fn seed_message(mail: Mail) -> SeedMessage {
    SeedMessage::new(mail.raw).received(mail.received_at)
}

/// A server turns a lone LF into CRLF before anybody sees it: such a message cannot be put there as it is.
fn has_whole_line_ends(raw: &[u8]) -> bool {
    let lone = |(place, byte): (usize, &u8)| *byte == b'\n' && (place == 0 || raw[place - 1] != b'\r');
    !raw.iter().enumerate().any(lone)
}
