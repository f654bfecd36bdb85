//! A sender in this process, accounts of its own, and what tests ask about their mail.

use std::{sync::Arc, time::Duration};

use clap::Parser;
use postroom_crypto::KeyRing;
use postroom_events::{
    AccountId, AuthenticationMethod, CredentialId, Event, EventEnvelope, EventMetadata, GrantId,
    SendRequested, SubmissionId, SubmissionState, TenantId,
};
use postroom_retry::{RetryPolicy, SystemClock, policies};
use postroom_runtime::{Background, Parts, Settings};
use postroom_store::{
    Account, EventDelivery, Store, StoreConfig, Submission,
    accounts::{self, NewAccount, ServerAddress},
    credentials, events,
    grants::{self, NewGrant, NewTokens},
    packs::{PackBuilder, Packs},
    submissions::{self, NewSubmission},
    tenants,
    work::{self, DueWork},
};
use postroom_test_support::{FreshDatabase, FreshVhost, TcpProxy, TestUser, Testbed, eventually};
use secrecy::{ExposeSecret, SecretString};
use smtp_sender::SenderSettings;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Which of the two ways to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Embedded,
    Distributed,
}

pub(crate) const BOTH: [World; 2] = [World::Embedded, World::Distributed];

/// What outlives a sender: the database, the broker, the mail.
pub(crate) struct Rig {
    pub(crate) testbed: Testbed,
    pub(crate) tenant_id: TenantId,
    pub(crate) store: Store,
    pub(crate) arguments: Vec<String>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) packs: Packs,
    pub(crate) directory: tempfile::TempDir,
    _database: Option<FreshDatabase>,
    _vhost: Option<FreshVhost>,
}

/// A running sender.
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
pub(crate) fn quick() -> SenderSettings {
    SenderSettings {
        claim: Duration::from_secs(2),
        acceptance: Duration::from_secs(8),
        patience: Duration::from_secs(1),
        idle: Duration::from_secs(2),
        deferred: RetryPolicy {
            initial: Duration::from_millis(300),
            max_interval: Duration::from_millis(500),
            ..policies::SEND_DEFERRED
        },
        look_again_soonest: Duration::from_millis(500),
        look_again_latest: Duration::from_secs(2),
        ..SenderSettings::default()
    }
}

impl Rig {
    pub(crate) async fn new(world: World) -> Self {
        Self::over(world, None).await
    }

    /// With RabbitMQ, and on a database that the caller keeps.
    pub(crate) async fn on_database(url: String) -> Self {
        Self::over(World::Distributed, Some(url)).await
    }

    async fn over(world: World, own_database: Option<String>) -> Self {
        let testbed = Testbed::load().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let keys = KeyRing::generate_entry("test").unwrap();
        let mut arguments: Vec<String> = vec![
            "smtp-sender".into(),
            format!("--data-dir={}", directory.path().display()),
            format!("--ca-file={}", testbed.ca_file.display()),
            "--allow-networks=127.0.0.0/8,::1/128".into(),
            format!("--secret-keys={}", keys.expose_secret()),
            "--lease-seconds=2".into(),
        ];
        let mut kept = (None, None);
        let (url, delivery) = match world {
            World::Embedded => (
                format!("sqlite:{}", directory.path().join("postroom.sqlite").display()),
                EventDelivery::Queues,
            ),
            World::Distributed => {
                let vhost = testbed.fresh_vhost().await.unwrap();
                let database = match own_database {
                    Some(_) => None,
                    None => Some(testbed.fresh_database().await.unwrap()),
                };
                let fresh = database.as_ref().map(|database| database.url().to_owned());
                let url = own_database.or(fresh).unwrap();
                let mail = directory.path().join("mail");
                arguments.extend([
                    format!("--database-url={url}"),
                    format!("--amqp-url={}", vhost.url()),
                    format!("--objects-url=file://{}", mail.display()),
                ]);
                kept = (database, Some(vhost));
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
        Self {
            tenant_id,
            store,
            arguments,
            keys: Arc::new(KeyRing::from_list(&keys).unwrap()),
            packs: Packs::in_directory(&directory.path().join("mail")).unwrap(),
            testbed,
            directory,
            _database: kept.0,
            _vhost: kept.1,
        }
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(quick()).await
    }

    pub(crate) async fn start_with(&self, settings: SenderSettings) -> Running {
        let shutdown = CancellationToken::new();
        let configured = Command::parse_from(&self.arguments).settings;
        let parts = Parts::assemble(configured, shutdown.clone()).await.unwrap();
        let background = Background::start(&parts);
        let task = tokio::spawn(smtp_sender::run_with(Arc::clone(&parts), settings));
        Running {
            parts,
            shutdown,
            task,
            background: Some(background),
        }
    }

    /// A proxy in front of the submission server, which speaks TLS from the first byte.
    pub(crate) async fn proxy(&self) -> TcpProxy {
        let submission = &self.testbed.submission;
        TcpProxy::start(&format!("{}:{}", submission.host, submission.tls_port))
            .await
            .unwrap()
    }

    /// An account with the user's password, on the submission server.
    pub(crate) async fn connect(&self, user: &TestUser) -> AccountId {
        self.connect_at(user, self.testbed.submission.tls_port, &user.password)
            .await
    }

    pub(crate) async fn connect_at(&self, user: &TestUser, port: u16, password: &str) -> AccountId {
        let tx = self.store.begin("test.connect").await.unwrap();
        let method = AuthenticationMethod::Password;
        let password = SecretString::from(password.to_owned());
        let credential = credentials::add_password(&tx, &self.keys, self.tenant_id, method, &password)
            .await
            .unwrap();
        let new = self.account(user, port, credential);
        let id = accounts::create(&tx, new).await.unwrap().id;
        tx.commit().await.unwrap();
        id
    }

    /// An account with an access token.
    pub(crate) async fn connect_oauth(&self, user: &TestUser, access_token: &str) -> (AccountId, GrantId) {
        let tx = self.store.begin("test.connect_oauth").await.unwrap();
        let new = NewGrant {
            tenant_id: self.tenant_id,
            provider_id: "testbed".into(),
            subject: user.address.clone(),
            identity_address: Some(user.address.clone()),
            tokens: tokens(access_token),
        };
        let grant_id = grants::add(&tx, &self.keys, new).await.unwrap();
        let credential = credentials::add_grant(&tx, self.tenant_id, grant_id)
            .await
            .unwrap();
        let new = self.account(user, self.testbed.submission.tls_port, credential);
        let id = accounts::create(&tx, new).await.unwrap().id;
        tx.commit().await.unwrap();
        (id, grant_id)
    }

    fn account(&self, user: &TestUser, smtp_port: u16, credential_id: CredentialId) -> NewAccount {
        let server = |port| ServerAddress {
            host: self.testbed.submission.host.clone(),
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
            imap: server(self.testbed.imap.tls_port),
            smtp: server(smtp_port),
            login: user.address.clone(),
            mailbox: None,
            credential_id,
        }
    }

    /// A mail to send, as account-manager keeps it.
    pub(crate) async fn submit(&self, account_id: AccountId, to: &[&str], raw: &[u8]) -> SubmissionId {
        self.submit_for(account_id, to, raw, Duration::from_secs(600))
            .await
            .0
    }

    pub(crate) async fn submit_for(
        &self,
        account_id: AccountId,
        to: &[&str],
        raw: &[u8],
        give_up_after: Duration,
    ) -> (SubmissionId, EventEnvelope) {
        let account = self.row(account_id).await;
        let mut builder = PackBuilder::new().unwrap();
        let frame = builder.add(raw).unwrap();
        let pack = self.packs.put(account_id, builder).await.unwrap();
        let id = SubmissionId::generate();
        let tx = self.store.begin("test.submit").await.unwrap();
        let new = NewSubmission {
            id,
            tenant_id: self.tenant_id,
            account_id,
            idempotency_key: None,
            request_digest: [0; 32],
            message_id_header: format!("{id}@seed.example"),
            envelope_from: account.address,
            subject: "A mail".into(),
            pack: &pack,
            frame,
            recipients: to.iter().map(|address| (*address).to_owned()).collect(),
            give_up_after,
        };
        submissions::create(&tx, new).await.unwrap();
        let event = SendRequested {
            account_id,
            submission_id: id,
        };
        let written = self.announce(&tx, event.into()).await;
        tx.commit().await.unwrap();
        (id, written)
    }

    pub(crate) async fn announce(&self, tx: &postroom_store::Tx, event: Event) -> EventEnvelope {
        let metadata = EventMetadata::started_by("account-manager", self.tenant_id);
        events::append(tx, &metadata, vec![event])
            .await
            .unwrap()
            .remove(0)
    }

    pub(crate) async fn row(&self, id: AccountId) -> Account {
        accounts::find(self.store.read(), id).await.unwrap()
    }

    pub(crate) async fn submission(&self, id: SubmissionId) -> Submission {
        submissions::find(self.store.read(), id).await.unwrap()
    }

    /// Waits until nothing more is tried.
    pub(crate) async fn finished(&self, id: SubmissionId) -> Submission {
        self.becomes(id, "it to be finished", |row| row.finished_at.is_some())
            .await
    }

    pub(crate) async fn becomes(
        &self,
        id: SubmissionId,
        what: &str,
        wanted: impl Fn(&Submission) -> bool,
    ) -> Submission {
        eventually(PATIENCE, what, async || {
            let row = self.submission(id).await;
            let seen = format!("{row:?}");
            wanted(&row).then_some(row).ok_or(seen)
        })
        .await
    }

    pub(crate) async fn recipients(&self, id: SubmissionId) -> Vec<(SubmissionState, Option<i32>)> {
        let rows = submissions::recipients(self.store.read(), id).await.unwrap();
        rows.into_iter().map(|row| (row.state, row.smtp_code)).collect()
    }

    /// What was announced about an account or grant, oldest first.
    pub(crate) async fn told(&self, subject: uuid::Uuid) -> Vec<Event> {
        let filter = events::EventFilter {
            subject: Some(subject),
            limit: 1000,
            ..events::EventFilter::default()
        };
        let envelopes = events::list(self.store.read(), &filter).await.unwrap();
        let told = envelopes.iter().map(|envelope| envelope.event().unwrap());
        told.filter(|event| !matches!(event, Event::SendRequested(_)))
            .collect()
    }

    /// The names of what was announced, without prefix and version.
    pub(crate) async fn names(&self, subject: uuid::Uuid) -> Vec<String> {
        let bare = |event: &Event| {
            let name = event.event_type().trim_start_matches("postroom.");
            name.trim_end_matches(".v1").to_owned()
        };
        self.told(subject).await.iter().map(bare).collect()
    }

    /// What the holder of the account was asked to do.
    pub(crate) async fn work(&self, id: AccountId) -> Vec<DueWork> {
        let now = self.store.clock().now();
        work::due(self.store.read(), id, now, 100).await.unwrap()
    }

    /// Waits for that many mails of a user, looks a little longer whether there are more, and gives them.
    pub(crate) async fn inbox(&self, user: &TestUser, count: usize) -> Vec<Vec<u8>> {
        self.arrived(user, count).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let raw = self.testbed.mailbox_raw(user, "INBOX").await.unwrap();
        assert_eq!(raw.len(), count, "more mails than were sent");
        raw
    }

    /// Waits for that many mails of a user.
    pub(crate) async fn arrived(&self, user: &TestUser, count: usize) {
        eventually(PATIENCE, "the mails in the inbox", async || {
            let seen = self.testbed.mailbox_count(user, "INBOX").await.unwrap_or(0);
            (seen >= count).then_some(()).ok_or(format!("{seen} mails"))
        })
        .await;
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

pub(crate) fn tokens(access: &str) -> NewTokens {
    NewTokens {
        access_token: SecretString::from(access.to_owned()),
        expires_at: None,
        refresh_token: Some(SecretString::from("never used here".to_owned())),
        scopes: "mail".into(),
        refresh_due_at: None,
    }
}

/// A small mail with what gets lost most easily: dots at the start of lines, letters outside ASCII, an empty last line.
pub(crate) fn mail(from: &TestUser, name: &str) -> Vec<u8> {
    let mut raw = format!(
        "Message-ID: <{name}-{}>\r\nFrom: <{}>\r\nTo: you@seed.example\r\nSubject: Mail {name}\r\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\nGr\u{fc}\u{df}e \u{1f44b}\r\n",
        from.address, from.address
    )
    .into_bytes();
    raw.extend_from_slice(b".\r\n..\r\n.x\r\n\r\nThe end\r\n\r\n");
    raw
}

/// What was received without what servers put on top of it.
pub(crate) fn as_sent(received: &[u8]) -> &[u8] {
    let start = received
        .windows(12)
        .position(|window| window == b"Message-ID: ")
        .unwrap();
    &received[start..]
}
