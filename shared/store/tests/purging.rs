//! An account that is disconnected and purged is gone altogether; its events remain.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{path::Path, time::Duration};

use common::{account, keys, mail::*, on_both, sql, submission::Mail as Sent, tenant};
use postroom_events::{AccountDisconnected, AccountId, EventMetadata, GrantId, GrantState, WorkerId};
use postroom_store::{
    Account, Backend, Store, accounts, credentials, erasure, events, grants, leases,
    packs::Packs,
    work::{self, NewWork, WorkKind},
};
use uuid::Uuid;

/// Tables with rows of one account.
async fn tables_of_accounts(store: &Store) -> Vec<String> {
    let query = match store.backend() {
        Backend::Sqlite => {
            "select t.name as text from sqlite_master t join pragma_table_info(t.name) c \
             where t.type = 'table' and c.name = 'account_id'"
        }
        Backend::Postgres => {
            "select table_name::text as text from information_schema.columns \
             where table_schema = 'public' and column_name = 'account_id'"
        }
    };
    sql::texts(store, query).await
}

/// The tables that hold something of an account.
async fn tables_with(store: &Store, id: AccountId) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables_of_accounts(store).await {
        if sql::count(store, &format!("{table} where account_id = $1"), [id.into()]).await > 0 {
            found.push(table);
        }
    }
    found.sort();
    found
}

/// Mail, a submission with an attempt, work, and a lease: whatever an account comes to have. Gives its holder's lease.
async fn live(store: &Store, packs: &Packs, account: &Account) -> leases::Lease {
    let inbox = folder(store, account.id, "INBOX").await;
    let mails: Vec<_> = (1..=30).map(|n| mail(n, "")).collect();
    record(store, packs, &inbox, &mails).await.unwrap();
    let sent = Sent::from(store, account, "s@example.test", &["you@example.test"]).await;
    sent.started(WorkerId::generate(), Duration::from_secs(60)).await;
    let tx = store.begin("test.work").await.unwrap();
    let work = NewWork {
        account_id: account.id,
        kind: WorkKind::Sync { folder_id: None },
        cause_event_id: None,
        correlation_id: Uuid::nil(),
        due_at: tx.store().clock().now(),
    };
    work::add(&tx, work).await.unwrap();
    tx.commit().await.unwrap();
    let taken = leases::acquire(store, WorkerId::generate(), 10, Duration::from_secs(600)).await;
    let taken = taken.unwrap();
    *taken.iter().find(|lease| lease.account_id == account.id).unwrap()
}

async fn disconnect(store: &Store, account: &Account) {
    let tx = store.begin("test.disconnect").await.unwrap();
    accounts::set_disconnected(&tx, account.id, true).await.unwrap();
    let event = AccountDisconnected {
        account_id: account.id,
        credential_generation: 2,
        purge: true,
    };
    let metadata = EventMetadata::started_by("test", account.tenant_id);
    events::append(&tx, &metadata, vec![event.into()]).await.unwrap();
    tx.commit().await.unwrap();
}

/// What token-refresher does when an account is disconnected.
async fn release(store: &Store, account: &Account) {
    let tx = store.begin("test.release").await.unwrap();
    credentials::erase(&tx, account.credential_id.unwrap())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn has_objects(directory: &Path, id: AccountId) -> bool {
    std::fs::read_dir(directory.join("mail").join(id.to_string()))
        .is_ok_and(|mut entries| entries.next().is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_account_leaves_neither_rows_nor_objects_and_its_events_remain() {
    on_both(|store| async move {
        let (directory, packs) = common::packs();
        let (keys, tenant_id) = (keys(), tenant(&store).await);
        let gone = account(&store, &keys, tenant_id, "gone@example.test").await;
        let lease = live(&store, &packs, &gone).await;
        let stays = account(&store, &keys, tenant_id, "stays@example.test").await;
        live(&store, &packs, &stays).await;
        let before = [
            "account_leases",
            "account_work",
            "folders",
            "lease_history",
            "locations",
            "messages",
            "packs",
            "submissions",
        ];
        assert_eq!(tables_with(&store, gone.id).await, before);

        disconnect(&store, &gone).await;
        let purge = async || erasure::purge_accounts(&store, &packs, 10).await.unwrap();
        assert_eq!(purge().await, 0);
        assert_eq!(all(&store, gone.id).await.len(), 30, "somebody still holds it");
        leases::release(&store, &[lease]).await.unwrap();
        assert_eq!(purge().await, 0, "its secret is still there");
        assert!(all(&store, gone.id).await.is_empty());
        assert!(!has_objects(directory.path(), gone.id));
        release(&store, &gone).await;
        assert_eq!(purge().await, 1);

        assert!(accounts::find(store.read(), gone.id).await.is_err());
        assert_eq!(tables_with(&store, gone.id).await, Vec::<String>::new());
        let credential = [gone.credential_id.unwrap().into()];
        assert_eq!(
            sql::count(&store, "credentials where id = $1", credential).await,
            0
        );
        for table in ["submission_recipients", "send_attempts"] {
            assert_eq!(sql::count(&store, table, []).await, 1, "{table}: of the other");
        }
        assert!(!has_objects(directory.path(), gone.id));
        let of_gone = events::EventFilter {
            subject: Some(gone.id.0),
            limit: 10,
            ..Default::default()
        };
        let told = events::list(store.read(), &of_gone).await.unwrap();
        assert_eq!(
            told.last().unwrap().event_type,
            "postroom.account.disconnected.v1"
        );

        assert_eq!(tables_with(&store, stays.id).await, before);
        for row in all(&store, stays.id).await {
            packs.read(&row).await.unwrap();
        }
    })
    .await;
}

/// An account that signs in with a grant.
async fn by_grant(store: &Store, address: &str, grant_id: GrantId, like: &Account) -> Account {
    let mut account = account(store, &keys(), like.tenant_id, address).await;
    let tx = store.begin("test.grant").await.unwrap();
    let credential_id = credentials::add_grant(&tx, like.tenant_id, grant_id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let text = "update accounts set credential_id = $1 where id = $2";
    sql::run(store, text, [credential_id.into(), account.id.into()]).await;
    account.credential_id = Some(credential_id);
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_was_given_back_goes_with_the_last_account_that_used_it() {
    on_both(|store| async move {
        let (_directory, packs) = common::packs();
        let (keys, tenant_id) = (keys(), tenant(&store).await);
        let like = account(&store, &keys, tenant_id, "like@example.test").await;
        let tx = store.begin("test.grant").await.unwrap();
        let grant_id = common::grant(&tx, &keys, tenant_id).await;
        tx.commit().await.unwrap();
        let first = by_grant(&store, "first@example.test", grant_id, &like).await;
        let last = by_grant(&store, "last@example.test", grant_id, &like).await;
        for account in [first, last] {
            grants::find(store.read(), tenant_id, grant_id).await.unwrap();
            disconnect(&store, &account).await;
            release(&store, &account).await;
            if account.address.starts_with("last") {
                let tx = store.begin("test.give_back").await.unwrap();
                let grant = grants::find(tx.db(), tenant_id, grant_id).await.unwrap();
                grants::end(&tx, &grant, GrantState::Revoked, "released")
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            }
            assert_eq!(erasure::purge_accounts(&store, &packs, 10).await.unwrap(), 1);
        }
        assert!(grants::find(store.read(), tenant_id, grant_id).await.is_err());
    })
    .await;
}
