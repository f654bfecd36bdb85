//! The bus over RabbitMQ 3.10 or later.

mod config;
mod dead_letters;
mod headers;
mod intake;
mod link;
mod publisher;
mod subscription;
mod topology;
mod wake;

use std::sync::Arc;

use postroom_events::{Consumer, WorkerId};
use tokio::task::AbortHandle;

pub use self::config::RabbitMqConfig;
use self::{
    dead_letters::RabbitMqDeadLetters,
    link::Link,
    publisher::RabbitMqPublisher,
    subscription::RabbitMqSubscription,
    wake::{RabbitMqWakeListener, RabbitMqWakeSender},
};
use crate::{
    Bus, BusError, DeadLetterReader, Publisher, Subscription, SubscriptionOptions, WakeListener, WakeSender,
};

/// The bus over RabbitMQ. Reconnects by itself for as long as it exists.
#[derive(Debug)]
pub struct RabbitMqBus {
    publishing: Arc<Link>,
    consuming: Arc<Link>,
    publisher: Arc<RabbitMqPublisher>,
    supervisors: [AbortHandle; 2],
}

impl RabbitMqBus {
    /// Connects and declares the whole topology.
    ///
    /// # Errors
    /// [`BusError::Misconfigured`] when trying again cannot help, [`BusError::Unavailable`] when the broker is away.
    pub async fn connect(config: RabbitMqConfig) -> Result<Self, BusError> {
        // Other dependencies bring a second cryptography library into the process, and rustls does not choose. Whoever
        // has chosen before us is right, too.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let config = Arc::new(config);
        // Two connections: a broker that is short of memory or disk stops reading from publishers, and
        // acknowledgements on the same connection would be stopped with them.
        let publishing = Arc::new(Link::new(Arc::clone(&config), "publish"));
        let consuming = Arc::new(Link::new(Arc::clone(&config), "consume"));
        publishing.connect().await?;
        consuming.connect().await?;
        let publisher = Arc::new(RabbitMqPublisher::new(Arc::clone(&publishing), config));
        let supervisors = [&publishing, &consuming].map(|link| {
            let link = Arc::clone(link);
            tokio::spawn(async move { link.supervise().await }).abort_handle()
        });
        Ok(Self {
            publishing,
            consuming,
            publisher,
            supervisors,
        })
    }
}

impl Drop for RabbitMqBus {
    fn drop(&mut self) {
        self.supervisors.iter().for_each(AbortHandle::abort);
    }
}

impl Bus for RabbitMqBus {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.publisher) as Arc<dyn Publisher>
    }

    fn subscribe(&self, consumer: Consumer, options: SubscriptionOptions) -> Box<dyn Subscription> {
        Box::new(RabbitMqSubscription::new(
            Arc::clone(&self.consuming),
            consumer,
            options.prefetch,
        ))
    }

    fn dead_letters(&self) -> Option<Box<dyn DeadLetterReader>> {
        Some(Box::new(RabbitMqDeadLetters::new(Arc::clone(&self.consuming))))
    }

    fn wake_sender(&self) -> Arc<dyn WakeSender> {
        Arc::new(RabbitMqWakeSender::new(Arc::clone(&self.publishing)))
    }

    fn wake_listener(&self, worker: WorkerId) -> Box<dyn WakeListener> {
        Box::new(RabbitMqWakeListener::new(Arc::clone(&self.consuming), worker))
    }

    fn deliveries_committed(&self, _consumers: &[Consumer]) {}

    fn is_up(&self) -> bool {
        self.publishing.is_up() && self.consuming.is_up()
    }
}
