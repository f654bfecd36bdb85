//! `postroom run`: every service in one process.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use postroom_runtime::{Background, Parts, Settings, run_to_exit, stop_signal, until_stopped};
use tokio::task::JoinSet;

use crate::first_run;

/// What the loops beside the services get to end in.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn main(settings: Settings) -> ExitCode {
    run_to_exit("postroom", &settings.clone(), async move {
        let parts = Parts::assemble(settings, stop_signal()?).await?;
        first_run::welcome(&parts).await?;
        let background = Background::start(&parts);
        let result = until_stopped(&parts, every_service(Arc::clone(&parts))).await;
        background.stop(GRACE).await;
        result
    })
}

/// Runs the services beside one another. The first one that fails stops them all.
async fn every_service(parts: Arc<Parts>) -> anyhow::Result<()> {
    let mut services = JoinSet::new();
    services.spawn(account_manager::run(Arc::clone(&parts)));
    services.spawn(token_refresher::run(Arc::clone(&parts)));
    services.spawn(imap_fetcher::run(Arc::clone(&parts)));
    services.spawn(smtp_sender::run(Arc::clone(&parts)));
    let mut result = Ok(());
    while let Some(ended) = services.join_next().await {
        let ended = ended.context("a service crashed").and_then(|ended| ended);
        if !parts.shutdown.is_cancelled() {
            parts.shutdown.cancel();
            result = ended.and(Err(anyhow::anyhow!("a service ended before it was asked to")));
        } else if result.is_ok() {
            result = ended;
        }
    }
    result
}
