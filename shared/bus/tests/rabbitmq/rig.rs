//! A virtual host of its own for each test, or a broker of its own where it is restarted.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use postroom_bus::{
    Bus, RabbitMqBus, RabbitMqConfig,
    conformance::{DELIVERY_LIMIT, PATIENCE, Rig},
};
use postroom_events::{Consumer, EventEnvelope, EventId};
use postroom_test_support::{FreshVhost, PrivateRabbitMq, Testbed};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) struct RabbitMqRig {
    url: String,
    /// Only held, so that the virtual host lives as long as the rig.
    _vhost: Option<FreshVhost>,
    private: Option<Mutex<PrivateRabbitMq>>,
}

pub(crate) async fn fresh_vhost() -> RabbitMqRig {
    let vhost = Testbed::load().unwrap().fresh_vhost().await.unwrap();
    RabbitMqRig {
        url: vhost.url().to_owned(),
        _vhost: Some(vhost),
        private: None,
    }
}

pub(crate) async fn private_broker() -> RabbitMqRig {
    let broker = Testbed::load().unwrap().private_rabbitmq().await.unwrap();
    RabbitMqRig {
        url: broker.url(),
        _vhost: None,
        private: Some(Mutex::new(broker)),
    }
}

impl RabbitMqRig {
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// The broker that this rig alone uses.
    pub(crate) async fn private(&self) -> MutexGuard<'_, PrivateRabbitMq> {
        self.private
            .as_ref()
            .expect("others use this broker")
            .lock()
            .await
    }

    pub(crate) fn config(&self) -> RabbitMqConfig {
        RabbitMqConfig {
            delivery_limit: DELIVERY_LIMIT,
            consume_again_after: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(10),
            ..RabbitMqConfig::new(self.url().into())
        }
    }

    /// A plain channel beside the bus, for what the bus would never do.
    pub(crate) async fn channel(&self) -> lapin::Channel {
        let connection = lapin::Connection::connect(&self.url(), Default::default())
            .await
            .unwrap();
        connection.create_channel().await.unwrap()
    }
}

#[async_trait]
impl Rig for RabbitMqRig {
    async fn open(&self) -> Arc<dyn Bus> {
        Arc::new(RabbitMqBus::connect(self.config()).await.unwrap())
    }

    async fn restart(&self, bus: Arc<dyn Bus>) -> Arc<dyn Bus> {
        let mut broker = self.private().await;
        broker.kill().await.unwrap();
        broker.start().await.unwrap();
        bus
    }

    async fn dead_letters(&self, bus: &Arc<dyn Bus>, expected: usize) -> Vec<(Consumer, EventId)> {
        let mut reader = bus.dead_letters().unwrap();
        let mut letters = Vec::new();
        while letters.len() < expected {
            let batch = tokio::time::timeout(PATIENCE, reader.next_batch(10))
                .await
                .expect("a dead letter");
            reader
                .forget(batch.iter().map(|letter| letter.tag).collect())
                .await;
            letters.extend(batch);
        }
        let more = tokio::time::timeout(Duration::from_millis(500), reader.next_batch(10)).await;
        letters.extend(more.unwrap_or_default());
        let id = |body: &[u8]| serde_json::from_slice::<EventEnvelope>(body).unwrap().id;
        letters
            .iter()
            .map(|letter| (letter.consumer.unwrap(), id(&letter.body)))
            .collect()
    }
}
