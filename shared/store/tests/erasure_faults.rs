//! Erasure when something fails: no mail is lost, and what fails does not stand in the way of the rest.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{path::Path, sync::Arc, time::Duration};

use common::{account, keys, mail::*, on_both, sql, tenant};
use postroom_events::AccountId;
use postroom_retry::{Clock, SystemClock};
use postroom_store::{
    Account, EventDelivery, Store, StoreConfig, accounts, credentials, erasure, packs::Packs,
};
use postroom_test_support::{TcpProxy, eventually};
use url::Url;

/// An account with two messages in one pack, the first of which is to be erased.
async fn with_one_to_erase(store: &Store, packs: &Packs, address: &str) -> Account {
    let account = account(store, &keys(), tenant(store).await, address).await;
    let inbox = folder(store, account.id, "INBOX").await;
    record(store, packs, &inbox, &[mail(1, ""), mail(2, "")])
        .await
        .unwrap();
    depart(store, &inbox, &[1], store.clock().now()).await;
    account
}

fn objects(directory: &Path, account_id: AccountId) -> usize {
    let directory = directory.join("mail").join(account_id.to_string());
    std::fs::read_dir(directory).unwrap().count()
}

/// What is kept of [`with_one_to_erase`] is there and comes out as it went in.
async fn second_is_readable(store: &Store, packs: &Packs, account_id: AccountId) {
    let rest = all(store, account_id).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(packs.read(&rest[0]).await.unwrap(), raw(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_deletes_no_object() {
    on_both(|store| async move {
        let (directory, packs) = common::packs();
        let account = with_one_to_erase(&store, &packs, "a@example.test").await;
        let old = all(&store, account.id).await[0].pack_id;
        // Checked at the commit alone, as if a disk were full: the row of the old pack may not go.
        let veto = "create table veto (id @uuid references packs (id) deferrable initially deferred)";
        sql::run(&store, veto, []).await;
        sql::run(&store, "insert into veto (id) values ($1)", [old.into()]).await;
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 0);
        second_is_readable(&store, &packs, account.id).await;
        assert_eq!(all(&store, account.id).await[0].pack_id, old);
        assert_eq!(
            objects(directory.path(), account.id),
            2,
            "for all that is known, rows name the new one"
        );
        sql::run(&store, "drop table veto", []).await;
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 1);
        assert_eq!(erasure::delete_erased_packs(&store, &packs, 10).await.unwrap(), 1);
        second_is_readable(&store, &packs, account.id).await;
    })
    .await;
}

/// PostgreSQL commits, and its answer is lost on the way. (SQLite's answer comes from the process itself.)
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_loses_no_mail() {
    let database = common::postgres(EventDelivery::Queues).await;
    let (direct, clock) = (&database.store, Arc::new(SystemClock));
    let (directory, packs) = common::packs();
    let account = with_one_to_erase(direct, &packs, "a@example.test").await;
    let mut url = Url::parse(database.url()).unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let proxy = TcpProxy::start(&target).await.unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    let config = StoreConfig {
        url: url.into(),
        delivery: EventDelivery::Queues,
        max_connections: 2,
    };
    let store = Store::open(&config, clock).await.unwrap();

    // The commit of whoever deletes a pack waits for this lock.
    let wait = "create function wait() returns trigger language plpgsql as \
                $$ begin perform pg_advisory_xact_lock(42); return null; end $$";
    sql::run(direct, wait, []).await;
    let at_commit = "create constraint trigger waits after delete on packs deferrable initially deferred \
                     for each row execute function wait()";
    sql::run(direct, at_commit, []).await;
    let lock = direct.begin("test.lock").await.unwrap();
    sql::run_in(&lock, "select pg_advisory_xact_lock(42)", []).await;
    let erasing = tokio::spawn({
        let packs = packs.clone();
        async move { erasure::erase_messages(&store, &packs, 10).await }
    });
    let patience = Duration::from_secs(20);
    eventually(patience, "the commit to wait", async || {
        sql::count(direct, "pg_locks where locktype = 'advisory' and not granted", []).await == 1
    })
    .await;
    proxy.hold_answers();
    lock.commit().await.unwrap();
    eventually(patience, "the commit to be done", async || {
        sql::count(direct, "erased_packs", []).await == 1
    })
    .await;
    proxy.cut();
    assert_eq!(erasing.await.unwrap().unwrap(), 0, "it cannot know");
    second_is_readable(direct, &packs, account.id).await;
    assert_eq!(erasure::delete_erased_packs(direct, &packs, 10).await.unwrap(), 1);
    assert_eq!(objects(directory.path(), account.id), 1);
    second_is_readable(direct, &packs, account.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_pack_does_not_stand_in_the_way_of_the_others() {
    on_both(|store| async move {
        let (directory, packs) = common::packs();
        let mut accounts = Vec::new();
        for address in ["a@example.test", "b@example.test", "c@example.test"] {
            accounts.push(with_one_to_erase(&store, &packs, address).await);
        }
        let kept = all(&store, accounts[0].id).await.remove(0);
        let object = directory
            .path()
            .join("mail")
            .join(kept.account_id.to_string())
            .join(kept.pack_id.to_string());
        std::fs::write(object, "torn").unwrap();
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 2);
        assert_eq!(
            sql::count(&store, "messages where erase_requested_at is not null", []).await,
            1
        );
        assert_eq!(erasure::erase_messages(&store, &packs, 10).await.unwrap(), 0);
        for account in &accounts[1..] {
            second_is_readable(&store, &packs, account.id).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_erased_does_not_stand_in_the_way_of_the_others() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let mut accounts = Vec::new();
        for address in ["a@example.test", "b@example.test", "c@example.test"] {
            let account = with_one_to_erase(&store, &packs, address).await;
            let tx = store.begin("test.disconnect").await.unwrap();
            accounts::set_disconnected(&tx, account.id, true).await.unwrap();
            credentials::erase(&tx, account.credential_id.unwrap())
                .await
                .unwrap();
            tx.commit().await.unwrap();
            accounts.push(account);
        }
        let held = all(&store, accounts[0].id).await.remove(0);
        sql::run(
            &store,
            "create table veto (id @uuid references messages (id))",
            [],
        )
        .await;
        sql::run(&store, "insert into veto (id) values ($1)", [held.id.into()]).await;
        assert_eq!(erasure::purge_accounts(&store, &packs, 10).await.unwrap(), 2);
        accounts::find(store.read(), accounts[0].id).await.unwrap();
        sql::run(&store, "drop table veto", []).await;
        assert_eq!(erasure::purge_accounts(&store, &packs, 10).await.unwrap(), 1);
    })
    .await;
}
