//! The first sync: whole, byte by byte, newest first, and nothing of it announced as new.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use postroom_events::{AccountState, Event};
use postroom_store::{accounts, locations};
use postroom_test_support::{TcpProxy, Testbed, eventually, free_port};

use crate::rig::{PATIENCE, Rig, World, mail, quick};

/// Small, large, odd: what a mailbox holds.
fn varied(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| match n % 10 {
            3 => {
                let body = format!("Line {n} of a longer mail.\r\n").repeat(400 + n);
                [mail(n), body.into_bytes()].concat()
            }
            5 => format!(
                "Message-ID: <{n}@seed.example>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_{n}?=\r\nFrom: =?iso-8859-1?Q?J=F6rg?= <j@x.example>\r\n\
                 Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hallo {n}</p>\r\n"
            )
            .into_bytes(),
            7 => [format!("Subject: no id {n}\r\n\r\n").as_bytes(), b"\x80\xff raw\r\n"].concat(),
            _ => mail(n),
        })
        .collect()
}

async fn first_sync(world: World) {
    let rig = Rig::new(world).await;
    let user = rig.testbed.create_user("first").unwrap();
    let inbox = varied(620);
    let filed: Vec<_> = (1000..1060).map(mail).collect();
    rig.testbed.seed(&user, "INBOX", inbox.clone()).await.unwrap();
    rig.testbed
        .seed(
            &user,
            "Kunden/Müller".replace('ü', "&APw-").as_str(),
            filed.clone(),
        )
        .await
        .unwrap();
    // One mail lies in two folders: it is one message.
    rig.testbed.seed(&user, "Copies", vec![mail(1000)]).await.unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;

    let messages = rig.messages(id).await;
    assert_eq!(messages.len(), inbox.len() + filed.len());
    let mut stored = Vec::new();
    for message in &messages {
        stored.push(rig.packs.read(message).await.unwrap().to_vec());
    }
    let mut seeded = [inbox, filed].concat();
    stored.sort();
    seeded.sort();
    assert!(
        stored == seeded,
        "what is stored is not what was there, byte by byte"
    );
    let greeting = messages
        .iter()
        .find(|message| message.subject == "Grüße 5")
        .unwrap();
    assert_eq!(
        (greeting.from_name.as_str(), greeting.snippet.as_str()),
        ("Jörg", "Hallo 5")
    );

    let row = rig.row(id).await;
    assert_eq!(row.state, AccountState::Connected);
    assert_eq!((row.messages_done, row.messages_total), (681, 681));
    assert_eq!(rig.folder(id, "Kunden/Müller").await.messages_on_server, 60);
    let told = rig.told(id.0).await;
    let count = |wanted: fn(&Event) -> bool| told.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::BackfillStarted(_))), 1);
    assert_eq!(count(|event| matches!(event, Event::BackfillCompleted(_))), 1);
    assert_eq!(
        count(|event| matches!(event, Event::MessageReceived(_))),
        0,
        "none of it is new mail"
    );
    let mut imported: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::MessagesImported(event) => Some(event),
            _ => None,
        })
        .inspect(|event| assert!(event.message_ids.len() <= 500))
        .flat_map(|event| event.message_ids.clone())
        .collect();
    imported.sort();
    let mut ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    ids.sort();
    assert_eq!(imported, ids, "each message is announced once");
    assert!(running.stop().await < Duration::from_secs(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_stored_byte_by_byte_embedded() {
    first_sync(World::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_stored_byte_by_byte_distributed() {
    first_sync(World::Distributed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_cannot_be_understood_is_kept_and_its_neighbours_too() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("odd").unwrap();
    let nested = nested_deeply();
    rig.testbed
        .seed(&user, "INBOX", vec![mail(1), nested.clone(), mail(2)])
        .await
        .unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let messages = rig.messages(id).await;
    assert_eq!(messages.len(), 3);
    let odd = messages
        .iter()
        .find(|message| message.quarantine_cause.is_some())
        .unwrap();
    assert_eq!(odd.quarantine_cause.as_deref(), Some("too_deep"));
    assert_eq!(rig.packs.read(odd).await.unwrap(), nested);
    let quarantined =
        |event: &Event| matches!(event, Event::MessageQuarantined(event) if event.message_id == odd.id);
    assert!(rig.told(id.0).await.iter().any(quarantined));
}

fn nested_deeply() -> Vec<u8> {
    let mut raw = String::from("Subject: deep\r\nMIME-Version: 1.0\r\n");
    for level in 0..80 {
        raw.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    raw.push_str("\r\nend\r\n");
    raw.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_too_large_to_be_fetched_among_others_comes_in_pieces() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("large").unwrap();
    let large = [mail(1), b"0123456789abcdef0123456789abcdef\r\n".repeat(100_000)].concat();
    let huge = [mail(2), b"fedcba9876543210fedcba9876543210\r\n".repeat(200_000)].concat();
    rig.testbed
        .seed(&user, "INBOX", vec![large.clone(), huge.clone(), mail(3)])
        .await
        .unwrap();
    let settings = imap_fetcher::FetcherSettings {
        whole_message: 1_000_000,
        largest_message: 5_000_000,
        ..quick()
    };
    let running = rig.start_with(settings).await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let messages = rig.messages(id).await;
    assert_eq!(messages.len(), 3);
    let of_size = |size: usize| messages.iter().find(|message| message.size == size as i64);
    assert!(rig.packs.read(of_size(large.len()).unwrap()).await.unwrap() == large);
    let cut = messages
        .iter()
        .find(|message| message.quarantine_cause.as_deref() == Some("too_large"))
        .unwrap();
    assert!(huge.starts_with(&rig.packs.read(cut).await.unwrap()));
}

/// The service's own binary.
fn spawn(rig: &Rig) -> Child {
    let port = free_port().unwrap();
    Command::new(env!("CARGO_BIN_EXE_imap-fetcher"))
        .args(&rig.arguments[1..])
        .args(["--listen", &format!("127.0.0.1:{port}"), "--lease-seconds", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_in_the_middle_it_goes_on_without_a_double_or_a_loss() {
    let rig = Rig::new(World::Distributed).await;
    let user = rig.testbed.create_user("killed").unwrap();
    let count = 6000;
    let mails: Vec<_> = (0..count)
        .map(|n| [mail(n), format!("{n} ").repeat(2000).into_bytes()].concat())
        .collect();
    rig.testbed.seed(&user, "INBOX", mails).await.unwrap();
    // The account is there before anybody runs: whoever starts takes it.
    let id = {
        let running = rig.start().await;
        let id = rig.connect(&running, &user).await;
        running.stop().await;
        id
    };
    let mut kills = 0;
    loop {
        let mut child = spawn(&rig);
        let before = rig.row(id).await.messages_done;
        let completed = wait_for_progress(&rig, id, before).await;
        child.kill().unwrap();
        child.wait().unwrap();
        if completed {
            break;
        }
        kills += 1;
        assert!(kills < 100, "it never completes");
    }
    assert!(kills >= 2, "it was killed only {kills} times");
    let inbox = rig.folder(id, "INBOX").await;
    let uids = locations::uids(rig.store.read(), inbox.id, inbox.uid_validity.unwrap())
        .await
        .unwrap();
    let missing: Vec<_> = (1..=count as i64).filter(|uid| !uids.contains(uid)).collect();
    assert_eq!(missing, Vec::<i64>::new());
    let messages = rig.messages(id).await;
    assert_eq!(messages.len(), count);
    let told = rig.told(id.0).await;
    let mut imported: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::MessagesImported(event) => Some(event.message_ids.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let all = imported.len();
    imported.sort();
    imported.dedup();
    assert_eq!((all, imported.len()), (count, count), "announced once each");
    for message in messages.iter().step_by(97) {
        rig.packs.read(message).await.unwrap();
    }
}

/// Waits until a part more is stored; gives whether everything is.
async fn wait_for_progress(rig: &Rig, id: postroom_events::AccountId, before: i64) -> bool {
    eventually(PATIENCE * 2, "progress", async || {
        let row = accounts::find(rig.store.read(), id).await.unwrap();
        (row.backfilled_at.is_some() || row.messages_done > before).then_some(row.backfilled_at.is_some())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_is_healthy_and_stops_promptly() {
    let rig = Rig::new(World::Distributed).await;
    let port = free_port().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_imap-fetcher"))
        .args(&rig.arguments[1..])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually(PATIENCE, "the port to be open", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .map(drop)
    })
    .await;
    let stopped = std::time::Instant::now();
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
    assert!(stopped.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_mail_goes_before_old_mail() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("live-first").unwrap();
    let mails: Vec<_> = (0..4000)
        .map(|n| [mail(n), format!("{n} ").repeat(3000).into_bytes()].concat())
        .collect();
    rig.testbed.seed(&user, "Old", mails).await.unwrap();
    let target = format!("{}:{}", rig.testbed.imap.host, rig.testbed.imap.tls_port);
    let proxy = TcpProxy::start(&target).await.unwrap();
    // A slow line, so that the old mail takes a while.
    proxy.delay(Duration::from_millis(15));
    let running = rig.start().await;
    let id = rig.connect_at(&running, &user, proxy.port()).await;
    eventually(PATIENCE, "the first sync to be under way", async || {
        rig.row(id).await.messages_done > 0
    })
    .await;
    deliver(&rig.testbed, &user, 9001).await;
    rig.hears(id, "the new mail", |event| {
        matches!(event, Event::MessageReceived(_)).then_some(())
    })
    .await;
    assert!(
        rig.row(id).await.backfilled_at.is_none(),
        "it did not wait for the old mail"
    );
    rig.synced(id).await;
    assert_eq!(rig.messages(id).await.len(), 4001);
}

pub(crate) async fn deliver(testbed: &Testbed, user: &postroom_test_support::TestUser, number: usize) {
    testbed.deliver(user, &mail(number)).await.unwrap();
}
