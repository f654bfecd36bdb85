//! The embedded bus over the store's own tables: the same suite as for RabbitMQ.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what went wrong by panicking

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postroom_bus::{
    Bus, EmbeddedBus, EmbeddedConfig,
    conformance::{CONSUMER, DELIVERY_LIMIT, PATIENCE, Rig, drain, event, numbers},
};
use postroom_events::{Consumer, EventId};
use postroom_retry::SystemClock;
use postroom_runtime::QueueRows;
use postroom_store::{Store, StoreConfig, dead_letters, queue};
use tempfile::TempDir;

struct SqliteRig {
    directory: TempDir,
}

async fn sqlite_file() -> SqliteRig {
    SqliteRig {
        directory: tempfile::tempdir().unwrap(),
    }
}

impl SqliteRig {
    async fn store(&self) -> Store {
        let config = StoreConfig::embedded(self.directory.path().join("bus.sqlite"));
        let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    async fn open_over(&self, store: Store) -> Arc<dyn Bus> {
        let rows = Arc::new(QueueRows::new(store));
        let config = EmbeddedConfig {
            delivery_limit: DELIVERY_LIMIT,
            poll_interval: Duration::from_millis(500),
        };
        Arc::new(EmbeddedBus::open(rows, config).await.unwrap())
    }
}

#[async_trait]
impl Rig for SqliteRig {
    async fn open(&self) -> Arc<dyn Bus> {
        self.open_over(self.store().await).await
    }

    async fn restart(&self, bus: Arc<dyn Bus>) -> Arc<dyn Bus> {
        drop(bus);
        self.open().await
    }

    async fn dead_letters(&self, _bus: &Arc<dyn Bus>, expected: usize) -> Vec<(Consumer, EventId)> {
        let store = self.store().await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let letters = dead_letters::open(store.read(), None, 100).await.unwrap();
            if letters.len() >= expected {
                let whose = |name: &str| Consumer::by_name(name).unwrap();
                return letters
                    .iter()
                    .map(|letter| (whose(&letter.consumer), letter.event_id.unwrap()))
                    .collect();
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "a dead letter should have come"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

postroom_bus::conformance_suite!(sqlite_file, sqlite_file);

#[tokio::test]
async fn a_commit_is_delivered_at_once_when_the_bus_is_told() {
    let rig = sqlite_file().await;
    let store = rig.store().await;
    let rows = Arc::new(QueueRows::new(store.clone()));
    let config = EmbeddedConfig {
        poll_interval: PATIENCE * 10,
        ..EmbeddedConfig::default()
    };
    let bus: Arc<dyn Bus> = Arc::new(EmbeddedBus::open(rows, config).await.unwrap());
    let told = Arc::clone(&bus);
    store.on_commit(Arc::new(move |committed| {
        told.deliveries_committed(&committed.queues.iter().copied().collect::<Vec<_>>());
    }));
    let mut subscription = bus.subscribe(CONSUMER, Default::default());
    let committing = async {
        tokio::time::sleep(Duration::from_millis(200)).await; // the subscription waits by now
        append(&store, 1).await;
    };
    let (batch, ()) = tokio::join!(subscription.next_batch(10, Duration::ZERO), committing);
    assert_eq!(numbers(&batch), [1]);
}

#[tokio::test]
async fn a_commit_is_found_even_when_nobody_tells() {
    let rig = sqlite_file().await;
    let store = rig.store().await;
    let bus = rig.open_over(store.clone()).await;
    let mut subscription = bus.subscribe(CONSUMER, Default::default());
    let committing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        append(&store, 1).await;
    };
    let (batch, ()) = tokio::join!(subscription.next_batch(10, Duration::ZERO), committing);
    assert_eq!(numbers(&batch), [1]);
    assert_eq!(drain(&mut subscription).await, [], "once");
}

async fn append(store: &Store, n: i64) {
    let tx = store.begin("test.append").await.unwrap();
    let envelope = event(n);
    let delivery = queue::NewDelivery {
        consumer: CONSUMER,
        envelope: &envelope,
        attempt: 1,
        replay_id: Default::default(),
    };
    queue::enqueue(&tx, &[delivery]).await.unwrap();
    tx.commit().await.unwrap();
}
