//! Who holds which account.

use std::{collections::HashMap, time::Duration};

use postroom_events::{AccountId, WorkerId};
use postroom_store::{accounts, leases};
use postroom_test_support::eventually;

use crate::{
    first_sync::deliver,
    rig::{PATIENCE, Rig, Running, World, mail, quick},
};

async fn shares(rig: &Rig, ids: &[AccountId]) -> HashMap<WorkerId, usize> {
    let mut shares = HashMap::new();
    for holder in leases::holders(rig.store.read(), ids)
        .await
        .unwrap()
        .into_values()
    {
        *shares.entry(holder).or_default() += 1;
    }
    shares
}

async fn twenty(rig: &Rig, running: &Running) -> Vec<AccountId> {
    let mut ids = Vec::new();
    for n in 0..20 {
        let user = rig.testbed.create_user(&format!("share{n}")).unwrap();
        rig.testbed.seed(&user, "INBOX", vec![mail(n)]).await.unwrap();
        ids.push(rig.connect(running, &user).await);
    }
    ids
}

async fn no_two_holders(rig: &Rig, ids: &[AccountId]) {
    for id in ids {
        let history = leases::history(rig.store.read(), *id).await.unwrap();
        for pair in history.windows(2) {
            let [before, after] = pair else { unreachable!() };
            assert!(
                before.ended_at.unwrap() <= after.acquired_at,
                "two holders at once: {history:?}"
            );
            assert!(before.fencing < after.fencing);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_and_the_one_that_is_left_takes_over() {
    let rig = Rig::new(World::Distributed).await;
    let first = rig.start().await;
    let ids = twenty(&rig, &first).await;
    eventually(PATIENCE, "the first to hold all", async || {
        let shares = shares(&rig, &ids).await;
        (shares.get(&first.parts.worker_id) == Some(&20))
            .then_some(())
            .ok_or(format!("{shares:?}"))
    })
    .await;
    let second = rig.start().await;
    eventually(PATIENCE, "both to hold half", async || {
        let shares = shares(&rig, &ids).await;
        let both = [&first, &second]
            .iter()
            .all(|worker| shares.get(&worker.parts.worker_id) == Some(&10));
        both.then_some(()).ok_or(format!("{shares:?}"))
    })
    .await;
    // It dies without a word: nothing is released, nothing is renewed.
    let gone = first.parts.worker_id;
    drop(first);
    let began = std::time::Instant::now();
    eventually(PATIENCE, "the second to hold all", async || {
        let shares = shares(&rig, &ids).await;
        (shares.get(&second.parts.worker_id) == Some(&20))
            .then_some(())
            .ok_or(format!("{shares:?}, gone: {gone}"))
    })
    .await;
    assert!(
        began.elapsed() < quick().lease + Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    for id in &ids {
        rig.synced(*id).await;
        assert_eq!(rig.messages(*id).await.len(), 1);
    }
    no_two_holders(&rig, &ids).await;
    // A worker that stops hands everything over at once.
    let third = rig.start().await;
    assert!(second.stop().await < Duration::from_secs(4));
    eventually(Duration::from_secs(3), "the third to hold all", async || {
        let shares = shares(&rig, &ids).await;
        (shares.get(&third.parts.worker_id) == Some(&20))
            .then_some(())
            .ok_or(format!("{shares:?}"))
    })
    .await;
    no_two_holders(&rig, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_account_rests_and_a_resumed_one_catches_up() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("paused").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    pause(&running, id, true).await;
    eventually(PATIENCE, "the lease to be free", async || {
        leases::holders(rig.store.read(), &[id]).await.unwrap().is_empty()
    })
    .await;
    deliver(&rig.testbed, &user, 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.messages(id).await.len(), 1);
    pause(&running, id, false).await;
    let inbox = rig.folder(id, "INBOX").await.id;
    eventually(PATIENCE, "what came meanwhile", async || {
        rig.received_in(id, inbox).await == 1
    })
    .await;
}

async fn pause(running: &Running, id: AccountId, paused: bool) {
    let tx = running.parts.store.begin("test.pause").await.unwrap();
    accounts::set_paused(&tx, id, paused).await.unwrap();
    tx.wake_account(id);
    tx.commit().await.unwrap();
}
