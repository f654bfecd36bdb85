//! The service's life: from the settings of the process to a server that stops when it is told to.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, HostName, IpNetwork};
use postroom_oauth::{HttpSettings, IdentityHttp, IdentityProviders};
use postroom_providers::{OAuthRegistration, ProviderCatalogue};
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
        housekeeping::run(&parts.store, &parts.packs, shutdown.clone()),
    );
    served
}

/// What the handlers share, from the parts of the process: for `postroom run`, which prints a sign-in link at start.
///
/// # Errors
/// When a file that the settings name cannot be read or holds something that does not fit.
pub fn state_of(parts: &Parts) -> anyhow::Result<AppState> {
    let settings = &parts.settings;
    let networks = networks(settings)?;
    let loopback_is_open = networks
        .iter()
        .any(|network| network.contains([127, 0, 0, 1].into()));
    let providers = settings.providers_file.as_deref().map(read).transpose()?;
    let providers = Arc::new(ProviderCatalogue::load(providers.as_deref())?);
    let registrations = settings.oauth_file.as_deref().map(read).transpose()?;
    let registrations = OAuthRegistration::read_all(registrations.as_deref().unwrap_or_default())?;
    let http = HttpSettings {
        extra_ca: settings.ca_file.clone(),
        allow_http_on_loopback: loopback_is_open,
        ..HttpSettings::default()
    };
    let http = IdentityHttp::new(&http, Arc::clone(&parts.clock))?;
    let identity = IdentityProviders::new(http, &providers, registrations)?;
    let connector = Connector::new(ConnectorSettings {
        extra_ca_file: settings.ca_file.clone(),
        addresses: AddressPolicy::with_networks(networks),
        ..ConnectorSettings::default()
    })?;
    Ok(AppState::new(Components {
        store: parts.store.clone(),
        packs: parts.packs.clone(),
        keys: Arc::clone(&parts.keys),
        connector,
        providers,
        identity: Arc::new(identity),
        settings: manager_settings(settings)?,
    }))
}

fn networks(settings: &Settings) -> anyhow::Result<Vec<IpNetwork>> {
    let parse = |text: &String| text.trim().parse::<IpNetwork>();
    settings
        .allow_networks
        .iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .context("--allow-networks (POSTROOM_ALLOW_NETWORKS) does not fit")
}

fn manager_settings(settings: &Settings) -> anyhow::Result<ManagerSettings> {
    let base_url = settings.public_url();
    let ehlo_name = base_url.host_str().and_then(|host| HostName::parse(host).ok());
    let ehlo_name = match ehlo_name {
        Some(name) => name,
        None => HostName::parse("localhost")?,
    };
    Ok(ManagerSettings::new(base_url, ehlo_name))
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
