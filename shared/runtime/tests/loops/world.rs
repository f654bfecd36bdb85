//! A store, a bus and the loops beside the services.

use std::{sync::Arc, time::Duration};

use postroom_bus::{Bus, EmbeddedBus, EmbeddedConfig, Outgoing, RabbitMqBus, RabbitMqConfig};
use postroom_events::{
    AccountConnected, AccountId, Event, EventEnvelope, EventMetadata, ReplayId, TenantId, WorkerId,
};
use postroom_retry::{RetryPolicy, SystemClock};
use postroom_runtime::{ConsumerLoop, DeadLetterDrain, LoopOptions, OutboxRelay, QueueRows, RetryScheduler};
use postroom_store::{
    DeadLetter, EventDelivery, Store, StoreConfig, dead_letters,
    events::{self, EventFilter},
};
use postroom_test_support::{FreshDatabase, FreshVhost, Testbed};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::scripted::{CONSUMER, Scripted};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Quick, and over after three attempts.
pub(crate) const POLICY: RetryPolicy = RetryPolicy {
    name: "test",
    initial: Duration::from_millis(100),
    multiplier: 2.0,
    max_interval: Duration::from_secs(1),
    max_attempts: Some(3),
    give_up_after: None,
    jitter: 0.0,
    max_retry_after: Duration::from_secs(60),
};

pub(crate) const OPTIONS: LoopOptions = LoopOptions {
    policy: POLICY,
    act_limit: Duration::from_millis(700),
    ..LoopOptions::ROWS_ONLY
};

/// Everything that a process has, and everything that it runs on.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) tenant: TenantId,
    pub(crate) shutdown: CancellationToken,
    bell: Arc<Notify>,
    loops: JoinSet<()>,
    _stop: DropGuard,
    _servers: Servers,
}

/// Only held, so that they live as long as the world.
enum Servers {
    Embedded {
        _directory: TempDir,
    },
    Postgres {
        _database: FreshDatabase,
    },
    Distributed {
        _database: FreshDatabase,
        _vhost: FreshVhost,
    },
    Elsewhere,
}

impl World {
    pub(crate) async fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&StoreConfig::embedded(directory.path().join("loops.sqlite"))).await;
        let servers = Servers::Embedded {
            _directory: directory,
        };
        Self::over_queues(store, servers).await
    }

    /// PostgreSQL, whose transactions run side by side, below the embedded bus, whose batches hold all that is there.
    /// Nobody runs it so: a test gets batches of its choice in this way.
    pub(crate) async fn embedded_over_postgres() -> Self {
        let database = Testbed::load().unwrap().fresh_database().await.unwrap();
        let store = open(&StoreConfig {
            url: database.url().to_owned(),
            delivery: EventDelivery::Queues,
            max_connections: 8,
        })
        .await;
        let servers = Servers::Postgres { _database: database };
        Self::over_queues(store, servers).await
    }

    async fn over_queues(store: Store, servers: Servers) -> Self {
        let rows = Arc::new(QueueRows::new(store.clone()));
        let bus: Arc<dyn Bus> = Arc::new(EmbeddedBus::open(rows, EmbeddedConfig::default()).await.unwrap());
        let told = Arc::clone(&bus);
        store.on_commit(Arc::new(move |committed| {
            told.deliveries_committed(&committed.queues.iter().copied().collect::<Vec<_>>());
        }));
        Self::start(store, bus, Arc::default(), servers)
    }

    pub(crate) async fn distributed() -> Self {
        let testbed = Testbed::load().unwrap();
        let (database, vhost) = tokio::join!(testbed.fresh_database(), testbed.fresh_vhost());
        let (database, vhost) = (database.unwrap(), vhost.unwrap());
        let mut world = Self::over(database.url(), vhost.url()).await;
        world._servers = Servers::Distributed {
            _database: database,
            _vhost: vhost,
        };
        world
    }

    /// Over servers that the caller keeps.
    pub(crate) async fn over(database: &str, broker: &str) -> Self {
        let delivery = EventDelivery::Outbox;
        let store = open(&StoreConfig {
            url: database.to_owned(),
            delivery,
            max_connections: 8,
        })
        .await;
        let config = RabbitMqConfig {
            confirm_timeout: Duration::from_secs(5),
            delivery_limit: 3,
            ..RabbitMqConfig::new(broker.to_owned().into())
        };
        let bus = Arc::new(RabbitMqBus::connect(config).await.unwrap());
        let bell = Arc::new(Notify::new());
        let rung = Arc::clone(&bell);
        store.on_commit(Arc::new(move |committed| {
            if committed.outbox {
                rung.notify_one();
            }
        }));
        Self::start(store, bus, bell, Servers::Elsewhere)
    }

    fn start(store: Store, bus: Arc<dyn Bus>, bell: Arc<Notify>, servers: Servers) -> Self {
        let shutdown = CancellationToken::new();
        let mut world = Self {
            store,
            bus,
            tenant: TenantId::generate(),
            _stop: shutdown.clone().drop_guard(),
            shutdown,
            bell,
            loops: JoinSet::new(),
            _servers: servers,
        };
        world.run_background();
        world
    }

    fn run_background(&mut self) {
        let (store, worker, shutdown) = (&self.store, WorkerId::generate(), &self.shutdown);
        if store.delivery() == EventDelivery::Outbox {
            let relay = OutboxRelay::new(
                store.clone(),
                self.bus.publisher(),
                worker,
                Arc::clone(&self.bell),
                PATIENCE,
            );
            self.loops.spawn(relay.run(shutdown.clone()));
        }
        let retries = RetryScheduler::new(store.clone(), self.bus.publisher(), worker, PATIENCE);
        self.loops.spawn(retries.run(shutdown.clone()));
        if let Some(reader) = self.bus.dead_letters() {
            self.loops
                .spawn(DeadLetterDrain::new(store.clone(), reader).run(shutdown.clone()));
        }
    }

    /// As a process that takes the place of one that was stopped.
    pub(crate) fn start_again(&mut self) {
        self.shutdown = CancellationToken::new();
        self._stop = self.shutdown.clone().drop_guard();
        self.run_background();
    }

    /// Runs a loop with this handler.
    pub(crate) fn run(&mut self, handler: &Scripted) {
        self.run_with(handler, OPTIONS);
    }

    pub(crate) fn run_with(&mut self, handler: &Scripted, options: LoopOptions) {
        let (store, bus) = (self.store.clone(), Arc::clone(&self.bus));
        self.loops
            .spawn(ConsumerLoop::new(store, bus, handler.clone(), options).run(self.shutdown.clone()));
    }

    /// Stops every loop, and sees that they end.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        let ended = async { while self.loops.join_next().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(10), ended)
            .await
            .expect("the loops should have stopped");
    }

    /// Commits events number `from` to `to` - 1, in one transaction.
    pub(crate) async fn commit(&self, from: i64, to: i64) -> Vec<EventEnvelope> {
        let tx = self.store.begin("test.commit").await.unwrap();
        let metadata = EventMetadata::started_by("account-manager", self.tenant);
        let committed = events::append(&tx, &metadata, (from..to).map(event).collect())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        committed
    }

    /// Publishes an event to the consumer as it is, past the log and the outbox.
    pub(crate) async fn deliver(&self, envelope: &EventEnvelope, replay_id: ReplayId) {
        let outgoing = Outgoing::to_consumer(envelope.clone(), CONSUMER, 1, replay_id);
        assert_eq!(self.bus.publisher().publish(&[outgoing]).await, [Ok(())]);
    }

    /// The events that this one caused, as logged.
    pub(crate) async fn caused_by(&self, cause: &EventEnvelope) -> Vec<EventEnvelope> {
        let filter = EventFilter {
            subject: Some(cause.subject),
            limit: 100,
            ..EventFilter::default()
        };
        let logged = events::list(self.store.read(), &filter).await.unwrap();
        logged
            .into_iter()
            .filter(|event| event.causation_id == Some(cause.id))
            .collect()
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        dead_letters::open(self.store.read(), None, 1000).await.unwrap()
    }
}

async fn open(config: &StoreConfig) -> Store {
    let store = Store::open(config, Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    store
}

/// Event number `n`; the number travels as its credential generation.
pub(crate) fn event(n: i64) -> Event {
    AccountConnected {
        account_id: AccountId::generate(),
        credential_generation: n,
        grant_id: None,
    }
    .into()
}
