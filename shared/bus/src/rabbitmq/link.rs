//! One supervised connection to the broker.
//!
//! Whoever finds a channel dead asks for a new one, and the link connects again when the connection is dead, too; a
//! task does the same for a link that nobody uses at the moment. lapin's own recovery is off: it gives up after a
//! number of attempts and does not cover errors of a single channel.

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use lapin::{
    Channel, Connect, Connection, ConnectionProperties, ConnectionStatus, ErrorKind, tcp::OwnedTLSConfig,
    uri::AMQPUri,
};
use postroom_retry::{Jitter, policies::INFRASTRUCTURE};
use secrecy::ExposeSecret;
use tokio::{
    sync::{Mutex, oneshot},
    time::timeout,
};
use tracing::{info, warn};

use super::{config::RabbitMqConfig, topology};
use crate::BusError;

/// A broker that accepts the connection and then says nothing is as good as away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Declaring quorum queues waits for their leaders, which takes a while right after a broker's start.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often an unused connection is looked at.
const SUPERVISION_INTERVAL: Duration = Duration::from_secs(1);
/// In seconds. A half-open connection is noticed after two missed heartbeats.
const HEARTBEAT: u16 = 10;

/// One connection that comes back.
pub(crate) struct Link {
    config: Arc<RabbitMqConfig>,
    purpose: &'static str,
    connection: Mutex<Option<Connection>>,
    status: StdMutex<Option<ConnectionStatus>>,
}

impl Link {
    pub(crate) fn new(config: Arc<RabbitMqConfig>, purpose: &'static str) -> Self {
        Self {
            config,
            purpose,
            connection: Mutex::new(None),
            status: StdMutex::new(None),
        }
    }

    /// Connects, unless it is connected.
    pub(crate) async fn connect(&self) -> Result<(), BusError> {
        self.channel().await.map(drop)
    }

    /// A new channel; connects first where that is needed. One attempt.
    pub(crate) async fn channel(&self) -> Result<Channel, BusError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| connection.status().connected()) {
            match open_channel(connection).await {
                Ok(channel) => return Ok(channel),
                Err(error) => {
                    warn!(bus.link = self.purpose, %error, "The broker gave no channel; connecting again")
                }
            }
        }
        *held = None;
        let connection = self.establish().await?;
        self.declare_topology(&open_channel(&connection).await?).await?;
        let channel = open_channel(&connection).await?;
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.status().clone());
        *held = Some(connection);
        info!(bus.link = self.purpose, "Connected to the message broker");
        metrics::counter!("postroom_bus_connects_total", "link" => self.purpose).increment(1);
        Ok(channel)
    }

    /// Connects, however long it takes.
    async fn connect_at_last(&self) {
        let mut attempt = 0_u32;
        loop {
            match self.connect().await {
                Ok(()) => return,
                Err(error) => {
                    warn!(bus.link = self.purpose, %error, attempt, "Still without the message broker")
                }
            }
            attempt = attempt.saturating_add(1);
            pause(attempt).await;
        }
    }

    pub(crate) fn config(&self) -> &RabbitMqConfig {
        &self.config
    }

    /// Declares whatever the broker has lost.
    pub(crate) async fn declare_topology(&self, channel: &Channel) -> Result<(), BusError> {
        timeout(
            DECLARE_TIMEOUT,
            topology::declare(channel, self.config.delivery_limit),
        )
        .await
        .map_err(|_| BusError::Unavailable("the broker did not declare the queues in time".to_owned()))?
    }

    /// Whether it is connected.
    pub(crate) fn is_up(&self) -> bool {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.as_ref().is_some_and(ConnectionStatus::connected)
    }

    /// Connects again whenever the connection is gone, so that it is there before somebody needs it.
    pub(crate) async fn supervise(&self) {
        loop {
            tokio::time::sleep(SUPERVISION_INTERVAL).await;
            if !self.is_up() {
                self.connect_at_last().await;
            }
        }
    }

    async fn establish(&self) -> Result<Connection, BusError> {
        let uri = self.uri()?;
        let name = format!("{} ({})", self.config.connection_name, self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tls = OwnedTLSConfig {
            identity: None,
            cert_chain: self.config.authority_pem.clone(),
        };
        let runtime = lapin::runtime::default_runtime()?;
        timeout(CONNECT_TIMEOUT, uri.connect_with_config(properties, tls, runtime))
            .await
            .map_err(|_| BusError::Unavailable("the broker did not answer in time".to_owned()))?
            .map_err(explain)
    }

    fn uri(&self) -> Result<AMQPUri, BusError> {
        let parsed: Result<AMQPUri, String> = self.config.url.expose_secret().parse();
        // What the parser says may quote the address, and the address holds the password.
        let mut uri = parsed.map_err(|_| {
            BusError::Misconfigured(
                "the RabbitMQ address cannot be read: write it as amqp://user:password@host:5672/vhost, special \
                 characters percent-encoded, amqps:// for TLS"
                    .to_owned(),
            )
        })?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(uri)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("purpose", &self.purpose)
            .field("is_up", &self.is_up())
            .finish_non_exhaustive()
    }
}

/// Tells a refusal, which stays, from a broker that is away.
fn explain(error: lapin::Error) -> BusError {
    let ErrorKind::ProtocolError(refusal) = error.kind() else {
        return error.into();
    };
    match refusal.get_id() {
        403 => BusError::Misconfigured(
            "RabbitMQ refused the user name or the password: check them in its address".to_owned(),
        ),
        530 => BusError::Misconfigured(format!(
            "RabbitMQ does not let this user into the virtual host ({refusal}): make the host, or permit the user"
        )),
        _ => error.into(),
    }
}

async fn open_channel(connection: &Connection) -> Result<Channel, BusError> {
    timeout(CONNECT_TIMEOUT, connection.create_channel())
        .await
        .map_err(|_| BusError::Unavailable("the broker opened no channel in time".to_owned()))?
        .map_err(BusError::from)
}

/// Tries `make` until it succeeds or nobody waits for it any more.
///
/// It is a task of its own, because a caller may stop waiting at any moment, and a consumer that was dropped half-made
/// would live on at the broker and keep its deliveries.
pub(crate) fn at_last<T, F>(make: impl Fn() -> F + Send + 'static) -> oneshot::Receiver<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, BusError>> + Send,
{
    let (answer, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let mut attempt = 0_u32;
        while !answer.is_closed() {
            match make().await {
                Ok(made) => {
                    drop(answer.send(made));
                    return;
                }
                Err(error) => warn!(%error, attempt, "The message broker cannot be used yet"),
            }
            attempt = attempt.saturating_add(1);
            pause(attempt).await;
        }
    });
    receiver
}

/// Waits before attempt number `attempt` + 1.
async fn pause(attempt: u32) {
    let longest = INFRASTRUCTURE.max_interval;
    tokio::time::sleep(
        INFRASTRUCTURE
            .next_delay(attempt, Jitter::random())
            .unwrap_or(longest),
    )
    .await;
}
