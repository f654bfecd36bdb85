//! Publishing with confirmations.

use std::{
    collections::HashSet,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use async_trait::async_trait;
use lapin::{
    Channel, Confirmation, PublisherConfirm,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use postroom_events::EXCHANGE;
use tokio::time::timeout_at;
use tracing::{error, warn};

use super::{config::RabbitMqConfig, headers, link::Link};
use crate::{BusError, Outgoing, PublishError, Publisher, Route};

/// Publishes persistent, confirmed, and mandatory where somebody has to get it.
#[derive(Debug)]
pub(crate) struct RabbitMqPublisher {
    link: Arc<Link>,
    config: Arc<RabbitMqConfig>,
    /// Channels in confirm mode that nobody uses at the moment. One call uses one channel alone: the client attaches
    /// a returned message to any confirmation of its channel, not to that message's own.
    idle: Mutex<Vec<Channel>>,
}

type Outcome = Result<(), PublishError>;
type Sending<'a> = Pin<Box<dyn Future<Output = lapin::Result<PublisherConfirm>> + Send + 'a>>;

/// What a returned message is told by: its event and where it was going.
type ReturnKey = (String, String);

impl RabbitMqPublisher {
    pub(crate) fn new(link: Arc<Link>, config: Arc<RabbitMqConfig>) -> Self {
        Self {
            link,
            config,
            idle: Mutex::default(),
        }
    }

    async fn channel(&self) -> Result<Channel, BusError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(channel) = idle.filter(|channel| channel.status().connected()) {
            return Ok(channel);
        }
        let channel = self.link.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?; // published means acknowledged
        Ok(channel)
    }

    fn give_back(&self, channel: Channel) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(channel);
    }

    /// Publishes one window. When an answer is missing the channel is not to be used again.
    async fn publish_window(&self, channel: &Channel, window: &[Outgoing]) -> (Vec<Outcome>, bool) {
        let deadline = tokio::time::Instant::now() + self.config.confirm_timeout;
        let mut sending = Vec::with_capacity(window.len());
        for event in window {
            let mut send: Sending<'_> = Box::pin(send(channel, event));
            // The first poll queues the frames: polled one after the other they go out in order, and none waits for
            // the one before to reach the socket.
            let first = futures::poll!(&mut send);
            sending.push((send, first));
        }
        let mut confirmations = Vec::with_capacity(window.len());
        for (send, first) in sending {
            let answer = async {
                let confirm = match first {
                    Poll::Ready(confirm) => confirm?,
                    Poll::Pending => send.await?,
                };
                confirm.await
            };
            confirmations.push(match timeout_at(deadline, answer).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err("the broker did not answer in time".to_owned()),
            });
        }
        let complete = confirmations.iter().all(Result::is_ok);
        (outcomes(window, confirmations), complete)
    }

    /// A mandatory event came back: the broker has lost a queue or a binding.
    async fn mend_topology(&self) {
        error!("The broker has no queue for an event that somebody handles; declaring the topology again");
        metrics::counter!("postroom_bus_unroutable_total").increment(1);
        let mended = async {
            let channel = self.link.channel().await?; // a refused declaration would close a publishing channel
            self.link.declare_topology(&channel).await
        };
        if let Err(error) = mended.await {
            warn!(%error, "The topology could not be declared; the next publication tries again");
        }
    }
}

#[async_trait]
impl Publisher for RabbitMqPublisher {
    async fn publish(&self, events: &[Outgoing]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(events.len());
        for window in events.chunks(self.config.confirm_window.max(1)) {
            let failure = match self.channel().await {
                Ok(channel) => {
                    let (window_outcomes, complete) = self.publish_window(&channel, window).await;
                    outcomes.extend(window_outcomes);
                    if complete {
                        self.give_back(channel);
                        continue;
                    }
                    "what was to go before it was not confirmed".to_owned()
                }
                Err(error) => error.to_string(),
            };
            outcomes.resize(events.len(), Err(PublishError::Unconfirmed(failure))); // nothing overtakes
            break;
        }
        if outcomes
            .iter()
            .any(|outcome| matches!(outcome, Err(PublishError::Unroutable { .. })))
        {
            self.mend_topology().await;
        }
        count(&outcomes);
        outcomes
    }
}

async fn send(channel: &Channel, event: &Outgoing) -> lapin::Result<PublisherConfirm> {
    let (exchange, routing_key) = address(event);
    let body = serde_json::to_vec(&event.envelope).map_err(io::Error::other)?;
    let options = BasicPublishOptions {
        // An event that nobody handles has no queue, and that is right; one that somebody handles must find one.
        mandatory: !event.consumers().is_empty(),
        immediate: false, // unknown to RabbitMQ since 3.0
    };
    channel
        .basic_publish(
            exchange.into(),
            routing_key.into(),
            options,
            &body,
            headers::properties(event),
        )
        .await
}

/// Exchange and routing key. The default exchange (the empty name) delivers to the queue of that name.
fn address(event: &Outgoing) -> (&'static str, String) {
    match event.route {
        Route::Topic => (EXCHANGE, event.envelope.routing_key().to_string()),
        Route::Queue(consumer) => ("", consumer.queue().to_owned()),
    }
}

fn outcomes(window: &[Outgoing], confirmations: Vec<Result<Confirmation, String>>) -> Vec<Outcome> {
    let mut refused = Vec::with_capacity(window.len());
    let mut returned: HashSet<ReturnKey> = HashSet::new();
    for confirmation in confirmations {
        refused.push(confirmation.map(|confirmation| {
            let refused = confirmation.is_nack();
            if let Some(message) = confirmation.take_message() {
                let id = message.properties.message_id().as_ref().map(ToString::to_string);
                returned.insert((id.unwrap_or_default(), message.routing_key.to_string()));
            }
            refused
        }));
    }
    let outcome = |(event, refused): (&Outgoing, Result<bool, String>)| {
        let (_, routing_key) = address(event);
        match refused {
            Err(error) => Err(PublishError::Unconfirmed(error)),
            Ok(true) => Err(PublishError::Refused { routing_key }),
            // Acknowledged and returned is the broker's way to say "nobody got it".
            Ok(false) if returned.contains(&(event.envelope.id.to_string(), routing_key.clone())) => {
                Err(PublishError::Unroutable { routing_key })
            }
            Ok(false) => Ok(()),
        }
    };
    window.iter().zip(refused).map(outcome).collect()
}

fn count(outcomes: &[Outcome]) {
    let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    metrics::counter!("postroom_bus_published_total").increment((outcomes.len() - failed) as u64);
    metrics::counter!("postroom_bus_publish_failures_total").increment(failed as u64);
}
