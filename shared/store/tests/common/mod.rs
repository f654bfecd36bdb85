//! Every test of the store is written once and run on both databases.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // each test file uses what it needs

pub mod mail;
pub mod sql;
pub mod submission;

use std::{future::Future, sync::Arc};

use postroom_crypto::KeyRing;
use postroom_events::{AccountId, AuthenticationMethod, GrantId, TenantId};
use postroom_retry::{Clock, SystemClock};
use postroom_store::{
    Account, EventDelivery, Store, StoreConfig, Tx,
    accounts::{self, NewAccount, ServerAddress},
    credentials,
    grants::{self, NewGrant, NewTokens},
    tenants,
};
use postroom_test_support::{FreshDatabase, Testbed};
use secrecy::SecretString;

/// A store with whatever must live as long as it.
pub struct Database {
    pub store: Store,
    _directory: Option<tempfile::TempDir>,
    _postgres: Option<FreshDatabase>,
}

impl Database {
    /// The URL of a PostgreSQL database.
    pub fn url(&self) -> &str {
        self._postgres.as_ref().unwrap().url()
    }
}

pub async fn sqlite(delivery: EventDelivery) -> Database {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        delivery,
        ..StoreConfig::embedded(directory.path().join("postroom.sqlite"))
    };
    let store = Store::open(&config, clock()).await.unwrap();
    store.migrate().await.unwrap();
    Database {
        store,
        _directory: Some(directory),
        _postgres: None,
    }
}

pub async fn postgres(delivery: EventDelivery) -> Database {
    let fresh = Testbed::load().unwrap().fresh_database().await.unwrap();
    let config = StoreConfig {
        url: fresh.url().to_owned(),
        delivery,
        max_connections: 8,
    };
    let store = Store::open(&config, clock()).await.unwrap();
    store.migrate().await.unwrap();
    Database {
        store,
        _directory: None,
        _postgres: Some(fresh),
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Runs a test on SQLite and on PostgreSQL, with events going into queues.
pub async fn on_both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    let database = sqlite(EventDelivery::Queues).await;
    test(database.store.clone()).await;
    let database = postgres(EventDelivery::Queues).await;
    test(database.store.clone()).await;
}

pub fn keys() -> KeyRing {
    let entry = KeyRing::generate_entry("test").unwrap();
    KeyRing::from_list(&entry).unwrap()
}

pub async fn tenant(store: &Store) -> TenantId {
    let tx = store.begin("test.tenant").await.unwrap();
    let tenant = tenants::create(&tx, "A CRM").await.unwrap();
    tx.commit().await.unwrap();
    tenant.id
}

pub async fn account(store: &Store, keys: &KeyRing, tenant_id: TenantId, address: &str) -> Account {
    let tx = store.begin("test.account").await.unwrap();
    let password = SecretString::from("correct horse");
    let credential_id =
        credentials::add_password(&tx, keys, tenant_id, AuthenticationMethod::Password, &password)
            .await
            .unwrap();
    let server = |port| ServerAddress {
        host: "mail.example.test".into(),
        port,
        tls: "implicit".into(),
    };
    let new = NewAccount {
        id: AccountId::generate(),
        tenant_id,
        user_ref: "u1".into(),
        address: address.into(),
        sender_name: String::new(),
        provider_id: "custom".into(),
        imap: server(993),
        smtp: server(465),
        login: address.into(),
        mailbox: None,
        credential_id,
    };
    let account = accounts::create(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    account
}

/// A living grant that no credential names.
pub async fn grant(tx: &Tx, keys: &KeyRing, tenant_id: TenantId) -> GrantId {
    let new = NewGrant {
        tenant_id,
        provider_id: "test".into(),
        subject: "ada".into(),
        identity_address: Some("ada@example.test".into()),
        tokens: NewTokens {
            access_token: SecretString::from("access"),
            expires_at: None,
            refresh_token: None,
            scopes: "imap".into(),
            refresh_due_at: None,
        },
    };
    grants::add(tx, keys, new).await.unwrap()
}

/// A pack directory of one's own.
pub fn packs() -> (tempfile::TempDir, postroom_store::packs::Packs) {
    let directory = tempfile::tempdir().unwrap();
    let packs = postroom_store::packs::Packs::in_directory(&directory.path().join("mail")).unwrap();
    (directory, packs)
}
