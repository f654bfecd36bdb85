//! Exchanges, queues and bindings, made from the one table of `postroom-events`.

use lapin::{
    Channel, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use postroom_events::{Consumer, DEAD_LETTER_EXCHANGE, EXCHANGE};

use crate::BusError;

/// The queue that holds what the broker set aside until it is a row.
pub(crate) const DEAD_LETTER_QUEUE: &str = "postroom.dead-letters";

/// No delivery of the dead-letter queue is ever given up: there is nowhere further to go. RabbitMQ 4 has a limit of
/// 20 unless one is set, and 3.10 does not know "none".
const NO_LIMIT: i64 = 1_000_000_000;

/// Declares everything for every consumer, so that nothing waits for a consumer's first start. Changes nothing that
/// is there already.
pub(crate) async fn declare(channel: &Channel, delivery_limit: u32) -> Result<(), BusError> {
    declare_dead_letters(channel)
        .await
        .map_err(|error| explain("the dead-letter queue", &error))?;
    exchange(channel, EXCHANGE, ExchangeKind::Topic)
        .await
        .map_err(|error| explain(EXCHANGE, &error))?;
    for consumer in Consumer::ALL {
        declare_consumer(channel, *consumer, delivery_limit)
            .await
            .map_err(|error| explain(consumer.queue(), &error))?;
    }
    Ok(())
}

async fn declare_dead_letters(channel: &Channel) -> lapin::Result<()> {
    // Fanout: whatever its routing key was, a dead letter has one place to go.
    exchange(channel, DEAD_LETTER_EXCHANGE, ExchangeKind::Fanout).await?;
    let mut arguments = FieldTable::default();
    set(&mut arguments, "x-queue-type", "quorum"); // a dead letter must survive what killed its workers
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(NO_LIMIT));
    queue(channel, DEAD_LETTER_QUEUE, arguments).await?;
    bind(channel, DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, "").await
}

async fn declare_consumer(channel: &Channel, consumer: Consumer, delivery_limit: u32) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    set(&mut arguments, "x-queue-type", "quorum"); // replicated and on disk before it is confirmed
    // Explicit, because the default is "never" before RabbitMQ 4 and 20 since.
    arguments.insert(
        "x-delivery-limit".into(),
        AMQPValue::LongLongInt(i64::from(delivery_limit)),
    );
    set(&mut arguments, "x-dead-letter-exchange", DEAD_LETTER_EXCHANGE); // without one, what is given up is gone
    set(&mut arguments, "x-dead-letter-strategy", "at-least-once"); // the default may lose it on the way
    set(&mut arguments, "x-overflow", "reject-publish"); // at-least-once requires it: drop-head would lose events
    queue(channel, consumer.queue(), arguments).await?;
    for routing_key in consumer.bindings() {
        bind(channel, consumer.queue(), EXCHANGE, routing_key).await?;
    }
    Ok(())
}

fn set(arguments: &mut FieldTable, name: &str, value: &str) {
    arguments.insert(name.into(), AMQPValue::LongString(value.into()));
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..Default::default()
    }; // outlives the broker's restart
    channel
        .exchange_declare(name.into(), kind, durable, FieldTable::default())
        .await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    }; // quorum queues are nothing else
    channel
        .queue_declare(name.into(), durable, arguments)
        .await
        .map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, routing_key: &str) -> lapin::Result<()> {
    let routing_key = ShortString::from(routing_key);
    channel
        .queue_bind(
            queue.into(),
            exchange.into(),
            routing_key,
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await
}

/// Turns "precondition failed" and "access refused" into something that an operator can act on.
fn explain(name: &str, error: &lapin::Error) -> BusError {
    let ErrorKind::ProtocolError(refusal) = error.kind() else {
        return BusError::Unavailable(error.to_string());
    };
    match refusal.get_id() {
        406 => BusError::Misconfigured(format!(
            "RabbitMQ has {name} with other settings than these ({refusal}): set the same delivery limit in every \
             process, or let the queue drain and delete it, then start again"
        )),
        403 => BusError::Misconfigured(format!(
            "RabbitMQ does not let this user declare {name} ({refusal}): grant it configure, write and read on \
             `postroom.*` in its virtual host"
        )),
        _ => BusError::Unavailable(error.to_string()),
    }
}
