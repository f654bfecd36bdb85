//! The service's life: from the settings of the process to a server that stops when it is told to.

use std::sync::Arc;

use anyhow::Context;
use postroom_mail::net::HostName;
use postroom_runtime::{ConsumerLoop, LoopOptions, Parts, Settings};
use tokio::net::TcpListener;

use crate::{AppState, Components, ManagerSettings, handler::AccountEvents, housekeeping, router};

/// Serves API, pages, health and metrics, and handles account-manager's events, until the process is to stop.
///
/// # Errors
/// When a file that the settings name cannot be read, or the address cannot be listened on.
pub async fn run(parts: Arc<Parts>) -> anyhow::Result<()> {
    let state = state_of(&parts)?;
    let listen = parts.settings.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; choose another address with --listen (POSTROOM_LISTEN)")
    })?;
    tracing::info!(listen = %listener.local_addr()?, "Serves the API and the pages");
    let app = router(state).merge(parts.health.router());
    let shutdown = parts.shutdown.clone();
    let serving = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let events = ConsumerLoop::new(
        parts.store.clone(),
        Arc::clone(&parts.bus),
        AccountEvents,
        LoopOptions::ROWS_ONLY,
    );
    let (served, (), ()) = tokio::join!(
        async { serving.await.context("the HTTP server failed") },
        events.run(shutdown.clone()),
        housekeeping::run(
            &parts.store,
            &parts.packs,
            parts.settings.event_retention(),
            shutdown.clone()
        ),
    );
    served
}

/// What the handlers share, from the parts of the process: for `postroom run`, which prints a sign-in link at start.
///
/// # Errors
/// When a file that the settings name cannot be read or holds something that does not fit.
pub fn state_of(parts: &Parts) -> anyhow::Result<AppState> {
    let settings = &parts.settings;
    let providers = Arc::new(settings.provider_catalogue()?);
    let identity = settings.identity_providers(&providers, Arc::clone(&parts.clock))?;
    let discovery = settings.discovery(Arc::clone(&providers), Arc::clone(&parts.clock))?;
    Ok(AppState::new(Components {
        store: parts.store.clone(),
        packs: parts.packs.clone(),
        keys: Arc::clone(&parts.keys),
        connector: settings.connector()?,
        providers,
        identity: Arc::new(identity),
        discovery: Arc::new(discovery),
        settings: manager_settings(settings)?,
    }))
}

fn manager_settings(settings: &Settings) -> anyhow::Result<ManagerSettings> {
    let ehlo_name = match settings.ehlo_name() {
        Some(name) => name,
        None => HostName::parse("localhost")?,
    };
    let mut manager = ManagerSettings::new(settings.public_url(), ehlo_name);
    manager.return_origins = settings.return_urls.clone();
    Ok(manager)
}
