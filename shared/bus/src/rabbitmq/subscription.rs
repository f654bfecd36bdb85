//! The deliveries to one consumer.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::message::Delivery as AmqpDelivery;
use postroom_events::{Consumer, EventEnvelope};
use tracing::error;

use super::{headers, intake::Intake, link::Link};
use crate::{Delivery, Settle, Subscription, Tag};

#[derive(Debug)]
pub(crate) struct RabbitMqSubscription {
    consumer: Consumer,
    intake: Intake,
}

impl RabbitMqSubscription {
    pub(crate) fn new(link: Arc<Link>, consumer: Consumer, prefetch: u16) -> Self {
        Self {
            consumer,
            intake: Intake::new(link, consumer.queue(), prefetch),
        }
    }
}

#[async_trait]
impl Subscription for RabbitMqSubscription {
    async fn next_batch(&mut self, max: usize, linger: Duration) -> Vec<Delivery> {
        loop {
            let gathered = self.intake.gather(max, linger).await;
            let (readable, unreadable) = read(self.consumer, gathered);
            if !unreadable.is_empty() {
                // To the dead letters with its raw bytes.
                self.intake.settle(&unreadable).await;
            }
            if !readable.is_empty() {
                return readable;
            }
        }
    }

    async fn settle(&mut self, outcomes: Vec<(Tag, Settle)>) {
        self.intake.settle(&outcomes).await;
    }
}

fn read(consumer: Consumer, gathered: Vec<(Tag, AmqpDelivery)>) -> (Vec<Delivery>, Vec<(Tag, Settle)>) {
    let mut readable = Vec::with_capacity(gathered.len());
    let mut unreadable = Vec::new();
    for (tag, delivery) in gathered {
        match serde_json::from_slice::<EventEnvelope>(&delivery.data) {
            Ok(envelope) => readable.push(Delivery {
                tag,
                envelope,
                attempt: headers::attempt(&delivery.properties),
                replay_id: headers::replay_id(&delivery.properties),
                redeliveries: headers::delivery_count(&delivery.properties),
            }),
            Err(error) => {
                error!(bus.consumer = consumer.name(), %error, "A delivery is no event; it becomes a dead letter");
                unreadable.push((tag, Settle::Reject));
            }
        }
    }
    (readable, unreadable)
}
