//! kill -9: before the final dot the mail is sent once all the same; behind it, it is uncertain, and never sent twice.

use std::time::{Duration, Instant};

use postroom_events::{Event, SubmissionState as State};
use postroom_store::work::WorkKind;

use crate::rig::{BOTH, Rig, World, as_sent, mail};

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

/// Two workers under load, one of them killed again and again: what each submission says at its end is true.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again() {
    const KILLS: usize = 8;
    let rig = Rig::new(World::Distributed).await;
    let to = rig.testbed.create_user("to").unwrap();
    let mut accounts = Vec::new();
    for number in 0..4 {
        let from = rig.testbed.create_user(&format!("from{number}")).unwrap();
        accounts.push((rig.connect(&from).await, from));
    }
    let mut workers = [rig.worker("left"), rig.worker("right")];
    let mut mails = Vec::new();
    for kill in 0..KILLS {
        for number in 0..12 {
            let (id, from) = &accounts[number % accounts.len()];
            let raw = mail(from, &format!("{kill}-{number}"));
            mails.push((rig.submit(*id, &[&to.address], &raw).await, raw));
        }
        // Different instants of different steps each time.
        tokio::time::sleep(Duration::from_millis(300 + 137 * kill as u64)).await;
        let side = kill % 2;
        workers[side].kill();
        workers[side] = rig.worker(["left", "right"][side]);
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut uncertain = 0;
    let mut sent = Vec::new();
    for (submission, raw) in &mails {
        let row = loop {
            let row = rig.submission(*submission).await;
            if row.finished_at.is_some() {
                break row;
            }
            assert!(Instant::now() < deadline, "{row:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        match row.state {
            State::Sent => sent.push(raw),
            State::Uncertain => uncertain += 1,
            other => panic!("{other}: {row:?}"),
        }
    }
    assert!(
        uncertain <= KILLS * accounts.len(),
        "{uncertain} of {} are uncertain",
        mails.len()
    );
    eprintln!("{uncertain} of {} are uncertain after {KILLS} kills", mails.len());
    rig.arrived(&to, sent.len()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let inbox = rig.testbed.mailbox_raw(&to, "INBOX").await.unwrap();
    let times = |raw: &[u8]| inbox.iter().filter(|received| as_sent(received) == raw).count();
    for raw in &sent {
        assert_eq!(times(raw), 1, "a mail that was sent arrived not exactly once");
    }
    for (_, raw) in &mails {
        assert!(times(raw) <= 1, "a mail arrived twice");
    }
}
