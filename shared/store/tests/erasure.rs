//! What is erased is gone.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{path::Path, sync::Arc, time::Duration};

use common::{account, keys, mail::*, on_both, tenant};
use postroom_crypto::KeyRing;
use postroom_retry::{Clock, ManualClock, SystemClock};
use postroom_store::{
    Store, StoreConfig,
    erasure::{self, ORPHAN_AGE},
    packs::Packs,
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
        // Whoever is killed here leaves the old object to anybody's next round.
        let objects = || {
            let directory = directory.path().join("mail").join(account.id.to_string());
            std::fs::read_dir(directory).unwrap().count()
        };
        assert_eq!(objects(), 2);
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 0);
        assert_eq!(erasure::delete_erased_packs(&store, &packs, 10).await.unwrap(), 1);
        assert_eq!(erasure::delete_erased_packs(&store, &packs, 10).await.unwrap(), 0);
        assert_eq!(objects(), 1, "the old pack is gone");
        let rest = all(&store, account.id).await;
        assert_eq!(rest.len(), 350);
        for row in &rest {
            assert_ne!(row.pack_id, before);
            let number: i64 = row.subject.trim_start_matches("Message ").parse().unwrap();
            assert_eq!(packs.read(row).await.unwrap(), raw(number));
        }
    })
    .await;
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
    assert_eq!(erasure::delete_erased_packs(&store, &packs, 10).await.unwrap(), 1);
    // A process that was started again knows that there is something to sweep.
    drop(store);
    let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
    assert!(erasure::sweep_database(&store).await.unwrap());
    assert_eq!(holds(directory.path(), canary), Vec::<String>::new());
    assert_eq!(holds(directory.path(), b"Body of 777"), Vec::<String>::new());
    let kept = b"Message 778";
    assert!(
        !holds(directory.path(), kept).is_empty(),
        "its neighbours are still there"
    );
}
