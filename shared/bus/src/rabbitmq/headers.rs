//! What travels beside the body.
//!
//! The body is the event as it was logged; which attempt or replay a delivery is does not belong in it.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use postroom_events::ReplayId;
use uuid::Uuid;

use crate::Outgoing;

const ATTEMPT: &str = "postroom-attempt";
const REPLAY_ID: &str = "postroom-replayid";
/// Kept by quorum queues; absent on the first delivery.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// How the broker tells which queue gave a message up first, and why.
const FIRST_DEATH_QUEUE: &str = "x-first-death-queue";
const FIRST_DEATH_REASON: &str = "x-first-death-reason";

/// The properties of an event.
pub(crate) fn properties(event: &Outgoing) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(ATTEMPT.into(), AMQPValue::LongLongInt(i64::from(event.attempt)));
    if !event.replay_id.is_first_run() {
        let replay_id = event.replay_id.0.to_string();
        headers.insert(REPLAY_ID.into(), AMQPValue::LongString(replay_id.into()));
    }
    BasicProperties::default()
        .with_delivery_mode(2) // persistent: a restarted broker still has it
        .with_message_id(event.envelope.id.to_string().into()) // a returned message is told by it
        .with_content_type("application/cloudevents+json; charset=utf-8".into())
        .with_headers(headers)
}

/// The number of the attempt; 1 when it does not say.
pub(crate) fn attempt(properties: &BasicProperties) -> u32 {
    number(properties, ATTEMPT).unwrap_or(1).max(1)
}

/// The replay; the first run when it does not say.
pub(crate) fn replay_id(properties: &BasicProperties) -> ReplayId {
    let parsed = text(properties, REPLAY_ID).and_then(|text| Uuid::parse_str(&text).ok());
    parsed.map_or(ReplayId::FIRST_RUN, ReplayId)
}

/// How often it was delivered before.
pub(crate) fn delivery_count(properties: &BasicProperties) -> u32 {
    number(properties, DELIVERY_COUNT).unwrap_or(0)
}

/// The queue that gave it up, and the broker's word for why.
pub(crate) fn first_death(properties: &BasicProperties) -> (Option<String>, Option<String>) {
    (
        text(properties, FIRST_DEATH_QUEUE),
        text(properties, FIRST_DEATH_REASON),
    )
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match header(properties, name)? {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// Brokers and clients write the same number in whatever width they like.
fn number(properties: &BasicProperties, name: &str) -> Option<u32> {
    let number = match *header(properties, name)? {
        AMQPValue::ShortShortInt(n) => i64::from(n),
        AMQPValue::ShortShortUInt(n) => i64::from(n),
        AMQPValue::ShortInt(n) => i64::from(n),
        AMQPValue::ShortUInt(n) => i64::from(n),
        AMQPValue::LongInt(n) => i64::from(n),
        AMQPValue::LongUInt(n) => i64::from(n),
        AMQPValue::LongLongInt(n) => n,
        _ => return None,
    };
    u32::try_from(number).ok()
}
