//! What one account's server does delays nobody else, and not the stop of the process.

use std::time::Duration;

use postroom_events::SubmissionState as State;

use crate::rig::{BOTH, Rig, World, mail, quick};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_holds_up_no_other_account() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (stuck, well, to) = (
            rig.testbed.create_user("stuck").unwrap(),
            rig.testbed.create_user("well").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let proxy = rig.proxy().await;
        proxy.hold();
        let hanging = rig.connect_at(&stuck, proxy.port(), &stuck.password).await;
        let flowing = rig.connect(&well).await;
        let running = rig.start().await;
        let mut held = Vec::new();
        for number in 0..40 {
            let raw = mail(&stuck, &number.to_string());
            held.push(rig.submit(hanging, &[&to.address], &raw).await);
        }
        let begun = std::time::Instant::now();
        for number in 0..5 {
            let raw = mail(&well, &number.to_string());
            let submission = rig.submit(flowing, &[&to.address], &raw).await;
            rig.finished(submission).await;
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(25), "five mails took {took:?}");
        rig.arrived(&to, 5).await;
        // And its own mail goes when it can.
        proxy.release();
        for submission in held {
            assert_eq!(rig.finished(submission).await.state, State::Sent);
        }
        rig.inbox(&to, 45).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_back_at_once_what_has_not_reached_the_dot() {
    let rig = Rig::new(World::Embedded).await;
    let (from, to) = (
        rig.testbed.create_user("from").unwrap(),
        rig.testbed.create_user("to").unwrap(),
    );
    let proxy = rig.proxy().await;
    proxy.hold();
    let id = rig.connect_at(&from, proxy.port(), &from.password).await;
    let mut settings = quick();
    settings.claim = Duration::from_secs(600);
    let running = rig.start_with(settings).await;
    let submission = rig.submit(id, &[&to.address], &mail(&from, "stopped")).await;
    rig.becomes(submission, "the attempt to begin", |row| {
        row.phase == "handing_over"
    })
    .await;
    let took = running.stop().await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    let row = rig.submission(submission).await;
    assert_eq!(
        (row.state, row.phase.as_str()),
        (State::Queued, "waiting"),
        "{row:?}"
    );
    assert!(row.held_until.is_none());
    proxy.release();
    let running = rig.start().await;
    assert_eq!(rig.finished(submission).await.state, State::Sent);
    rig.inbox(&to, 1).await;
    running.stop().await;
}
