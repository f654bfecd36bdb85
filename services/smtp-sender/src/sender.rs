//! What all mails of this process share.

use std::{fmt, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use postroom_crypto::KeyRing;
use postroom_events::WorkerId;
use postroom_mail::net::{Connector, HostName};
use postroom_providers::{Provider, ProviderCatalogue};
use postroom_runtime::{Parts, Settings};
use postroom_store::{Account, Store, packs::Packs};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{SenderSettings, claims::Claims, lanes::Lanes};

/// The service's name in logs.
pub(crate) const SERVICE: &str = "smtp-sender";
/// A mail that is larger shares the room for large mails; smaller ones are bounded by the number of connections.
const LARGE: u64 = 256 * 1024;
/// The room for large mails is counted in these.
const KIB: u64 = 1024;

/// What all mails of this process share.
pub(crate) struct Sender {
    pub(crate) store: Store,
    pub(crate) packs: Packs,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) connector: Connector,
    pub(crate) providers: ProviderCatalogue,
    pub(crate) ehlo_name: HostName,
    pub(crate) worker_id: WorkerId,
    pub(crate) settings: SenderSettings,
    pub(crate) lanes: Lanes,
    pub(crate) claims: Arc<Claims>,
    /// Attempts under way: they outlive the handling of their events.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the process is to stop: what has not let its final dot go gives up.
    pub(crate) stopping: CancellationToken,
    large: Semaphore,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender over the parts of this process.
    pub(crate) fn new(parts: &Parts, settings: SenderSettings) -> anyhow::Result<Self> {
        let configured = &parts.settings;
        Ok(Self {
            store: parts.store.clone(),
            packs: parts.packs.clone(),
            keys: Arc::clone(&parts.keys),
            connector: configured.connector()?,
            providers: configured.provider_catalogue()?,
            ehlo_name: ehlo_name(configured)?,
            worker_id: parts.worker_id,
            settings,
            lanes: Lanes::new(Arc::clone(&parts.clock), settings),
            claims: Arc::new(Claims::new(Arc::clone(&parts.clock), settings)),
            tasks: TaskTracker::new(),
            stopping: parts.shutdown.clone(),
            large: Semaphore::new(settings.large_mail_bytes / KIB as usize),
        })
    }

    pub(crate) fn provider(&self, account: &Account) -> Option<&Provider> {
        self.providers.by_id(&account.provider_id)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.store.clock().now()
    }

    pub(crate) fn monotonic(&self) -> Instant {
        self.store.clock().monotonic()
    }

    /// Room in memory for a mail. `None`: it is so small that it needs none.
    pub(crate) async fn room_for(&self, size: u64) -> Option<SemaphorePermit<'_>> {
        if size <= LARGE {
            return None;
        }
        let all = (self.settings.large_mail_bytes as u64 / KIB).max(1);
        let needed = u32::try_from((size / KIB).min(all)).unwrap_or(u32::MAX);
        self.large.acquire_many(needed).await.ok() // it is never closed
    }
}

/// How this machine introduces itself to submission servers.
fn ehlo_name(settings: &Settings) -> anyhow::Result<HostName> {
    match settings.ehlo_name() {
        Some(name) => Ok(name),
        None => Ok(HostName::parse("localhost")?),
    }
}
