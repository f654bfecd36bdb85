//! Publishing outside of a transaction: due retries and live replays. Fresh events are queued by the transaction
//! that writes them.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;

use super::{NewQueueEntry, queues::Queues};
use crate::{Outgoing, PublishError, Publisher};

#[derive(Debug)]
pub(crate) struct EmbeddedPublisher {
    queues: Arc<Queues>,
}

impl EmbeddedPublisher {
    pub(crate) fn new(queues: Arc<Queues>) -> Self {
        Self { queues }
    }
}

#[async_trait]
impl Publisher for EmbeddedPublisher {
    async fn publish(&self, events: &[Outgoing]) -> Vec<Result<(), PublishError>> {
        let mut consumers = BTreeSet::new();
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            for consumer in event.consumers() {
                consumers.insert(consumer);
                entries.push(NewQueueEntry {
                    consumer,
                    envelope: event.envelope.clone(),
                    attempt: event.attempt,
                    replay_id: event.replay_id,
                });
            }
        }
        let outcome = match self.queues.store.enqueue(entries).await {
            Ok(()) => Ok(()),
            Err(error) => Err(PublishError::Unconfirmed(error.to_string())),
        };
        for consumer in consumers {
            self.queues.wake(consumer);
        }
        vec![outcome; events.len()] // one transaction: all or nothing
    }
}
