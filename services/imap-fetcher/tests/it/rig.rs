//! A fetcher in this process, an account of its own, and what tests ask about them.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use imap_fetcher::FetcherSettings;
use postroom_events::{
    AccountConnected, AccountId, AuthenticationMethod, Event, EventMetadata, FolderId, TenantId,
};
use postroom_retry::SystemClock;
use postroom_runtime::{Background, Parts, Settings};
use postroom_store::{
    Account, EventDelivery, Folder, Message, Store, StoreConfig,
    accounts::{self, NewAccount, ServerAddress},
    credentials, events, folders, locations,
    messages::{self, MessageFilter},
    tenants,
};
use postroom_test_support::{FreshDatabase, FreshVhost, TestUser, Testbed, eventually};
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Which of the two ways to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Embedded,
    Distributed,
}

/// What outlives a fetcher: the database, the broker, the mail.
pub(crate) struct Rig {
    pub(crate) testbed: Testbed,
    pub(crate) tenant_id: TenantId,
    pub(crate) store: Store,
    pub(crate) arguments: Vec<String>,
    pub(crate) keys: Arc<postroom_crypto::KeyRing>,
    pub(crate) packs: postroom_store::packs::Packs,
    _directory: tempfile::TempDir,
    _database: Option<FreshDatabase>,
    _vhost: Option<FreshVhost>,
}

/// A running fetcher.
pub(crate) struct Running {
    pub(crate) parts: Arc<Parts>,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    background: Option<Background>,
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    settings: Settings,
}

/// Short times, so that tests do not wait.
pub(crate) fn quick() -> FetcherSettings {
    FetcherSettings {
        lease: Duration::from_secs(3),
        scan_every: Duration::from_millis(700),
        grace: Duration::from_millis(900),
        list_every: Duration::from_secs(2),
        segment: Duration::from_millis(500),
        ..FetcherSettings::default()
    }
}

impl Rig {
    pub(crate) async fn new(world: World) -> Self {
        let testbed = Testbed::load().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let keys = postroom_crypto::KeyRing::generate_entry("test").unwrap();
        let mut arguments: Vec<String> = vec![
            "test".into(),
            "--data-dir".into(),
            directory.path().display().to_string(),
            "--ca-file".into(),
            testbed.ca_file.display().to_string(),
            "--allow-networks".into(),
            "127.0.0.0/8,::1/128".into(),
            "--secret-keys".into(),
            secrecy::ExposeSecret::expose_secret(&keys).to_owned(),
        ];
        let mut kept = (None, None);
        let (url, delivery) = match world {
            World::Embedded => (
                format!("sqlite:{}", directory.path().join("postroom.sqlite").display()),
                EventDelivery::Queues,
            ),
            World::Distributed => {
                let database = testbed.fresh_database().await.unwrap();
                let vhost = testbed.fresh_vhost().await.unwrap();
                let url = database.url().to_owned();
                let mail = directory.path().join("mail");
                for (flag, value) in [
                    ("--database-url", url.clone()),
                    ("--amqp-url", vhost.url().to_owned()),
                    ("--objects-url", format!("file://{}", mail.display())),
                ] {
                    arguments.extend([flag.to_owned(), value]);
                }
                kept = (Some(database), Some(vhost));
                (url, EventDelivery::Outbox)
            }
        };
        let config = StoreConfig {
            url,
            delivery,
            max_connections: 4,
        };
        let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        let tx = store.begin("test.tenant").await.unwrap();
        let tenant_id = tenants::create(&tx, "A CRM").await.unwrap().id;
        tx.commit().await.unwrap();
        let packs = postroom_store::packs::Packs::in_directory(&directory.path().join("mail")).unwrap();
        Self {
            testbed,
            tenant_id,
            store,
            arguments,
            keys: Arc::new(postroom_crypto::KeyRing::from_list(&keys).unwrap()),
            packs,
            _directory: directory,
            _database: kept.0,
            _vhost: kept.1,
        }
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(quick()).await
    }

    pub(crate) async fn start_with(&self, settings: FetcherSettings) -> Running {
        let shutdown = CancellationToken::new();
        let configured = Command::parse_from(&self.arguments).settings;
        let parts = Parts::assemble(configured, shutdown.clone()).await.unwrap();
        let background = Background::start(&parts);
        let task = tokio::spawn(imap_fetcher::run_with(Arc::clone(&parts), settings));
        Running {
            parts,
            shutdown,
            task,
            background: Some(background),
        }
    }

    /// An account with a password, connected as account-manager does it.
    pub(crate) async fn connect(&self, running: &Running, user: &TestUser) -> AccountId {
        self.connect_at(running, user, self.testbed.imap.tls_port).await
    }

    pub(crate) async fn connect_at(&self, running: &Running, user: &TestUser, port: u16) -> AccountId {
        let store = &running.parts.store;
        let tx = store.begin("test.connect").await.unwrap();
        let password = SecretString::from(user.password.clone());
        let method = AuthenticationMethod::Password;
        let credential_id = credentials::add_password(&tx, &self.keys, self.tenant_id, method, &password)
            .await
            .unwrap();
        let account = self.account(user, port, credential_id);
        let id = accounts::create(&tx, account).await.unwrap().id;
        announce(&tx, self.tenant_id, id).await;
        tx.commit().await.unwrap();
        id
    }

    pub(crate) fn account(
        &self,
        user: &TestUser,
        port: u16,
        credential_id: postroom_events::CredentialId,
    ) -> NewAccount {
        let server = |port| ServerAddress {
            host: self.testbed.imap.host.clone(),
            port,
            tls: "implicit".into(),
        };
        NewAccount {
            id: AccountId::generate(),
            tenant_id: self.tenant_id,
            user_ref: "u1".into(),
            address: user.address.clone(),
            sender_name: String::new(),
            provider_id: "custom".into(),
            imap: server(port),
            smtp: server(self.testbed.submission.tls_port),
            login: user.address.clone(),
            mailbox: None,
            credential_id,
        }
    }

    pub(crate) async fn row(&self, id: AccountId) -> Account {
        accounts::find(self.store.read(), id).await.unwrap()
    }

    /// Waits until the first sync is complete.
    pub(crate) async fn synced(&self, id: AccountId) {
        eventually(PATIENCE * 2, "the first sync to be complete", async || {
            let row = self.row(id).await;
            let done = row.backfilled_at.is_some() && row.last_success_at.is_some();
            done.then_some(()).ok_or(format!("{row:?}"))
        })
        .await;
    }

    pub(crate) async fn messages(&self, id: AccountId) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let filter = MessageFilter {
                account_id: id,
                folder_id: None,
                before: all.last().map(|row: &Message| (row.received_at, row.id)),
                limit: 1000,
            };
            let page = messages::list(self.store.read(), &filter).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    pub(crate) async fn folder(&self, id: AccountId, name: &str) -> Folder {
        let all = folders::of_account(self.store.read(), id).await.unwrap();
        all.into_iter().find(|folder| folder.name == name).unwrap()
    }

    /// UID, subject and flags of everything in a folder, by UID.
    pub(crate) async fn content(&self, id: AccountId, folder: &Folder) -> Vec<(i64, String, String)> {
        let messages = self.messages(id).await;
        let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
        let mut content: Vec<_> = locations::of_messages(self.store.read(), &ids)
            .await
            .unwrap()
            .into_iter()
            .filter(|location| location.folder_id == folder.id)
            .map(|location| {
                let message = messages
                    .iter()
                    .find(|message| message.id == location.message_id)
                    .unwrap();
                (location.uid, message.subject.clone(), location.flags)
            })
            .collect();
        content.sort();
        content
    }

    /// What was announced about an account or grant, oldest first.
    pub(crate) async fn told(&self, subject: uuid::Uuid) -> Vec<Event> {
        let filter = events::EventFilter {
            subject: Some(subject),
            limit: 1000,
            ..events::EventFilter::default()
        };
        let envelopes = events::list(self.store.read(), &filter).await.unwrap();
        envelopes
            .iter()
            .map(|envelope| envelope.event().unwrap())
            .collect()
    }

    /// Waits until something was announced that `wanted` takes.
    pub(crate) async fn hears<T>(
        &self,
        id: AccountId,
        what: &str,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> T {
        eventually(PATIENCE, what, async || {
            let told = self.told(id.0).await;
            told.iter().find_map(&wanted).ok_or(format!("{told:?}"))
        })
        .await
    }

    pub(crate) async fn received_in(&self, id: AccountId, folder: FolderId) -> usize {
        self.told(id.0)
            .await
            .iter()
            .filter(|event| matches!(event, Event::MessageReceived(event) if event.folder_id == folder))
            .count()
    }
}

impl Running {
    /// Stops it as SIGTERM does, and says how long that took.
    pub(crate) async fn stop(mut self) -> Duration {
        let began = std::time::Instant::now();
        self.shutdown.cancel();
        (&mut self.task).await.unwrap().unwrap();
        if let Some(background) = self.background.take() {
            background.stop(Duration::from_secs(5)).await;
        }
        began.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.task.abort();
    }
}

pub(crate) async fn announce(tx: &postroom_store::Tx, tenant_id: TenantId, id: AccountId) {
    let event = AccountConnected {
        account_id: id,
        credential_generation: 1,
        grant_id: None,
    };
    let metadata = EventMetadata::started_by("account-manager", tenant_id);
    events::append(tx, &metadata, vec![event.into()]).await.unwrap();
}

/// A small mail.
pub(crate) fn mail(number: usize) -> Vec<u8> {
    format!(
        "Message-ID: <{number}@seed.example>\r\nFrom: Me <me@seed.example>\r\nTo: you@seed.example\r\nSubject: Mail {number}\r\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nBody of mail {number}.\r\n"
    )
    .into_bytes()
}
