//! What the broker set aside.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::message::Delivery as AmqpDelivery;
use postroom_events::Consumer;

use super::{headers, intake::Intake, link::Link, topology::DEAD_LETTER_QUEUE};
use crate::{BrokerDeadLetter, DeadLetterReader, Settle, Tag};

/// Dead letters are few, and each becomes a row at once.
const PREFETCH: u16 = 100;

#[derive(Debug)]
pub(crate) struct RabbitMqDeadLetters {
    intake: Intake,
}

impl RabbitMqDeadLetters {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            intake: Intake::new(link, DEAD_LETTER_QUEUE, PREFETCH),
        }
    }
}

#[async_trait]
impl DeadLetterReader for RabbitMqDeadLetters {
    async fn next_batch(&mut self, max: usize) -> Vec<BrokerDeadLetter> {
        let gathered = self.intake.gather(max, Duration::ZERO).await;
        gathered
            .into_iter()
            .map(|(tag, delivery)| read(tag, delivery))
            .collect()
    }

    async fn forget(&mut self, tags: Vec<Tag>) {
        let outcomes: Vec<_> = tags.into_iter().map(|tag| (tag, Settle::Ack)).collect();
        self.intake.settle(&outcomes).await;
    }
}

fn read(tag: Tag, delivery: AmqpDelivery) -> BrokerDeadLetter {
    let (queue, reason) = headers::first_death(&delivery.properties);
    BrokerDeadLetter {
        tag,
        consumer: queue.as_deref().and_then(Consumer::of_queue),
        attempt: headers::attempt(&delivery.properties),
        replay_id: headers::replay_id(&delivery.properties),
        body: Bytes::from(delivery.data),
        reason: explain(reason.as_deref().unwrap_or("no reason given")),
    }
}

fn explain(reason: &str) -> String {
    match reason {
        "delivery_limit" => {
            "It was handed out up to the limit and never settled: its worker crashed or hung each time."
                .to_owned()
        }
        "rejected" => "Its worker could not read it.".to_owned(),
        other => format!("RabbitMQ set it aside: {other}."),
    }
}
