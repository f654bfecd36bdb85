//! A mail is sent once, however often and by however many workers it is asked for.

use postroom_bus::Outgoing;
use postroom_events::{Consumer, ReplayId, SubmissionState as State};
use postroom_store::handled;
use postroom_test_support::eventually;

use crate::rig::{BOTH, PATIENCE, Rig, World, mail};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_or_replayed_event_sends_nothing_again() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let id = rig.connect(&from).await;
        let running = rig.start().await;
        let hour = std::time::Duration::from_secs(3600);
        let (submission, event) = rig
            .submit_for(id, &[&to.address], &mail(&from, "again"), hour)
            .await;
        let again = |replay_id| Outgoing::to_consumer(event.clone(), Consumer::SmtpSender, 1, replay_id);
        let replay = ReplayId(uuid::Uuid::now_v7());
        // While it is under way, and at the same time as itself.
        let copies: Vec<_> = (0..5).map(|_| again(ReplayId::FIRST_RUN)).collect();
        let publisher = running.parts.bus.publisher();
        assert!(publisher.publish(&copies).await.iter().all(Result::is_ok));
        rig.finished(submission).await;
        assert!(publisher.publish(&[again(replay)]).await[0].is_ok());
        eventually(PATIENCE, "the replay to be handled", async || {
            let outcomes = handled::outcomes(rig.store.read(), event.id).await.unwrap();
            outcomes.iter().any(|outcome| outcome.replay_id == replay)
        })
        .await;
        let row = rig.submission(submission).await;
        assert_eq!((row.state, row.attempt), (State::Sent, 1));
        rig.inbox(&to, 1).await;
        assert_eq!(rig.names(id.0).await, ["send.sent"]);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_mail_and_send_none_twice() {
    let rig = Rig::new(World::Distributed).await;
    let to = rig.testbed.create_user("to").unwrap();
    let mut accounts = Vec::new();
    for name in ["one", "two", "three"] {
        let from = rig.testbed.create_user(name).unwrap();
        accounts.push((rig.connect(&from).await, from));
    }
    let (first, second) = (rig.start().await, rig.start().await);
    let hour = std::time::Duration::from_secs(3600);
    let mut asked = Vec::new();
    for number in 0..30 {
        let (id, from) = &accounts[number % accounts.len()];
        let raw = mail(from, &number.to_string());
        asked.push(rig.submit_for(*id, &[&to.address], &raw, hour).await);
    }
    // Both hear of each.
    let twice: Vec<_> = asked
        .iter()
        .map(|(_, event)| Outgoing::to_consumer(event.clone(), Consumer::SmtpSender, 1, ReplayId::FIRST_RUN))
        .collect();
    let published = first.parts.bus.publisher().publish(&twice).await;
    assert!(published.iter().all(Result::is_ok));
    for (submission, _) in &asked {
        let row = rig.finished(*submission).await;
        assert_eq!((row.state, row.attempt), (State::Sent, 1), "{row:?}");
    }
    rig.inbox(&to, 30).await;
    first.stop().await;
    second.stop().await;
}
