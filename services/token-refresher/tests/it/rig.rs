//! Refreshers in this process, grants of a real provider, and what tests ask about them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use postroom_crypto::KeyRing;
use postroom_events::{
    AccountConnected, AccountId, CredentialId, Event, EventId, EventMetadata, GrantId, TenantId,
    TokenRejected,
};
use postroom_retry::SystemClock;
use postroom_runtime::{Background, Parts, Settings};
use postroom_store::{
    EventDelivery, Store, StoreConfig,
    accounts::{self, NewAccount, ServerAddress},
    credentials, events,
    grants::{self, NewGrant, NewTokens},
    tenants,
};
use postroom_test_support::{FreshDatabase, FreshVhost, TestUser, Testbed, TokenSet, WebClient};
use secrecy::{ExposeSecret, SecretString};
use token_refresher::RefresherSettings;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::log;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The id of the registration at the testbed's provider.
pub(crate) const REGISTRATION: &str = "testbed";

/// What minted tokens are for.
const MINTED_SCOPES: [&str; 5] = [
    "openid",
    "email",
    "offline_access",
    "https://outlook.office.com/IMAP.AccessAsUser.All",
    "https://outlook.office.com/SMTP.Send",
];

/// Which of the two ways to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Embedded,
    Distributed,
}

/// What outlives a refresher: the database, the broker, the provider.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) testbed: Testbed,
    pub(crate) client: WebClient,
    pub(crate) tenant_id: TenantId,
    pub(crate) store: Store,
    pub(crate) keys: Arc<KeyRing>,
    arguments: Vec<String>,
    directory: tempfile::TempDir,
    _database: Option<FreshDatabase>,
    _vhost: Option<FreshVhost>,
}

/// A running refresher.
pub(crate) struct Running {
    pub(crate) parts: Arc<Parts>,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    background: Option<Background>,
}

/// A grant that is stored, and one account that signs in with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connected {
    pub(crate) account: AccountId,
    pub(crate) grant: GrantId,
}

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    settings: Settings,
}

/// Short times, so that tests do not wait.
pub(crate) fn quick() -> RefresherSettings {
    RefresherSettings {
        hold: Duration::from_secs(4),
        refresh_limit: Duration::from_secs(2),
        look_every: Duration::from_millis(300),
        ..RefresherSettings::default()
    }
}

impl Rig {
    pub(crate) async fn new(world: World) -> Self {
        let testbed = Testbed::load().unwrap();
        if world == World::Embedded {
            return Self::over(testbed, None).await;
        }
        let database = testbed.fresh_database().await.unwrap();
        let mut rig = Self::over(testbed, Some(database.url().to_owned())).await;
        rig._database = Some(database);
        rig
    }

    /// Over a PostgreSQL that the caller keeps; over SQLite without one.
    pub(crate) async fn over(testbed: Testbed, database: Option<String>) -> Self {
        log::capture();
        let directory = tempfile::tempdir().unwrap();
        let redirect = "http://127.0.0.1:8025/oauth/callback";
        let client = testbed.openid().create_client(redirect).await.unwrap();
        let entry = KeyRing::generate_entry("test").unwrap();
        let mut arguments = vec!["test".to_owned()];
        let oauth_file = directory.path().join("oauth.toml");
        write_registration(&oauth_file, &testbed.openid_address.issuer, &client);
        for (flag, value) in [
            ("--data-dir", directory.path().display().to_string()),
            ("--oauth-file", oauth_file.display().to_string()),
            ("--allow-networks", "127.0.0.0/8,::1/128".to_owned()),
            ("--secret-keys", entry.expose_secret().to_owned()),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        let mut vhost = None;
        let (url, delivery) = match &database {
            None => {
                let file = directory.path().join("postroom.sqlite");
                (format!("sqlite:{}", file.display()), EventDelivery::Queues)
            }
            Some(url) => {
                let broker = testbed.fresh_vhost().await.unwrap();
                let mail = directory.path().join("mail");
                for (flag, value) in [
                    ("--database-url", url.clone()),
                    ("--amqp-url", broker.url().to_owned()),
                    ("--objects-url", format!("file://{}", mail.display())),
                ] {
                    arguments.extend([flag.to_owned(), value]);
                }
                vhost = Some(broker);
                (url.clone(), EventDelivery::Outbox)
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
        Self {
            world: match database {
                None => World::Embedded,
                Some(_) => World::Distributed,
            },
            testbed,
            client,
            tenant_id,
            store,
            keys: Arc::new(KeyRing::from_list(&entry).unwrap()),
            arguments,
            directory,
            _database: None,
            _vhost: vhost,
        }
    }

    pub(crate) fn oauth_file(&self) -> PathBuf {
        self.directory.path().join("oauth.toml")
    }

    /// Where the embedded database is.
    pub(crate) fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(quick()).await
    }

    pub(crate) async fn start_with(&self, settings: RefresherSettings) -> Running {
        let shutdown = CancellationToken::new();
        let configured = Command::parse_from(&self.arguments).settings;
        let parts = Parts::assemble(configured, shutdown.clone()).await.unwrap();
        let background = Background::start(&parts);
        let task = tokio::spawn(token_refresher::run_with(Arc::clone(&parts), settings));
        Running {
            parts,
            shutdown,
            task,
            background: Some(background),
        }
    }

    pub(crate) async fn user(&self, prefix: &str) -> TestUser {
        self.testbed.create_user(prefix).unwrap()
    }

    pub(crate) async fn mint(&self, user: &TestUser) -> TokenSet {
        self.testbed.openid().mint(user, &self.client.id).await.unwrap()
    }

    /// Connects an account with tokens of the provider; their refresh is due in an hour.
    pub(crate) async fn connect(&self, running: &Running, user: &TestUser) -> Connected {
        let due = self.now().await + TimeDelta::hours(1);
        self.connect_due(running, user, Some(due)).await
    }

    pub(crate) async fn connect_due(
        &self,
        running: &Running,
        user: &TestUser,
        due: Option<DateTime<Utc>>,
    ) -> Connected {
        let grant = self.add_grant(running, user, due).await;
        let account = self.connect_to(running, grant, &user.address).await;
        Connected { account, grant }
    }

    /// A permission that the person has given at the provider; no account signs in with it.
    pub(crate) async fn add_grant(
        &self,
        running: &Running,
        user: &TestUser,
        due: Option<DateTime<Utc>>,
    ) -> GrantId {
        let minted = self.mint(user).await;
        let tokens = NewTokens {
            access_token: SecretString::from(minted.access_token),
            expires_at: Some(self.now().await + TimeDelta::seconds(minted.expires_in as i64)),
            refresh_token: Some(SecretString::from(minted.refresh_token)),
            scopes: minted.scope,
            refresh_due_at: due,
        };
        let tx = running.parts.store.begin("test.grant").await.unwrap();
        let new = NewGrant {
            tenant_id: self.tenant_id,
            provider_id: REGISTRATION.into(),
            subject: user.address.clone(),
            identity_address: Some(user.address.clone()),
            tokens,
        };
        let grant = grants::add(&tx, &self.keys, new).await.unwrap();
        tx.commit().await.unwrap();
        grant
    }

    /// One more account that signs in with a grant.
    pub(crate) async fn connect_to(&self, running: &Running, grant: GrantId, address: &str) -> AccountId {
        let tx = running.parts.store.begin("test.connect").await.unwrap();
        let credential_id = credentials::add_grant(&tx, self.tenant_id, grant).await.unwrap();
        let account = accounts::create(&tx, new_account(self.tenant_id, address, credential_id))
            .await
            .unwrap();
        let connected = AccountConnected {
            account_id: account.id,
            credential_generation: 1,
            grant_id: Some(grant),
        };
        let metadata = EventMetadata::started_by("account-manager", self.tenant_id);
        events::append(&tx, &metadata, vec![connected.into()])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        account.id
    }

    /// Says what a service would say.
    pub(crate) async fn tell(&self, running: &Running, event: impl Into<Event>) -> EventId {
        let tx = running.parts.store.begin("test.tell").await.unwrap();
        let metadata = EventMetadata::started_by("test", self.tenant_id);
        let written = events::append(&tx, &metadata, vec![event.into()]).await.unwrap();
        tx.commit().await.unwrap();
        written[0].id
    }

    /// A mail server has refused tokens of that version.
    pub(crate) async fn reject(&self, running: &Running, connected: Connected, version: i64) -> EventId {
        let event = TokenRejected {
            grant_id: connected.grant,
            token_version: version,
            account_id: connected.account,
        };
        self.tell(running, event).await
    }
}

fn write_registration(file: &Path, issuer: &str, client: &WebClient) {
    let WebClient { id, secret } = client;
    let text = format!(
        "[[registration]]\nid = \"{REGISTRATION}\"\nprovider = \"{issuer}\"\nclient_id = \"{id}\"\n\
         client_secret = \"{secret}\"\nscopes = {MINTED_SCOPES:?}\n"
    );
    std::fs::write(file, text).unwrap();
}

fn new_account(tenant_id: TenantId, address: &str, credential_id: CredentialId) -> NewAccount {
    let server = |port| ServerAddress {
        host: "localhost".into(),
        port,
        tls: "implicit".into(),
    };
    NewAccount {
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

    /// Ends it in the middle of whatever it does, as `kill -9` would.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.task.abort();
    }
}
