//! Outgoing mail: one attempt at a time, and what is known of each.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::time::Duration;

use chrono::{DateTime, Utc};
use common::{
    on_both,
    submission::{LONG, Mail, SHORT, ending, to},
};
use postroom_events::{Consumer, EventId, ReplayId, SubmissionId, SubmissionState, WorkerId};
use postroom_store::{
    ConnectionTrait, StoreError,
    retries::{self, Retry},
    submissions::{self, Begun, Waiting, Written},
};

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_tries_it_at_a_time_and_a_finished_one_is_not_tried_again() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test", "b@x.test"]).await;
        let (first, second) = (WorkerId::generate(), WorkerId::generate());
        let started = mail.started(first, LONG).await;
        assert_eq!(started.attempt.number, 1);
        assert_eq!(started.recipients.len(), 2);
        assert!(matches!(mail.begin(second, LONG).await, Begun::InProgress(_)));
        assert!(matches!(mail.begin(first, LONG).await, Begun::InProgress(_)));
        assert_eq!(mail.row().await.state, SubmissionState::Sending);
        let both = vec![to(0, SubmissionState::Sent), to(1, SubmissionState::Sent)];
        let sent = ending(SubmissionState::Sent, None, both);
        assert_eq!(mail.finish(&started.attempt, &sent).await.unwrap(), Written::Now);
        assert_eq!(
            mail.finish(&started.attempt, &sent).await.unwrap(),
            Written::Before,
            "the answer to the commit may have got lost"
        );
        assert!(matches!(mail.begin(second, LONG).await, Begun::AlreadyFinished));
        let row = mail.row().await;
        assert!(row.finished_at.is_some() && row.holder.is_none() && row.held_until.is_none());
        assert_eq!(mail.states().await, [SubmissionState::Sent; 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_it_at_the_same_moment_one_gets_it() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test"]).await;
        let all = (0..8).map(|_| mail.begin(WorkerId::generate(), LONG));
        let begun = futures::future::join_all(all).await;
        let started = begun.iter().filter(|begun| matches!(begun, Begun::Started(_)));
        assert_eq!(started.count(), 1, "{begun:?}");
        assert_eq!(mail.row().await.attempt, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_that_had_not_got_to_the_dot_is_tried_again_and_its_own_writes_miss() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test"]).await;
        let lost = mail.started(WorkerId::generate(), SHORT).await.attempt;
        tokio::time::sleep(SHORT * 2).await;
        let taken = mail.started(WorkerId::generate(), LONG).await.attempt;
        assert_eq!(taken.number, 2);
        let late = mail.mark(&lost, &[]).await;
        assert!(matches!(late, Err(StoreError::Outdated { .. })), "{late:?}");
        let sent = ending(SubmissionState::Sent, None, vec![to(0, SubmissionState::Sent)]);
        let late = mail.finish(&lost, &sent).await;
        assert!(matches!(late, Err(StoreError::Outdated { .. })), "{late:?}");
        mail.mark(&taken, &[to(0, SubmissionState::Sending)])
            .await
            .unwrap();
        mail.finish(&taken, &sent).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dot_may_not_leave_after_the_claim() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test"]).await;
        let attempt = mail.started(WorkerId::generate(), SHORT).await.attempt;
        tokio::time::sleep(SHORT * 2).await;
        let late = mail.mark(&attempt, &[]).await;
        assert!(matches!(late, Err(StoreError::Outdated { .. })), "{late:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_behind_the_dot_is_never_tried_again_and_its_holder_may_still_say_how_it_ended() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test", "b@x.test"]).await;
        let attempt = mail.started(WorkerId::generate(), SHORT).await.attempt;
        let before = [to(0, SubmissionState::Sending), to(1, SubmissionState::Failed)];
        mail.mark(&attempt, &before).await.unwrap();
        tokio::time::sleep(SHORT * 2).await;
        let Begun::LeftUncertain(left) = mail.begin(WorkerId::generate(), LONG).await else {
            panic!("it was given away");
        };
        assert_eq!(left.attempt, attempt);
        assert_eq!(
            mail.states().await,
            [SubmissionState::Sending, SubmissionState::Failed]
        );
        let uncertain = vec![to(0, SubmissionState::Uncertain)];
        let uncertain = ending(SubmissionState::Uncertain, None, uncertain);
        mail.finish(&left.attempt, &uncertain).await.unwrap();
        assert!(matches!(
            mail.begin(WorkerId::generate(), LONG).await,
            Begun::AlreadyFinished
        ));

        // It lived after all, and the server has answered.
        let later = Some(store.clock().now());
        let deferred = ending(SubmissionState::Deferred, later, vec![]);
        let late = mail.finish(&attempt, &deferred).await;
        assert!(
            matches!(late, Err(StoreError::Outdated { .. })),
            "nobody would come for it: {late:?}"
        );
        let sent = ending(SubmissionState::Sent, None, vec![to(0, SubmissionState::Sent)]);
        assert_eq!(mail.finish(&attempt, &sent).await.unwrap(), Written::Now);
        assert_eq!(mail.row().await.state, SubmissionState::Sent);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_renewed_together_and_only_while_they_last() {
    on_both(|store| async move {
        let (one, two) = (
            Mail::new(&store, &["a@x.test"]).await,
            Mail::new(&store, &["b@x.test"]).await,
        );
        let worker = WorkerId::generate();
        let lasting = one.started(worker, SHORT * 5).await.attempt;
        let over = two.started(worker, Duration::from_millis(1)).await.attempt;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let renewed = submissions::renew_claims(&store, worker, LONG).await.unwrap();
        assert_eq!(renewed, [lasting], "not {over:?}");
        tokio::time::sleep(SHORT * 5).await;
        one.mark(&lasting, &[]).await.unwrap();
        let of_nobody = submissions::renew_claims(&store, WorkerId::generate(), LONG);
        assert!(of_nobody.await.unwrap().is_empty());
    })
    .await;
}

async fn plan_retry(mail: &Mail, at: DateTime<Utc>) {
    let tx = mail.store.begin("test.retry").await.unwrap();
    let retry = Retry {
        consumer: Consumer::SmtpSender,
        envelope: mail.request.clone(),
        attempt: 2,
        replay_id: ReplayId::FIRST_RUN,
    };
    retries::schedule(&tx, &retry, at, "test").await.unwrap();
    tx.commit().await.unwrap();
}

async fn bring_forward(mail: &Mail, causes: Option<&[&str]>) -> usize {
    let tx = mail.store.begin("test.bring_forward").await.unwrap();
    let brought = submissions::bring_forward(&tx, mail.account_id, causes)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    brought
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_why_and_its_wait_can_be_ended_together_with_the_retry_of_its_event() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test"]).await;
        let attempt = mail.started(WorkerId::generate(), LONG).await.attempt;
        let far = postroom_retry::clock::plus(store.clock().now(), Duration::from_secs(3600));
        let deferred = ending(
            SubmissionState::Deferred,
            Some(far),
            vec![to(0, SubmissionState::Deferred)],
        );
        mail.finish(&attempt, &deferred).await.unwrap();
        plan_retry(&mail, far).await;
        match mail.begin(WorkerId::generate(), LONG).await {
            Begun::NotDue(at) => assert_eq!(at, far),
            other => panic!("{other:?}"),
        }
        let waiting = Waiting {
            until: far,
            cause: "token_refused".into(),
            words: Some("No.".into()),
        };
        let tx = store.begin("test.put_off").await.unwrap();
        submissions::put_off(&tx, mail.id, mail.request.id, &waiting)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(mail.row().await.cause.as_deref(), Some("token_refused"));
        assert_eq!(bring_forward(&mail, Some(&["account_paused"])).await, 0);
        assert_eq!(
            bring_forward(&mail, Some(&["token_refused", "sign_in_needed"])).await,
            1
        );
        let due = retries::claim_due(&store, WorkerId::generate(), 10, LONG)
            .await
            .unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!(mail.started(WorkerId::generate(), LONG).await.attempt.number, 2);
        assert_eq!(
            bring_forward(&mail, None).await,
            0,
            "one under way waits for nothing"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_recipients_are_written_by_few_statements_and_each_is_right() {
    on_both(|store| async move {
        let addresses: Vec<_> = (0..1_200).map(|n| format!("{n}@x.test")).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let mail = Mail::new(&store, &addresses).await;
        let attempt = mail.started(WorkerId::generate(), LONG).await.attempt;
        let state = |n: i32| match n % 3 {
            0 => SubmissionState::Sent,
            1 => SubmissionState::Failed,
            _ => SubmissionState::Deferred,
        };
        let results = (0..1_200).map(|n| to(n, state(n))).collect();
        let done = ending(SubmissionState::Sent, None, results);
        mail.finish(&attempt, &done).await.unwrap();
        let states = mail.states().await;
        assert!((0..1_200).zip(states).all(|(n, seen)| seen == state(n)));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    on_both(|store| async move {
        let tx = store.begin("test.missing").await.unwrap();
        let missing = submissions::begin_attempt(
            &tx,
            SubmissionId::generate(),
            EventId::generate(),
            WorkerId::generate(),
            LONG,
        );
        assert!(matches!(missing.await, Err(StoreError::NotFound { .. })));
        tx.db().execute_unprepared("select 1").await.unwrap();
    })
    .await;
}
