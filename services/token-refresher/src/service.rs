//! The service's life: from the settings of the process to a prompt stop.

use std::sync::Arc;

use anyhow::Context;
use postroom_runtime::{ConsumerLoop, LoopOptions, Parts};
use tokio::task::JoinSet;

use crate::{
    Components, Refresher, RefresherSettings, handler::TokenEvents, registrations::Registrations,
    scheduler::Scheduler,
};

/// Announces due grants and handles token-refresher's events, until the process is to stop.
///
/// # Errors
/// When a file that the settings name cannot be read or holds something that does not fit.
pub async fn run(parts: Arc<Parts>) -> anyhow::Result<()> {
    run_with(parts, RefresherSettings::default()).await
}

/// As [`run`], with times and numbers of one's own.
///
/// # Errors
/// As [`run`].
pub async fn run_with(parts: Arc<Parts>, settings: RefresherSettings) -> anyhow::Result<()> {
    let refresher = refresher_of(&parts, settings)?;
    let mut work = JoinSet::new();
    work.spawn(Scheduler::new(refresher.clone()).run(parts.shutdown.clone()));
    work.spawn(Registrations::new(refresher.clone()).run(parts.shutdown.clone()));
    for _ in 0..settings.loops.max(1) {
        let events = ConsumerLoop::new(
            parts.store.clone(),
            Arc::clone(&parts.bus),
            TokenEvents::new(refresher.clone()),
            LoopOptions::OUTSIDE,
        );
        work.spawn(events.run(parts.shutdown.clone()));
    }
    while let Some(ended) = work.join_next().await {
        ended.context("a part of token-refresher crashed")?;
    }
    Ok(())
}

/// What the parts of this service share, from the parts of the process.
///
/// # Errors
/// As [`run`].
pub fn refresher_of(parts: &Parts, settings: RefresherSettings) -> anyhow::Result<Refresher> {
    let catalogue = parts.settings.provider_catalogue()?;
    let identity = parts
        .settings
        .identity_providers(&catalogue, Arc::clone(&parts.clock))?;
    Ok(Refresher::new(Components {
        store: parts.store.clone(),
        keys: Arc::clone(&parts.keys),
        identity: Arc::new(identity),
        settings,
    }))
}
