//! Connections that break: before the final dot nothing was sent, behind it nobody knows, and nothing is sent twice.

use std::time::Duration;

use postroom_events::{Event, SubmissionState as State};
use postroom_store::work::WorkKind;

use crate::rig::{BOTH, Rig, World, mail};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_gets_lost_is_uncertain_and_the_mail_is_not_sent_again() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let proxy = rig.proxy().await;
        let id = rig.connect_at(&from, proxy.port(), &from.password).await;
        let running = rig.start().await;
        // So slow that there is time to step between the dot and its answer.
        proxy.delay(Duration::from_millis(200));
        let submission = rig.submit(id, &[&to.address], &mail(&from, "lost")).await;
        rig.becomes(submission, "the dot to leave", |row| row.phase == "uncertain")
            .await;
        proxy.hold_answers();
        rig.arrived(&to, 1).await;
        proxy.cut();
        let row = rig.finished(submission).await;
        assert_eq!((row.state, row.attempt), (State::Uncertain, 1), "{row:?}");
        assert_eq!(row.cause.as_deref(), Some("no_answer"));
        assert_eq!(rig.recipients(submission).await, [(State::Uncertain, None)]);
        let told = rig.told(id.0).await;
        assert!(matches!(told.as_slice(), [Event::SendUncertain(_)]), "{told:?}");
        let work = rig.work(id).await;
        let wanted = WorkKind::SentCopy {
            submission_id: submission,
        };
        assert!(work.len() == 1 && work[0].kind == wanted, "{work:?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.inbox(&to, 1).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_the_dot_leaves_it_uncertain() {
    let rig = Rig::new(World::Embedded).await;
    let (from, to) = (
        rig.testbed.create_user("from").unwrap(),
        rig.testbed.create_user("to").unwrap(),
    );
    let proxy = rig.proxy().await;
    let id = rig.connect_at(&from, proxy.port(), &from.password).await;
    let running = rig.start().await;
    proxy.delay(Duration::from_millis(200));
    let submission = rig.submit(id, &[&to.address], &mail(&from, "silent")).await;
    rig.becomes(submission, "the dot to leave", |row| row.phase == "uncertain")
        .await;
    proxy.hold_answers();
    // Much longer than a claim: it is renewed as long as the worker lives.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.submission(submission).await.state, State::Sending);
    let row = rig.finished(submission).await;
    assert_eq!((row.state, row.attempt), (State::Uncertain, 1));
    rig.inbox(&to, 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_before_the_dot_is_no_harm() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let proxy = rig.proxy().await;
        let id = rig.connect_at(&from, proxy.port(), &from.password).await;
        let running = rig.start().await;
        proxy.hold();
        let submission = rig.submit(id, &[&to.address], &mail(&from, "broken")).await;
        rig.becomes(submission, "the attempt to begin", |row| {
            row.phase == "handing_over"
        })
        .await;
        proxy.cut();
        proxy.release();
        let row = rig.finished(submission).await;
        assert_eq!((row.state, row.attempt), (State::Sent, 2), "{row:?}");
        rig.inbox(&to, 1).await;
        assert_eq!(rig.names(id.0).await, ["send.deferred", "send.sent"]);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_waited_for() {
    let rig = Rig::new(World::Embedded).await;
    let (from, to) = (
        rig.testbed.create_user("from").unwrap(),
        rig.testbed.create_user("to").unwrap(),
    );
    let mut proxy = rig.proxy().await;
    let id = rig.connect_at(&from, proxy.port(), &from.password).await;
    let running = rig.start().await;
    proxy.take_down();
    let mut waiting = Vec::new();
    for name in ["one", "two", "three"] {
        waiting.push(rig.submit(id, &[&to.address], &mail(&from, name)).await);
    }
    for submission in &waiting {
        let row = rig
            .becomes(*submission, "it to wait", |row| {
                row.cause.as_deref() == Some("refused")
            })
            .await;
        assert!(row.server_reply.unwrap().contains("localhost"));
    }
    proxy.bring_up().await.unwrap();
    for submission in waiting {
        assert_eq!(rig.finished(submission).await.state, State::Sent);
    }
    rig.inbox(&to, 3).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlives_a_restart_of_the_database() {
    let testbed = postroom_test_support::Testbed::load().unwrap();
    let mut postgres = testbed.private_postgres().await.unwrap();
    let rig = Rig::on_database(postgres.url()).await;
    let (from, to) = (
        rig.testbed.create_user("from").unwrap(),
        rig.testbed.create_user("to").unwrap(),
    );
    let proxy = rig.proxy().await;
    let id = rig.connect_at(&from, proxy.port(), &from.password).await;
    let running = rig.start().await;
    proxy.delay(Duration::from_millis(200));
    let submission = rig.submit(id, &[&to.address], &mail(&from, "restart")).await;
    rig.becomes(submission, "the dot to leave", |row| row.phase == "uncertain")
        .await;
    proxy.hold_answers();
    rig.arrived(&to, 1).await;
    postgres.stop().await.unwrap();
    proxy.release();
    // Longer than the claim lasts.
    tokio::time::sleep(Duration::from_secs(3)).await;
    postgres.start().await.unwrap();
    let row = rig.finished(submission).await;
    assert_eq!((row.state, row.attempt), (State::Sent, 1), "{row:?}");
    assert_eq!(rig.names(id.0).await, ["send.sent"]);
    rig.inbox(&to, 1).await;
    running.stop().await;
}
