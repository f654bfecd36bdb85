//! Which service handles which event: the one table that exchanges, queues and the embedded bus are made from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The topic exchange that every event is published to.
pub const EXCHANGE: &str = "postroom.events";
/// The exchange that the broker moves given-up deliveries to.
pub const DEAD_LETTER_EXCHANGE: &str = "postroom.dead-letters";

/// AMQP routing key of an event: its type without prefix and version, such as `account.connected`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoutingKey(String);

impl RoutingKey {
    /// The key of an event type such as `postroom.account.connected.v1`.
    pub fn of_type(event_type: &str) -> Self {
        let key = event_type.strip_prefix("postroom.").unwrap_or(event_type);
        match key.rsplit_once(".v") {
            Some((key, version)) if version.bytes().all(|b| b.is_ascii_digit()) => Self(key.to_owned()),
            _ => Self(key.to_owned()),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A service that handles events, with a durable queue of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Consumer {
    /// Owns accounts and their states.
    AccountManager,
    /// Refreshes tokens.
    TokenRefresher,
    /// Fetches mail.
    ImapFetcher,
    /// Sends mail.
    SmtpSender,
}

impl Consumer {
    /// Every consumer: each service declares all their queues at start, so that nothing waits for a first start.
    pub const ALL: &'static [Self] = &[
        Self::AccountManager,
        Self::TokenRefresher,
        Self::ImapFetcher,
        Self::SmtpSender,
    ];

    /// The service's name, as in `processed_events`, metrics and commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccountManager => "account-manager",
            Self::TokenRefresher => "token-refresher",
            Self::ImapFetcher => "imap-fetcher",
            Self::SmtpSender => "smtp-sender",
        }
    }

    /// The consumer of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|consumer| consumer.name() == name)
    }

    /// Its durable queue.
    pub const fn queue(self) -> &'static str {
        match self {
            Self::AccountManager => "postroom.account-manager",
            Self::TokenRefresher => "postroom.token-refresher",
            Self::ImapFetcher => "postroom.imap-fetcher",
            Self::SmtpSender => "postroom.smtp-sender",
        }
    }

    /// The consumer that owns a queue.
    pub fn of_queue(queue: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|consumer| consumer.queue() == queue)
    }

    /// The routing keys its queue is bound to.
    pub const fn bindings(self) -> &'static [&'static str] {
        match self {
            Self::AccountManager => &[
                "account.reauthorization_required",
                "account.recovered",
                "account.unreachable",
                "account.send_blocked",
                "account.send_unblocked",
                "account.disconnected",
                "backfill.started",
                "backfill.progressed",
                "backfill.completed",
            ],
            Self::TokenRefresher => &[
                "account.connected",
                "account.authentication_method_changed",
                "account.disconnected",
                "token.expiring",
                "token.rejected",
            ],
            Self::ImapFetcher => &[
                "account.connected",
                "account.authentication_method_changed",
                "account.settings_changed",
                "account.disconnected",
                "token.refreshed",
                "sync.requested",
                "message.change_requested",
            ],
            Self::SmtpSender => &[
                "account.authentication_method_changed",
                "account.settings_changed",
                "account.disconnected",
                "token.refreshed",
                "send.requested",
            ],
        }
    }

    /// The consumers of an event with that routing key. None: it is published without `mandatory`.
    pub fn of(routing_key: &RoutingKey) -> impl Iterator<Item = Self> + use<> {
        let key = routing_key.as_str().to_owned();
        Self::ALL
            .iter()
            .copied()
            .filter(move |consumer| consumer.bindings().contains(&key.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;

    #[test]
    fn every_binding_is_the_key_of_an_event() {
        let keys: Vec<_> = Event::TYPES.iter().map(|t| RoutingKey::of_type(t)).collect();
        for consumer in Consumer::ALL {
            for binding in consumer.bindings() {
                assert!(
                    keys.iter().any(|key| key.as_str() == *binding),
                    "{} binds {binding}",
                    consumer.name()
                );
            }
            assert_eq!(Consumer::of_queue(consumer.queue()), Some(*consumer));
            assert_eq!(Consumer::by_name(consumer.name()), Some(*consumer));
        }
    }

    #[test]
    fn every_event_is_described_for_those_who_consume_it() {
        let described = include_str!("../../../docs/events.md");
        for event_type in Event::TYPES {
            let key = RoutingKey::of_type(event_type);
            let (_, rest) = described
                .split_once(&format!("\n## {key}\n"))
                .unwrap_or_else(|| panic!("no {key}"));
            let section = rest.split("\n## ").next().unwrap();
            for consumer in Consumer::of(&key) {
                assert!(section.contains(consumer.name()), "{key}: {}", consumer.name());
            }
        }
    }

    #[test]
    fn an_event_goes_to_whoever_handles_it() {
        let key = RoutingKey::of_type("postroom.token.refreshed.v1");
        assert_eq!(
            Consumer::of(&key).collect::<Vec<_>>(),
            [Consumer::ImapFetcher, Consumer::SmtpSender]
        );
        assert_eq!(
            Consumer::of(&RoutingKey::of_type("postroom.message.received.v1")).count(),
            0
        );
    }
}
