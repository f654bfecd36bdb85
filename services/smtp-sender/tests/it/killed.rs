//! kill -9: before the final dot the mail is sent once all the same; behind it, it is uncertain, and never sent twice.

use std::time::Duration;

use postroom_events::{Event, SubmissionState as State};
use postroom_store::work::WorkKind;

use crate::rig::{BOTH, Rig, mail};

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_dot_and_its_answer() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let proxy = rig.proxy().await;
        proxy.delay(Duration::from_millis(200));
        let id = rig.connect_at(&from, proxy.port(), &from.password).await;
        let mut first = rig.worker("first");
        let addresses = [&to.address, "reject-9@example.test"];
        let submission = rig.submit(id, &addresses, &mail(&from, "killed")).await;
        rig.becomes(submission, "the dot to leave", |row| row.phase == "uncertain")
            .await;
        proxy.hold_answers();
        rig.arrived(&to, 1).await;
        first.kill();
        proxy.cut();
        proxy.release();
        let mut second = rig.worker("second");
        let row = rig.finished(submission).await;
        assert_eq!((row.state, row.attempt), (State::Uncertain, 1), "{row:?}");
        assert_eq!(
            rig.recipients(submission).await,
            [(State::Uncertain, None), (State::Failed, Some(550))],
            "what was refused before the dot is known"
        );
        let told = rig.told(id.0).await;
        assert!(matches!(told.as_slice(), [Event::SendUncertain(_)]), "{told:?}");
        let wanted = WorkKind::SentCopy {
            submission_id: submission,
        };
        let work = rig.work(id).await;
        assert!(work.len() == 1 && work[0].kind == wanted, "{work:?}");
        tokio::time::sleep(Duration::from_secs(4)).await;
        rig.inbox(&to, 1).await;
        assert!(second.terminate(), "it ends well when it is asked to");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_dot() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("from").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let proxy = rig.proxy().await;
        proxy.hold();
        let id = rig.connect_at(&from, proxy.port(), &from.password).await;
        let mut first = rig.worker("first");
        let submission = rig.submit(id, &[&to.address], &mail(&from, "killed")).await;
        rig.becomes(submission, "the attempt to begin", |row| {
            row.phase == "handing_over"
        })
        .await;
        first.kill();
        proxy.cut();
        proxy.release();
        let _second = rig.worker("second");
        let row = rig.finished(submission).await;
        assert_eq!((row.state, row.attempt), (State::Sent, 2), "{row:?}");
        rig.inbox(&to, 1).await;
    }
}
