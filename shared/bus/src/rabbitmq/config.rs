//! What an operator may set about the broker.

use std::time::Duration;

use secrecy::SecretString;

/// How to reach and use RabbitMQ.
#[derive(Debug, Clone)]
pub struct RabbitMqConfig {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS. Secret: it holds the password.
    pub url: SecretString,
    /// Certificates (PEM) to trust beside the machine's own, for a broker with a private authority.
    pub authority_pem: Option<String>,
    /// How the connections are called in the broker's management pages.
    pub connection_name: String,
    /// How many events may wait for their confirmation at once.
    pub confirm_window: usize,
    /// How long to wait for a confirmation; a broker that holds publishers back answers nothing at all.
    pub confirm_timeout: Duration,
    /// How often a delivery may be handed out and not settled before it becomes a dead letter. Must be the same for
    /// all processes: a queue that exists with another limit cannot be declared.
    pub delivery_limit: u32,
    /// A consumer that has heard nothing for so long consumes again: the broker tells nobody when a quorum queue was
    /// deleted, and a consumer of one can fall silent when its leader moves.
    pub consume_again_after: Duration,
}

impl RabbitMqConfig {
    /// The settings for a broker at `url`, everything else as measured to be good.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            authority_pem: None,
            connection_name: "postroom".to_owned(),
            confirm_window: 1_000,
            confirm_timeout: Duration::from_secs(30),
            // A crash counts for every delivery that was out, so the innocent ones need room, too.
            delivery_limit: 20,
            consume_again_after: Duration::from_secs(60),
        }
    }
}
