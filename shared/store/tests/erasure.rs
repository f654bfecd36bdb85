//! What is erased is gone.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{path::Path, sync::Arc, time::Duration};

use common::{account, keys, mail::*, on_both, tenant};
use postroom_crypto::KeyRing;
use postroom_events::SubmissionId;
use postroom_retry::{Clock, ManualClock, SystemClock};
use postroom_store::{
    Store, StoreConfig, accounts, credentials,
    erasure::{self, ORPHAN_AGE},
    messages::{self, MessageFilter},
    packs::{PackBuilder, Packs},
    submissions::{self, NewSubmission},
};

fn holds(directory: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holds(&path, needle));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

async fn all(store: &Store, account_id: postroom_events::AccountId) -> Vec<postroom_store::Message> {
    let filter = MessageFilter {
        account_id,
        folder_id: None,
        before: None,
        limit: 1000,
    };
    messages::list(store.read(), &filter).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_written_anew_and_the_others_stay_readable() {
    on_both(|store| async move {
        let (directory, packs) = common::packs();
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let inbox = folder(&store, account.id, "INBOX").await;
        let mails: Vec<_> = (1..=700).map(|n| mail(n, "")).collect();
        record(&store, &packs, &inbox, &mails).await.unwrap();
        let odd: Vec<i64> = (1..=700).filter(|n| n % 2 == 1).collect();
        depart(&store, &inbox, &odd, store.clock().now()).await;
        let before = all(&store, account.id).await[0].pack_id;
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 350);
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 0);
        let rest = all(&store, account.id).await;
        assert_eq!(rest.len(), 350);
        for row in &rest {
            assert_ne!(row.pack_id, before);
            let number: i64 = row.subject.trim_start_matches("Message ").parse().unwrap();
            assert_eq!(packs.read(row).await.unwrap(), raw(number));
        }
        let objects = std::fs::read_dir(directory.path().join("mail").join(account.id.to_string()))
            .unwrap()
            .count();
        assert_eq!(objects, 1, "the old pack is gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_account_leaves_neither_rows_nor_objects() {
    on_both(|store| async move {
        let (directory, packs) = common::packs();
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let gone = account(&store, &keys, tenant_id, "gone@example.test").await;
        let stays = account(&store, &keys, tenant_id, "stays@example.test").await;
        for account in [&gone, &stays] {
            let inbox = folder(&store, account.id, "INBOX").await;
            let mails: Vec<_> = (1..=30).map(|n| mail(n, "")).collect();
            record(&store, &packs, &inbox, &mails).await.unwrap();
        }
        submit(&store, &packs, &gone).await;
        let tx = store.begin("test.disconnect").await.unwrap();
        accounts::set_disconnected(&tx, gone.id, true).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(
            erasure::purge_accounts(&store, &packs, 10).await.unwrap(),
            0,
            "its secret is still there"
        );
        assert!(all(&store, gone.id).await.is_empty());
        assert!(!has_objects(directory.path(), gone.id));
        let tx = store.begin("test.forget").await.unwrap();
        credentials::erase(&tx, gone.credential_id.unwrap())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(erasure::purge_accounts(&store, &packs, 10).await.unwrap(), 1);
        assert!(accounts::find(store.read(), gone.id).await.is_err());
        let rest = all(&store, stays.id).await;
        assert_eq!(rest.len(), 30);
        packs.read(&rest[0]).await.unwrap();
    })
    .await;
}

fn has_objects(directory: &Path, id: postroom_events::AccountId) -> bool {
    std::fs::read_dir(directory.join("mail").join(id.to_string()))
        .is_ok_and(|mut entries| entries.next().is_some())
}

async fn submit(store: &Store, packs: &Packs, account: &postroom_store::Account) -> SubmissionId {
    let mut builder = PackBuilder::new().unwrap();
    let frame = builder.add(b"Subject: sent\r\n\r\nsent").unwrap();
    let pack = packs.put(account.id, builder).await.unwrap();
    let tx = store.begin("test.submit").await.unwrap();
    let new = NewSubmission {
        id: SubmissionId::generate(),
        tenant_id: account.tenant_id,
        account_id: account.id,
        idempotency_key: None,
        request_digest: [0; 32],
        message_id_header: "s@example.test".into(),
        envelope_from: account.address.clone(),
        subject: "sent".into(),
        pack: &pack,
        frame,
        recipients: vec!["you@example.test".into()],
        give_up_after: Duration::from_secs(60),
    };
    let id = submissions::create(&tx, new).await.unwrap().id;
    tx.commit().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_without_rows_are_collected_when_they_are_old() {
    let directory = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(SystemClock.now());
    let config = StoreConfig::embedded(directory.path().join("postroom.sqlite"));
    let store = Store::open(&config, Arc::new(clock.clone())).await.unwrap();
    store.migrate().await.unwrap();
    let packs = Packs::in_directory(&directory.path().join("mail")).unwrap();
    let account = account(&store, &keys(), tenant(&store).await, "a@example.test").await;
    let inbox = folder(&store, account.id, "INBOX").await;
    record(&store, &packs, &inbox, &[mail(1, "")]).await.unwrap();
    // A crash between put and commit.
    prepare(&store, &packs, &inbox, &[mail(2, "")]).await;
    std::fs::write(directory.path().join("mail").join("README"), "not a pack").unwrap();
    clock.advance(ORPHAN_AGE - Duration::from_secs(60));
    assert_eq!(erasure::collect_orphans(&store, &packs).await.unwrap(), 0);
    clock.advance(Duration::from_secs(180));
    assert_eq!(erasure::collect_orphans(&store, &packs).await.unwrap(), 1);
    packs.read(&all(&store, account.id).await[0]).await.unwrap();
    assert!(directory.path().join("mail").join("README").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_canary_is_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig::embedded(directory.path().join("postroom.sqlite"));
    let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    let packs = Packs::in_directory(&directory.path().join("mail")).unwrap();
    let keys: KeyRing = keys();
    let account = account(&store, &keys, tenant(&store).await, "a@example.test").await;
    let inbox = folder(&store, account.id, "INBOX").await;
    // Many rows around it, in several transactions, so that pages are split and moved.
    for first in (1..=2000).step_by(250) {
        let mails: Vec<_> = (first..first + 250).map(|n| mail(n, "\\Seen")).collect();
        record(&store, &packs, &inbox, &mails).await.unwrap();
    }
    let canary = b"Message 777";
    assert!(!holds(directory.path(), canary).is_empty(), "it is there before");
    depart(&store, &inbox, &[777], store.clock().now()).await;
    assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 1);
    assert!(erasure::sweep_database(&store, true).await.unwrap());
    assert_eq!(holds(directory.path(), canary), Vec::<String>::new());
    assert_eq!(holds(directory.path(), b"Body of 777"), Vec::<String>::new());
    let kept = b"Message 778";
    assert!(
        !holds(directory.path(), kept).is_empty(),
        "its neighbours are still there"
    );
}
