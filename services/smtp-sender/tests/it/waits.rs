//! What waits for a person, and what ends when the account ends.

use std::time::{Duration, Instant};

use postroom_events::{AccountDisconnected, AccountId, AccountSettingsChanged, SubmissionState as State};
use postroom_store::{Store, accounts, handled};

use crate::rig::{BOTH, PATIENCE, Rig, World, mail, quick};

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_account_sends_as_soon_as_it_is_resumed_and_waits_without_being_looked_at() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let id = rig.connect(&from).await;
        pause(&rig, &rig.store, id, true).await;
        // No look comes in the time of this test: only the announcement ends the wait.
        let mut settings = quick();
        (settings.look_again_soonest, settings.look_again_latest) = (PATIENCE * 2, PATIENCE * 2);
        let running = rig.start_with(settings).await;
        let raw = mail(&from, "paused");
        let hour = Duration::from_secs(3600);
        let (submission, request) = rig.submit_for(id, &[&to.address], &raw, hour).await;
        let row = rig
            .becomes(submission, "it to say why it waits", |row| row.cause.is_some())
            .await;
        assert_eq!(row.cause.as_deref(), Some("account_paused"));
        assert_eq!((row.state, row.attempt), (State::Queued, 0));
        pause(&rig, &running.parts.store, id, true).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(
            rig.submission(submission).await,
            row,
            "pausing again ends nothing"
        );
        let looks = handled::outcomes(rig.store.read(), request.id).await.unwrap();
        assert_eq!(looks.len(), 1, "{looks:?}");

        let resumed = Instant::now();
        pause(&rig, &running.parts.store, id, false).await;
        let row = rig.finished(submission).await;
        let took = resumed.elapsed();
        assert_eq!((row.state, row.cause), (State::Sent, None));
        assert!(took < Duration::from_secs(5), "{world:?}: {took:?}");
        rig.inbox(&to, 1).await;
        running.stop().await;
    }
}

/// As account-manager does it.
async fn pause(rig: &Rig, store: &Store, id: AccountId, paused: bool) {
    let tx = store.begin("test.pause").await.unwrap();
    accounts::set_paused(&tx, id, paused).await.unwrap();
    let event = AccountSettingsChanged {
        account_id: id,
        paused,
    };
    rig.announce(&tx, event.into()).await;
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_of_a_disconnected_account_fails_and_is_not_sent() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let id = rig.connect(&from).await;
        let running = rig.start().await;
        let addresses = [&to.address, "tempfail-2@example.test"];
        let submission = rig.submit(id, &addresses, &mail(&from, "partly")).await;
        rig.becomes(submission, "it to be deferred", |row| {
            row.cause.as_deref() == Some("recipient_deferred")
        })
        .await;
        let tx = rig.store.begin("test.disconnect").await.unwrap();
        accounts::set_disconnected(&tx, id, false).await.unwrap();
        let event = AccountDisconnected {
            account_id: id,
            credential_generation: 2,
            purge: false,
        };
        rig.announce(&tx, event.into()).await;
        tx.commit().await.unwrap();
        let row = rig.finished(submission).await;
        assert_eq!(row.cause.as_deref(), Some("account_disconnected"), "{row:?}");
        let states: Vec<_> = rig
            .recipients(submission)
            .await
            .into_iter()
            .map(|(state, _)| state)
            .collect();
        assert_eq!(states, [State::Sent, State::Failed]);
        let late = rig.submit(id, &[&to.address], &mail(&from, "late")).await;
        assert_eq!(rig.finished(late).await.state, State::Failed);
        rig.inbox(&to, 1).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_nobody_could_try_in_time_says_so() {
    let rig = Rig::new(World::Embedded).await;
    let from = rig.testbed.create_user("from").unwrap();
    let id = rig.connect(&from).await;
    let tx = rig.store.begin("test.pause").await.unwrap();
    accounts::set_paused(&tx, id, true).await.unwrap();
    tx.commit().await.unwrap();
    let running = rig.start().await;
    let raw = mail(&from, "late");
    let soon = Duration::from_secs(3);
    let (submission, _) = rig.submit_for(id, &["you@seed.example"], &raw, soon).await;
    let row = rig.finished(submission).await;
    assert_eq!(
        (row.state, row.cause.as_deref()),
        (State::Failed, Some("time_ran_out")),
        "{row:?}"
    );
    assert_eq!(rig.names(id.0).await, ["send.failed"]);
    running.stop().await;
}
