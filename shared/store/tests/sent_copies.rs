//! What a mail that lies in Sent tells of a submission whose outcome is not known.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use common::{
    account, keys, on_both,
    submission::{LONG, Mail, ending, to},
    tenant,
};
use postroom_events::{Event, EventMetadata, SubmissionState as State, WorkerId};
use postroom_store::{
    events::{self, EventFilter},
    sent_copies,
};

/// One attempt, and what came of it for each recipient.
async fn attempt(mail: &Mail, state: State, recipients: &[(i32, State)]) {
    let started = mail.started(WorkerId::generate(), LONG).await;
    let next = recipients
        .iter()
        .any(|(_, state)| *state == State::Deferred)
        .then(|| mail.store.clock().now());
    let results = recipients.iter().map(|(number, state)| to(*number, *state));
    let ending = ending(state, next, results.collect());
    mail.finish(&started.attempt, &ending).await.unwrap();
}

/// What the holder of the account does when it has found the mail in Sent.
async fn found(mail: &Mail) -> bool {
    let account = postroom_store::accounts::find(mail.store.read(), mail.account_id)
        .await
        .unwrap();
    let tx = mail.store.begin("test.found").await.unwrap();
    let metadata = EventMetadata::started_by("imap-fetcher", account.tenant_id);
    let settled = sent_copies::settle_uncertain(&tx, &metadata, mail.id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    settled
}

async fn was_sent(mail: &Mail) -> bool {
    sent_copies::was_sent(mail.store.read(), mail.id).await.unwrap()
}

/// What was told of the account's mails, the requests aside.
async fn told(mail: &Mail) -> Vec<Event> {
    let filter = EventFilter {
        subject: Some(mail.account_id.0),
        limit: 100,
        ..EventFilter::default()
    };
    let envelopes = events::list(mail.store.read(), &filter).await.unwrap();
    let all = envelopes.iter().map(|envelope| envelope.event().unwrap());
    all.filter(|event| !matches!(event, Event::SendRequested(_)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_uncertain_got_it_and_who_was_refused_did_not() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test", "b@x.test", "c@x.test"]).await;
        let deferred = [(0, State::Deferred), (1, State::Failed), (2, State::Deferred)];
        attempt(&mail, State::Deferred, &deferred).await;
        attempt(
            &mail,
            State::Uncertain,
            &[(0, State::Uncertain), (2, State::Failed)],
        )
        .await;
        assert!(!was_sent(&mail).await);
        assert!(found(&mail).await);
        assert_eq!(mail.states().await, [State::Sent, State::Failed, State::Failed]);
        let row = mail.row().await;
        assert_eq!(
            (row.state, row.cause.as_deref()),
            (State::Sent, Some("found_in_sent"))
        );
        assert!(!found(&mail).await, "once is enough");
        let told = told(&mail).await;
        let [Event::MessageSent(sent)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((sent.submission_id, sent.attempt), (mail.id, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_earlier_attempt_tells_nothing_of_the_uncertain_one() {
    on_both(|store| async move {
        let mail = Mail::new(&store, &["a@x.test", "b@x.test"]).await;
        attempt(&mail, State::Sent, &[(0, State::Sent), (1, State::Deferred)]).await;
        attempt(&mail, State::Uncertain, &[(1, State::Uncertain)]).await;
        assert!(was_sent(&mail).await, "its copy belongs into Sent all the same");
        assert!(!found(&mail).await);
        assert_eq!(mail.states().await, [State::Sent, State::Uncertain]);
        assert_eq!(mail.row().await.state, State::Uncertain);
        assert_eq!(told(&mail).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_may_be_another_submissions_tells_nothing() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let ada = account(&store, &keys(), tenant_id, "ada@example.test").await;
        let bob = account(&store, &keys(), tenant_id, "bob@example.test").await;
        let of_bob = Mail::from(&store, &bob, "1@example.test", &["a@x.test"]).await;
        attempt(&of_bob, State::Sent, &[(0, State::Sent)]).await;
        let refused = Mail::from(&store, &ada, "1@example.test", &["a@x.test"]).await;
        attempt(&refused, State::Failed, &[(0, State::Failed)]).await;
        let first = Mail::from(&store, &ada, "1@example.test", &["a@x.test"]).await;
        attempt(&first, State::Uncertain, &[(0, State::Uncertain)]).await;
        let second = Mail::from(&store, &ada, "1@example.test", &["a@x.test"]).await;
        attempt(&second, State::Sent, &[(0, State::Sent)]).await;
        assert!(!found(&first).await, "it may be the second one's copy");
        assert_eq!(first.states().await, [State::Uncertain]);

        let other = Mail::from(&store, &bob, "2@example.test", &["a@x.test"]).await;
        attempt(&other, State::Uncertain, &[(0, State::Uncertain)]).await;
        let failed = Mail::from(&store, &bob, "2@example.test", &["a@x.test"]).await;
        attempt(&failed, State::Failed, &[(0, State::Failed)]).await;
        assert!(found(&other).await, "one that failed has no copy");
    })
    .await;
}
