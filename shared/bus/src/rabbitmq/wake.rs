//! Wake-ups over a queue that lives as long as its worker.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel,
    options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use postroom_events::WorkerId;
use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};
use tracing::debug;

use super::link::{Link, at_last};
use crate::{BusError, Wake, WakeListener, WakeSender};

/// A wake-up that takes longer is not worth waiting for: the worker looks at its rows by itself by then.
const PATIENCE: Duration = Duration::from_secs(1);
/// Beyond that the oldest go: a worker that is so far behind looks at all of its rows anyway.
const MAX_WAITING: i64 = 10_000;

fn queue_name(worker: WorkerId) -> String {
    format!("postroom.wake.{worker}")
}

#[derive(Debug)]
pub(crate) struct RabbitMqWakeSender {
    link: Arc<Link>,
    /// Without confirmations: a lost wake-up costs a delay, never work.
    channel: Mutex<Option<Channel>>,
}

impl RabbitMqWakeSender {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            channel: Mutex::new(None),
        }
    }

    async fn send(&self, worker: WorkerId, wakes: &[Wake]) -> Result<(), BusError> {
        let mut held = self.channel.lock().await;
        let channel = match held.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.link.channel().await?,
        };
        let queue = queue_name(worker);
        for wake in wakes {
            let body = serde_json::to_vec(wake).unwrap_or_default();
            let properties = BasicProperties::default().with_delivery_mode(1); // transient: it is stale after a restart
            let options = BasicPublishOptions::default(); // not mandatory: the worker may be gone, and that is fine
            drop(
                channel
                    .basic_publish("".into(), queue.as_str().into(), options, &body, properties)
                    .await?,
            );
        }
        *held = Some(channel);
        Ok(())
    }
}

#[async_trait]
impl WakeSender for RabbitMqWakeSender {
    async fn wake(&self, worker: WorkerId, wakes: &[Wake]) {
        let outcome = timeout(PATIENCE, self.send(worker, wakes)).await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(worker.id = %worker, %error, "A wake-up was lost"),
            Err(_) => debug!(worker.id = %worker, "A wake-up was lost: the broker did not take it in time"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct RabbitMqWakeListener {
    link: Arc<Link>,
    queue: String,
    /// The channel is kept: the stream ends when the last handle of its channel goes.
    open: Option<Open>,
    opening: Option<oneshot::Receiver<Open>>,
}

type Open = (Channel, lapin::Consumer);

impl RabbitMqWakeListener {
    pub(crate) fn new(link: Arc<Link>, worker: WorkerId) -> Self {
        Self {
            link,
            queue: queue_name(worker),
            open: None,
            opening: None,
        }
    }

    async fn listen(&mut self) {
        let (link, queue) = (&self.link, &self.queue);
        let opening = self.opening.get_or_insert_with(|| {
            let (link, queue) = (Arc::clone(link), queue.clone());
            at_last(move || listen(Arc::clone(&link), queue.clone()))
        });
        self.open = opening.await.ok();
        self.opening = None;
    }
}

#[async_trait]
impl WakeListener for RabbitMqWakeListener {
    async fn next(&mut self) -> Wake {
        loop {
            let Some((_, stream)) = &mut self.open else {
                self.listen().await;
                continue;
            };
            match stream.next().await {
                Some(Ok(delivery)) => match serde_json::from_slice(&delivery.data) {
                    Ok(wake) => return wake,
                    Err(error) => debug!(bus.queue = self.queue, %error, "A wake-up cannot be read"),
                },
                Some(Err(_)) | None => self.open = None,
            }
        }
    }
}

/// Right after a lost connection the broker may hold the queue for the old one: then this fails, and is tried again.
async fn listen(link: Arc<Link>, queue: String) -> Result<Open, BusError> {
    let channel = link.channel().await?;
    let options = QueueDeclareOptions {
        exclusive: true,   // one worker's own, gone with its connection
        auto_delete: true, // and gone with its consumer
        durable: false,    // a wake-up does not outlive the broker
        ..Default::default()
    };
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(MAX_WAITING));
    channel
        .queue_declare(queue.as_str().into(), options, arguments)
        .await?;
    let options = BasicConsumeOptions {
        no_ack: true,
        ..Default::default()
    }; // nothing to lose
    let stream = channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await?;
    Ok((channel, stream))
}
