//! What becomes of a mail, for each of its recipients.

use std::time::Duration;

use postroom_events::{Event, SubmissionState as State};
use postroom_store::{handled, work::WorkKind};
use postroom_test_support::{TestUser, eventually};

use crate::rig::{BOTH, PATIENCE, Rig, World, as_sent, mail, quick};

fn sender_and_recipient(rig: &Rig) -> (TestUser, TestUser) {
    (
        rig.testbed.create_user("from").unwrap(),
        rig.testbed.create_user("to").unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_byte_for_byte_and_its_copy_is_asked_for() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = sender_and_recipient(&rig);
        let id = rig.connect(&from).await;
        // A busy machine may take its time; the event is to wait for its mail.
        let mut settings = quick();
        settings.patience = PATIENCE;
        let running = rig.start_with(settings).await;
        let raw = mail(&from, "whole");
        let hour = Duration::from_secs(3600);
        let (submission, event) = rig.submit_for(id, &[&to.address], &raw, hour).await;
        let row = rig.finished(submission).await;
        assert_eq!((row.state, row.attempt), (State::Sent, 1), "{row:?}");
        assert!(row.server_reply.unwrap().starts_with("250 "));
        assert_eq!(
            (row.holder, row.held_until, row.next_attempt_at),
            (None, None, None)
        );
        assert_eq!(rig.recipients(submission).await, [(State::Sent, Some(250))]);
        let received = rig.inbox(&to, 1).await;
        assert_eq!(
            String::from_utf8_lossy(as_sent(&received[0])),
            String::from_utf8_lossy(&raw)
        );
        let told = rig.told(id.0).await;
        let [Event::MessageSent(sent)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((sent.submission_id, sent.attempt), (submission, 1));
        assert_eq!(sent.recipients[0].state, State::Sent);
        let work = rig.work(id).await;
        assert_eq!(
            work.iter().map(|work| work.kind).collect::<Vec<_>>(),
            [WorkKind::SentCopy {
                submission_id: submission
            }]
        );
        assert_eq!(work[0].cause_event_id, Some(event.id));
        // What a dry run of a replay compares with.
        let outcome = eventually(PATIENCE, "the event to be handled", async || {
            handled::outcomes(rig.store.read(), event.id).await.unwrap().pop()
        })
        .await;
        assert_eq!(outcome.verdict, "done");
        let answers = serde_json::json!([{ "call": "smtp.submit", "class": "sent", "code": "250" }]);
        assert_eq!(outcome.answers, answers);
        assert_eq!(outcome.caused.as_array().unwrap().len(), 1, "MessageSent");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_has_an_outcome_of_its_own_and_only_the_deferred_one_is_tried_again() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = sender_and_recipient(&rig);
        let id = rig.connect(&from).await;
        let running = rig.start().await;
        let addresses = [&to.address, "reject-1@example.test", "tempfail-1@example.test"];
        let submission = rig.submit(id, &addresses, &mail(&from, "partial")).await;
        let row = rig
            .becomes(submission, "a second attempt to be over", |row| {
                row.attempt >= 2 && row.phase == "waiting"
            })
            .await;
        assert_eq!((row.state, row.finished_at), (State::Sent, None), "{row:?}");
        assert_eq!(row.cause.as_deref(), Some("recipient_deferred"));
        assert_eq!(
            rig.recipients(submission).await,
            [
                (State::Sent, Some(250)),
                (State::Failed, Some(550)),
                (State::Deferred, Some(450))
            ]
        );
        rig.inbox(&to, 1).await;
        let names = rig.names(id.0).await;
        assert_eq!(names[..2], ["send.sent", "send.deferred"]);
        assert!(names[2..].iter().all(|name| name == "send.deferred"), "{names:?}");
        assert_eq!(rig.work(id).await.len(), 1, "one mail, one copy");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_fails_with_the_servers_words() {
    let rig = Rig::new(World::Embedded).await;
    let (from, _) = sender_and_recipient(&rig);
    let id = rig.connect(&from).await;
    let running = rig.start().await;
    for (address, cause, code) in [
        ("reject@example.test", "recipient_refused", 550),
        ("data-reject@example.test", "message_refused", 554),
    ] {
        let submission = rig.submit(id, &[address], &mail(&from, "refused")).await;
        let row = rig.finished(submission).await;
        assert_eq!((row.state, row.attempt), (State::Failed, 1), "{row:?}");
        assert_eq!(row.cause.as_deref(), Some(cause));
        assert!(row.server_reply.unwrap().starts_with(&code.to_string()));
        assert_eq!(rig.recipients(submission).await, [(State::Failed, Some(code))]);
    }
    assert_eq!(rig.names(id.0).await, ["send.failed", "send.failed"]);
    assert!(rig.work(id).await.is_empty(), "there is nothing to keep in Sent");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_now_is_tried_until_its_time_runs_out() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, _) = sender_and_recipient(&rig);
        let id = rig.connect(&from).await;
        let running = rig.start().await;
        let raw = mail(&from, "deferred");
        let short = Duration::from_secs(4);
        let (submission, _) = rig
            .submit_for(id, &["data-tempfail@example.test"], &raw, short)
            .await;
        let row = rig.finished(submission).await;
        assert_eq!(row.state, State::Failed);
        assert!(row.attempt >= 2, "{row:?}");
        assert_eq!(row.cause.as_deref(), Some("time_ran_out"));
        assert!(row.server_reply.unwrap().starts_with("451 4.3.0"));
        let names = rig.names(id.0).await;
        assert_eq!(names.first().unwrap(), "send.deferred");
        assert_eq!(names.last().unwrap(), "send.failed");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_for_the_next_mail_and_closed_when_nobody_needs_it() {
    let rig = Rig::new(World::Embedded).await;
    let (from, to) = sender_and_recipient(&rig);
    let proxy = rig.proxy().await;
    let id = rig.connect_at(&from, proxy.port(), &from.password).await;
    let running = rig.start().await;
    for name in ["one", "two", "three"] {
        let submission = rig.submit(id, &[&to.address], &mail(&from, name)).await;
        rig.finished(submission).await;
    }
    assert_eq!(proxy.accepted(), 1, "three mails, one connection");
    tokio::time::sleep(Duration::from_secs(4)).await;
    let submission = rig.submit(id, &[&to.address], &mail(&from, "four")).await;
    rig.finished(submission).await;
    assert_eq!(proxy.accepted(), 2, "the first one was closed");
    // Its server hangs up while nobody looks: the next mail does not fail for it.
    proxy.cut();
    let submission = rig.submit(id, &[&to.address], &mail(&from, "five")).await;
    let row = rig.finished(submission).await;
    assert_eq!((row.state, row.attempt), (State::Sent, 1));
    rig.inbox(&to, 5).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_mail_arrives_whole_and_one_that_is_too_large_is_not_even_begun() {
    let rig = Rig::new(World::Embedded).await;
    let (from, to) = sender_and_recipient(&rig);
    let id = rig.connect(&from).await;
    let running = rig.start().await;
    let of_size = |size: usize| {
        let mut raw = mail(&from, &size.to_string());
        while raw.len() < size {
            raw.extend_from_slice(format!("{:76}\r\n", raw.len()).as_bytes());
        }
        raw
    };
    let raw = of_size(12_000_000);
    let submission = rig.submit(id, &[&to.address], &raw).await;
    let row = rig.finished(submission).await;
    assert_eq!((row.state, row.attempt), (State::Sent, 1), "{row:?}");
    let received = rig.inbox(&to, 1).await;
    assert!(
        as_sent(&received[0]) == raw.as_slice(),
        "it was changed on the way"
    );
    let submission = rig.submit(id, &[&to.address], &of_size(37_000_000)).await;
    let row = rig.finished(submission).await;
    assert_eq!((row.state, row.attempt), (State::Failed, 1), "{row:?}");
    assert!(row.server_reply.unwrap().contains("takes at most"));
    running.stop().await;
}
