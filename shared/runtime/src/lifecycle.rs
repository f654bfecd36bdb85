//! The life of a process: start, serve until a signal, stop within seconds.

use std::{future::Future, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::Parser;
use postroom_telemetry::TelemetryConfig;
use tokio_util::sync::CancellationToken;

use crate::{Parts, Settings};

/// A service that has not stopped by then is left behind; whatever it held is taken over by lease.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Parser)]
#[command(version)]
struct ServiceCommand {
    #[command(flatten)]
    settings: Settings,
}

/// The `main` of a service's binary: parses the settings, assembles the parts, and runs the service until SIGTERM or
/// SIGINT, with health and metrics on its listen address.
pub fn service_main<F>(service: &'static str, run: fn(Arc<Parts>) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let settings = ServiceCommand::parse().settings;
    run_to_exit(service, &settings.clone(), async move {
        let parts = Parts::assemble(settings, stop_signal()?).await?;
        let background = crate::Background::start(&parts);
        let serves_itself = service == "account-manager";
        if !serves_itself {
            tokio::spawn(serve_health(Arc::clone(&parts)));
        }
        let result = until_stopped(&parts, run(Arc::clone(&parts))).await;
        background.stop(GRACE).await;
        result
    })
}

/// Runs a process's future on a runtime of its own, with telemetry, and turns its result into an exit code and a
/// sentence.
pub fn run_to_exit<F>(service: &'static str, settings: &Settings, run: F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    match try_run(service, settings, run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("{service}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn try_run<F>(service: &'static str, settings: &Settings, run: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        postroom_telemetry::metrics_handle();
        let telemetry = postroom_telemetry::init(&TelemetryConfig {
            service,
            log_format: settings.log_format,
            filter: settings.log.clone(),
            otlp_endpoint: settings.otlp_endpoint.clone(),
        })?;
        let result = run.await;
        drop(telemetry);
        result
    })
}

#[allow(clippy::print_stderr)] // the last words of a process that may have no log
fn report(sentence: &str) {
    eprintln!("{sentence}");
}

/// A token that is cancelled by SIGTERM or SIGINT.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("Stops: a signal asked for it");
        stop.cancel();
    });
    Ok(token)
}

/// Waits for a service to end. Once the process is to stop, it gets a few seconds more.
///
/// # Errors
/// What the service ended with; an end before the stop is a fault, too.
pub async fn until_stopped<F>(parts: &Parts, service: F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut service = tokio::spawn(service);
    tokio::select! {
        ended = &mut service => {
            parts.shutdown.cancel();
            ended.context("a service crashed")??;
            return Ok(());
        }
        () = parts.shutdown.cancelled() => {}
    }
    match tokio::time::timeout(GRACE, service).await {
        Ok(ended) => ended.context("a service crashed while it stopped")?,
        Err(_) => {
            tracing::warn!("A service did not stop in time and is left behind");
            Ok(())
        }
    }
}

async fn serve_health(parts: Arc<Parts>) -> anyhow::Result<()> {
    let listen = parts.settings.listen;
    let listener = match tokio::net::TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%listen, %error, "Health and metrics cannot be served; choose another --listen address");
            parts.shutdown.cancel();
            return Ok(());
        }
    };
    tracing::info!(listen = %listener.local_addr()?, "Serves health and metrics");
    let shutdown = parts.shutdown.clone();
    axum::serve(listener, parts.health.router())
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await?;
    Ok(())
}
