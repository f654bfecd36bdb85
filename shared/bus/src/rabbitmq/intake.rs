//! Deliveries from one queue, gathered and settled in batches, over channels that come and go.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt};
use lapin::{
    Channel,
    message::Delivery as AmqpDelivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions},
    protocol::constants::REPLY_SUCCESS,
    types::FieldTable,
};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use tracing::{debug, warn};

use super::link::{Link, at_last};
use crate::{BusError, Settle, Tag};

/// A consumer of a queue that consumes again whenever its stream ends.
#[derive(Debug)]
pub(crate) struct Intake {
    link: Arc<Link>,
    queue: &'static str,
    prefetch: u16,
    open: Option<Open>,
    opening: Option<oneshot::Receiver<Open>>,
    /// Raised with each channel, because delivery tags start anew on each.
    generation: u64,
    /// What has arrived and was not handed out yet. Kept here and not in a future, so that a caller may stop waiting.
    arrived: VecDeque<AmqpDelivery>,
    /// Every delivery of this channel that is not settled, arrived ones included.
    outstanding: BTreeSet<u64>,
}

#[derive(Debug)]
struct Open {
    channel: Channel,
    /// Taken when it is dropped, only.
    stream: Option<lapin::Consumer>,
}

impl Open {
    async fn next(&mut self) -> Option<lapin::Result<AmqpDelivery>> {
        self.stream.as_mut()?.next().await
    }
}

impl Intake {
    pub(crate) fn new(link: Arc<Link>, queue: &'static str, prefetch: u16) -> Self {
        Self {
            link,
            queue,
            prefetch,
            open: None,
            opening: None,
            generation: 0,
            arrived: VecDeque::new(),
            outstanding: BTreeSet::new(),
        }
    }

    /// Waits for a first delivery, then up to `linger` for more.
    pub(crate) async fn gather(&mut self, max: usize, linger: Duration) -> Vec<(Tag, AmqpDelivery)> {
        while self.arrived.is_empty() {
            self.receive().await;
        }
        let deadline = Instant::now() + linger;
        while self.arrived.len() < max && self.receive_before(deadline).await {}
        let taken = self.arrived.len().min(max.max(1));
        let generation = self.generation;
        let tag = |delivery: &AmqpDelivery| Tag {
            generation,
            number: delivery.delivery_tag,
        };
        self.arrived
            .drain(..taken)
            .map(|delivery| (tag(&delivery), delivery))
            .collect()
    }

    /// Settles; acknowledges with one frame as far as everything before is acknowledged, too.
    pub(crate) async fn settle(&mut self, outcomes: &[(Tag, Settle)]) {
        let Some(open) = &self.open else { return };
        let mut acknowledged = BTreeSet::new();
        let mut returned = Vec::new();
        for (tag, settle) in outcomes
            .iter()
            .filter(|(tag, _)| tag.generation == self.generation)
        {
            match settle {
                Settle::Ack => drop(acknowledged.insert(tag.number)),
                Settle::Reject => returned.push((tag.number, false)),
                // Reject and not nack: since RabbitMQ 4.3 a nack does not count towards the delivery limit.
                Settle::Requeue => returned.push((tag.number, true)),
            }
        }
        for (number, _) in &returned {
            self.outstanding.remove(number);
        }
        let acknowledgements = acknowledgements(&self.outstanding, &acknowledged);
        self.outstanding.retain(|number| !acknowledged.contains(number));
        if let Err(error) = transmit(&open.channel, &returned, &acknowledgements).await {
            debug!(bus.queue = self.queue, %error, "A settlement was lost; the deliveries come again");
            self.lose();
        }
    }

    /// Waits for one delivery, or for a channel to wait on.
    async fn receive(&mut self) {
        let patience = self.link.config().consume_again_after;
        let Some(open) = &mut self.open else {
            return self.consume().await;
        };
        match timeout(patience, open.next()).await {
            Ok(Some(Ok(delivery))) => self.accept(delivery),
            Ok(Some(Err(error))) => {
                warn!(bus.queue = self.queue, %error, "The stream of deliveries broke; consuming again");
                self.lose();
            }
            Ok(None) => {
                warn!(
                    bus.queue = self.queue,
                    "The broker ended the stream of deliveries; consuming again"
                );
                self.lose();
            }
            // With something out, consuming again would deliver it twice; a full house is no silence anyway.
            Err(_) if self.outstanding.is_empty() => self.lose(),
            Err(_) => {}
        }
    }

    /// Whether another delivery arrived before the deadline. What is there already needs no waiting.
    async fn receive_before(&mut self, deadline: Instant) -> bool {
        let Some(open) = &mut self.open else { return false };
        let next = match open.next().now_or_never() {
            Some(next) => next,
            None => match timeout_at(deadline, open.next()).await {
                Ok(next) => next,
                Err(_) => return false,
            },
        };
        // A broken stream is left for the next call to find: it ends for good, and what has arrived is still whole.
        let Some(Ok(delivery)) = next else {
            self.open = None;
            return false;
        };
        self.accept(delivery);
        true
    }

    fn accept(&mut self, delivery: AmqpDelivery) {
        self.outstanding.insert(delivery.delivery_tag);
        self.arrived.push_back(delivery);
    }

    /// Forgets a channel and all that came over it; the broker delivers it again.
    fn lose(&mut self) {
        self.open = None;
        self.arrived.clear();
        self.outstanding.clear();
    }

    async fn consume(&mut self) {
        let (link, queue, prefetch) = (&self.link, self.queue, self.prefetch);
        let opening = self.opening.get_or_insert_with(|| {
            let link = Arc::clone(link);
            at_last(move || open(Arc::clone(&link), queue, prefetch))
        });
        let opened = opening.await;
        self.opening = None;
        if let Ok(open) = opened {
            self.lose();
            self.generation += 1;
            self.open = Some(open);
        }
    }
}

async fn open(link: Arc<Link>, queue: &'static str, prefetch: u16) -> Result<Open, BusError> {
    let channel = link.channel().await?;
    match consume(&channel, queue, prefetch).await {
        Ok(stream) => Ok(Open {
            channel,
            stream: Some(stream),
        }),
        Err(error) => {
            // The queue may be gone; the error has closed the channel.
            link.declare_topology(&link.channel().await?).await?;
            Err(error.into())
        }
    }
}

impl Drop for Open {
    /// Closes the channel with its consumer on it. Cancelling the consumer first, as dropping the stream would, makes
    /// the broker put back what was on its way before what was handed out, and so change their order.
    fn drop(&mut self) {
        let (stream, channel) = (self.stream.take(), self.channel.clone());
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = channel.close(REPLY_SUCCESS, "dropped".into()).await {
                debug!(%error, "The channel was gone already");
            }
            drop(stream);
        });
    }
}

async fn consume(channel: &Channel, queue: &str, prefetch: u16) -> lapin::Result<lapin::Consumer> {
    // Back-pressure: what this process has no room for stays in the broker. For this consumer alone, because quorum
    // queues know no limit for a whole connection.
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default(); // acknowledged by hand, shared with other processes
    channel
        .basic_consume(queue.into(), "".into(), options, FieldTable::default())
        .await
}

async fn transmit(channel: &Channel, returned: &[(u64, bool)], acks: &[(u64, bool)]) -> lapin::Result<()> {
    for (number, requeue) in returned {
        channel
            .basic_reject(*number, BasicRejectOptions { requeue: *requeue })
            .await?;
    }
    for (number, multiple) in acks {
        channel
            .basic_ack(*number, BasicAckOptions { multiple: *multiple })
            .await?;
    }
    Ok(())
}

/// The frames that acknowledge these and no others: one "up to here" for the complete prefix, the rest one by one.
fn acknowledgements(outstanding: &BTreeSet<u64>, acknowledged: &BTreeSet<u64>) -> Vec<(u64, bool)> {
    let prefix_end = outstanding
        .iter()
        .take_while(|number| acknowledged.contains(number))
        .last()
        .copied();
    let upto = prefix_end.map(|end| (end, true));
    let beyond = |number: &&u64| outstanding.contains(number) && prefix_end.is_none_or(|end| **number > end);
    let singles = acknowledged.iter().filter(beyond).map(|number| (*number, false));
    upto.into_iter().chain(singles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(outstanding: &[u64], acknowledged: &[u64]) -> Vec<(u64, bool)> {
        acknowledgements(
            &outstanding.iter().copied().collect(),
            &acknowledged.iter().copied().collect(),
        )
    }

    #[test]
    fn a_complete_prefix_is_one_frame() {
        assert_eq!(frames(&[1, 2, 3, 4], &[1, 2, 3, 4]), [(4, true)]);
        assert_eq!(frames(&[5, 6, 9, 10], &[5, 6, 9]), [(9, true)]);
    }

    #[test]
    fn what_is_not_settled_is_never_acknowledged_with_its_neighbours() {
        assert_eq!(
            frames(&[1, 2, 3, 4], &[1, 3, 4]),
            [(1, true), (3, false), (4, false)]
        );
        assert_eq!(frames(&[1, 2, 3], &[2, 3]), [(2, false), (3, false)]);
    }

    #[test]
    fn what_is_not_out_is_not_acknowledged() {
        assert_eq!(frames(&[3, 4], &[1, 2]), []);
        assert_eq!(frames(&[], &[1]), []);
    }
}
