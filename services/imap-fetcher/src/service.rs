//! The service's life: from the settings of the process to a prompt stop.

use std::sync::Arc;

use postroom_runtime::{ConsumerLoop, LoopOptions, Parts};
use tokio::sync::Notify;

use crate::{Components, Fetcher, FetcherSettings, Ownership, events::FetcherEvents};

/// Holds accounts and keeps their mail in sync, and handles imap-fetcher's events, until the process is to stop.
///
/// # Errors
/// When a file that the settings name cannot be read or holds something that does not fit.
pub async fn run(parts: Arc<Parts>) -> anyhow::Result<()> {
    let settings = FetcherSettings {
        lease: parts.settings.lease(),
        ..FetcherSettings::default()
    };
    run_with(parts, settings).await
}

/// As [`run`], with times and sizes of one's own.
///
/// # Errors
/// As [`run`].
pub async fn run_with(parts: Arc<Parts>, settings: FetcherSettings) -> anyhow::Result<()> {
    let fetcher = fetcher_of(&parts, settings)?;
    let bell = Arc::new(Notify::new());
    let events = ConsumerLoop::new(
        parts.store.clone(),
        Arc::clone(&parts.bus),
        FetcherEvents::new(Arc::clone(&bell)),
        LoopOptions::ROWS_ONLY,
    );
    let wakes = parts.bus.wake_listener(parts.worker_id);
    let ownership = Ownership::new(fetcher, wakes, bell);
    tokio::join!(
        events.run(parts.shutdown.clone()),
        ownership.run(parts.shutdown.clone()),
    );
    Ok(())
}

/// What the accounts of this process share, from the parts of the process.
///
/// # Errors
/// As [`run`].
pub fn fetcher_of(parts: &Parts, settings: FetcherSettings) -> anyhow::Result<Arc<Fetcher>> {
    let configured = &parts.settings;
    Ok(Arc::new(Fetcher::new(Components {
        store: parts.store.clone(),
        packs: parts.packs.clone(),
        keys: Arc::clone(&parts.keys),
        connector: configured.connector()?,
        providers: Arc::new(configured.provider_catalogue()?),
        worker_id: parts.worker_id,
        settings,
    })))
}
