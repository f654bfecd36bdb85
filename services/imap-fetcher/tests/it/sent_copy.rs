//! The copy of a sent mail in Sent.

use std::time::Duration;

use postroom_events::{AccountId, Event, SubmissionId, SubmissionState};
use postroom_store::{
    ConnectionTrait, Submission,
    packs::PackBuilder,
    submissions::{self, NewSubmission},
    work::{self, NewWork, WorkKind},
};
use postroom_test_support::eventually;

use crate::rig::{PATIENCE, Rig, Running, World, mail};

/// A submission in a state of one's choice, and the work that asks for its copy.
async fn submit(
    rig: &Rig,
    running: &Running,
    id: AccountId,
    number: usize,
    state: SubmissionState,
) -> SubmissionId {
    submit_to(rig, running, id, number, &[state]).await
}

/// With a recipient for each of these states; the submission is in the last one's.
async fn submit_to(
    rig: &Rig,
    running: &Running,
    id: AccountId,
    number: usize,
    states: &[SubmissionState],
) -> SubmissionId {
    let store = &running.parts.store;
    let mut builder = PackBuilder::new().unwrap();
    let frame = builder.add(&mail(number)).unwrap();
    let pack = running.parts.packs.put(id, builder).await.unwrap();
    let tx = store.begin("test.submit").await.unwrap();
    let new = NewSubmission {
        id: SubmissionId::generate(),
        tenant_id: rig.tenant_id,
        account_id: id,
        idempotency_key: None,
        request_digest: [0; 32],
        message_id_header: format!("{number}@seed.example"),
        envelope_from: "me@seed.example".into(),
        subject: format!("Mail {number}"),
        pack: &pack,
        frame,
        recipients: (0..states.len())
            .map(|n| format!("you-{n}@seed.example"))
            .collect(),
        give_up_after: Duration::from_secs(60),
    };
    let submission = submissions::create(&tx, new).await.unwrap();
    for (number, state) in states.iter().enumerate() {
        let text = format!("update submission_recipients set state = '{state}' where number = {number}");
        tx.db().execute_unprepared(&text).await.unwrap();
        let text = format!("update submissions set state = '{state}'");
        tx.db().execute_unprepared(&text).await.unwrap();
    }
    let new = NewWork {
        account_id: id,
        kind: WorkKind::SentCopy {
            submission_id: submission.id,
        },
        cause_event_id: None,
        correlation_id: uuid::Uuid::now_v7(),
        due_at: store.clock().now(),
    };
    work::add(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    submission.id
}

async fn copy_is(rig: &Rig, id: SubmissionId, state: &str) -> Submission {
    eventually(PATIENCE, "the copy to be settled", async || {
        let row = submissions::find(rig.store.read(), id).await.unwrap();
        (row.sent_copy == state)
            .then_some(row.clone())
            .ok_or(row.sent_copy)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_mail_has_exactly_one_copy_in_sent() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("sent").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    // The server has put this one there.
    rig.testbed.seed(&user, "Sent", vec![mail(50)]).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let there = submit(&rig, &running, id, 50, SubmissionState::Sent).await;
    copy_is(&rig, there, "present").await;
    let missing = submit(&rig, &running, id, 51, SubmissionState::Sent).await;
    copy_is(&rig, missing, "appended").await;
    let again = NewWork {
        account_id: id,
        kind: WorkKind::SentCopy {
            submission_id: missing,
        },
        cause_event_id: None,
        correlation_id: uuid::Uuid::now_v7(),
        due_at: rig.store.clock().now(),
    };
    let tx = running.parts.store.begin("test.again").await.unwrap();
    work::add(&tx, again).await.unwrap();
    tx.commit().await.unwrap();
    copy_is(&rig, missing, "present").await;
    let sent = rig.folder(id, "Sent").await;
    eventually(PATIENCE, "both copies to be seen", async || {
        let content = rig.content(id, &sent).await;
        let subjects: Vec<_> = content.iter().map(|(_, subject, _)| subject.as_str()).collect();
        (subjects == ["Mail 50", "Mail 51"])
            .then_some(())
            .ok_or(format!("{content:?}"))
    })
    .await;
    let content = rig.content(id, &sent).await;
    assert_eq!(content[1].2, "\\Seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncertain_mail_that_lies_in_sent_was_sent() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("uncertain").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    rig.testbed.seed(&user, "Sent", vec![mail(60)]).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let found = submit(&rig, &running, id, 60, SubmissionState::Uncertain).await;
    let row = copy_is(&rig, found, "present").await;
    assert_eq!(row.state, SubmissionState::Sent);
    let sent = rig
        .hears(id, "MessageSent", |event| match event {
            Event::MessageSent(event) if event.submission_id == found => Some(event.clone()),
            _ => None,
        })
        .await;
    assert_eq!(sent.recipients[0].state, SubmissionState::Sent);
    // One that is not there stays as it is, and gets no copy.
    let lost = submit(&rig, &running, id, 61, SubmissionState::Uncertain).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let row = submissions::find(rig.store.read(), lost).await.unwrap();
    assert_eq!(
        (row.state, row.sent_copy.as_str()),
        (SubmissionState::Uncertain, "pending")
    );
    assert_eq!(rig.content(id, &rig.folder(id, "Sent").await).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_sent_to_one_has_its_copy_which_tells_nothing_of_the_other() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("half").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let states = [SubmissionState::Sent, SubmissionState::Uncertain];
    let half = submit_to(&rig, &running, id, 70, &states).await;
    copy_is(&rig, half, "appended").await;
    let again = NewWork {
        account_id: id,
        kind: WorkKind::SentCopy { submission_id: half },
        cause_event_id: None,
        correlation_id: uuid::Uuid::now_v7(),
        due_at: rig.store.clock().now(),
    };
    let tx = running.parts.store.begin("test.again").await.unwrap();
    work::add(&tx, again).await.unwrap();
    tx.commit().await.unwrap();
    let row = copy_is(&rig, half, "present").await;
    assert_eq!(row.state, SubmissionState::Uncertain);
    let recipients = submissions::recipients(rig.store.read(), half).await.unwrap();
    let seen: Vec<_> = recipients.iter().map(|row| row.state).collect();
    assert_eq!(seen, states);
}
