//! Who looks after which account: a fair share, take-over after a death, and never two at once.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use postroom_e2e::{Mode, Stack, StackOptions, small_mail};
use postroom_test_support::{TestUser, Testbed, eventually};

use crate::{PATIENCE, all, wait_for_announced};

const ACCOUNTS: usize = 20;
const LEASE: Duration = Duration::from_secs(5);
/// Until the next look for free accounts, and for the queries.
const MARGIN: Duration = Duration::from_secs(2);
const SECOND: &str = "imap-fetcher.2";

const HELD: &str = "select count(*) from account_leases where expires_at > now() group by holder order by 1";
/// Two holdings of one account whose intervals overlap. One that nobody ended lasts until its lease runs out.
const OVERLAPS: &str = "select count(*) from \
    (select h.account_id, h.fencing, h.acquired_at, coalesce(h.ended_at, l.expires_at) as ended_at \
     from lease_history h join account_leases l on l.account_id = h.account_id) one \
    join lease_history other on other.account_id = one.account_id and other.fencing > one.fencing \
    where other.acquired_at < one.ended_at";

async fn distributed() -> Stack {
    let options = StackOptions {
        lease_seconds: Some(LEASE.as_secs() as u32),
        ..StackOptions::default()
    };
    Stack::start(Mode::Distributed, options).await.unwrap()
}

/// How many accounts each living holder has, the smallest number first.
async fn held(stack: &Stack) -> Vec<usize> {
    let rows = stack.query(HELD).await.unwrap();
    rows.lines().map(|row| row.parse().unwrap()).collect()
}

async fn wait_until_held(stack: &Stack, within: Duration, wanted: &[usize]) {
    eventually(
        within,
        &format!("accounts to be held as {wanted:?}"),
        async || {
            let held = held(stack).await;
            (held == wanted).then_some(()).ok_or(format!("{held:?}"))
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_share_fairly_and_one_takes_over_from_the_dead() {
    let testbed = Testbed::load().unwrap();
    let mut stack = distributed().await;
    let people: Vec<(TestUser, String)> = stream::iter(0..ACCOUNTS)
        .map(async |_| {
            let user = testbed.create_user("lease")?;
            let account = stack.connect_by_password(&testbed, &user).await?;
            anyhow::Ok((user, account))
        })
        .buffer_unordered(4)
        .try_collect()
        .await
        .unwrap();
    wait_until_held(&stack, PATIENCE, &[ACCOUNTS]).await;

    stack.add("imap-fetcher", SECOND).await.unwrap();
    wait_until_held(&stack, PATIENCE, &[ACCOUNTS / 2, ACCOUNTS / 2]).await;

    stack.kill("imap-fetcher").unwrap();
    let killed = Instant::now();
    wait_until_held(&stack, PATIENCE, &[ACCOUNTS]).await;
    let took = killed.elapsed();
    assert!(took < LEASE + MARGIN, "the take-over took {took:?}");

    for (user, _) in &people {
        testbed
            .deliver(user, &small_mail("after the death"))
            .await
            .unwrap();
    }
    for (_, account) in &people {
        wait_for_announced(&stack, account, &["after the death"]).await;
    }
    assert_eq!(stack.query(OVERLAPS).await.unwrap().trim(), "0");
    // The first holding, the hand-over of ten, the take-over of the ten that had stayed.
    let holdings = stack.query("select count(*) from lease_history").await.unwrap();
    assert_eq!(holdings.trim().parse::<usize>().unwrap(), 2 * ACCOUNTS);
}

/// A worker that was frozen longer than its lease believes for a moment that it still holds the account. What it writes then
/// misses.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_worker_writes_nothing_when_it_wakes() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("frozen").unwrap();
    let mut stack = distributed().await;
    let account = stack.connect_by_password(&testbed, &user).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;
    stack.add("imap-fetcher", SECOND).await.unwrap();

    let mut new = Vec::new();
    for round in 0..2 {
        // Whoever holds it is frozen, and the mail that comes lies in the buffers of both of them.
        let (holder, other) = match round {
            0 => ("imap-fetcher", SECOND),
            _ => (SECOND, "imap-fetcher"),
        };
        let before = fencing(&stack).await;
        stack.process(holder).unwrap().signal("STOP").unwrap();
        let subject = format!("while {holder} was frozen");
        testbed.deliver(&user, &small_mail(&subject)).await.unwrap();
        new.push(subject);
        eventually(PATIENCE, &format!("{other} to take over"), async || {
            fencing(&stack).await > before
        })
        .await;
        wait_for_announced(&stack, &account, &all(&new)).await;
        stack.process(holder).unwrap().signal("CONT").unwrap();
        let subject = format!("after {holder} woke");
        testbed.deliver(&user, &small_mail(&subject)).await.unwrap();
        new.push(subject);
        wait_for_announced(&stack, &account, &all(&new)).await;
    }
    eventually(PATIENCE, "one session to be left", async || {
        let sessions = testbed.sessions(&user).await.unwrap();
        (sessions == 1).then_some(()).ok_or(sessions)
    })
    .await;
    stack
        .compare_folder(&testbed, &user, &account, "INBOX")
        .await
        .unwrap();
    assert_eq!(stack.query(OVERLAPS).await.unwrap().trim(), "0");
    assert_eq!(stack.states(&account).await.unwrap(), ["syncing", "connected"]);
}

async fn fencing(stack: &Stack) -> i64 {
    let fencing = stack.query("select fencing from account_leases").await.unwrap();
    fencing.trim().parse().unwrap()
}
