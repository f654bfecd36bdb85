//! The service's life: from the settings of the process to a prompt stop.

use std::{sync::Arc, time::Duration};

use postroom_runtime::{ConsumerLoop, Parts};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    SenderSettings,
    handler::SendingEvents,
    sender::{SERVICE, Sender},
};

/// How long mails whose final dot has left may take to be answered when the process stops. What is not answered by then is
/// found uncertain by the next worker, and told so.
const LAST_ANSWERS: Duration = Duration::from_secs(4);

/// Sends mail until the process is to stop.
///
/// # Errors
/// When a file that the settings name cannot be read or holds something that does not fit.
pub async fn run(parts: Arc<Parts>) -> anyhow::Result<()> {
    let settings = SenderSettings {
        claim: parts.settings.lease(),
        ..SenderSettings::default()
    };
    run_with(parts, settings).await
}

/// As [`run`], with times and sizes of one's own.
///
/// # Errors
/// As [`run`].
pub async fn run_with(parts: Arc<Parts>, settings: SenderSettings) -> anyhow::Result<()> {
    let sender = Arc::new(Sender::new(&parts, settings)?);
    let done = CancellationToken::new();
    let loops = (0..settings.loops.max(1)).map(|_| {
        let events = SendingEvents(Arc::clone(&sender));
        ConsumerLoop::new(
            parts.store.clone(),
            Arc::clone(&parts.bus),
            events,
            settings.loop_options(),
        )
        .run(parts.shutdown.clone())
    });
    let sending = async {
        futures::future::join_all(loops).await;
        sender.tasks.close();
        if timeout(LAST_ANSWERS, sender.tasks.wait()).await.is_err() {
            tracing::warn!(
                service = SERVICE,
                mails = sender.tasks.len(),
                "Servers have not answered yet; whether these mails were sent is not known"
            );
        }
        done.cancel();
    };
    tokio::join!(
        sending,
        sender.claims.keep(&sender.store, sender.worker_id, done.clone()),
        sender.lanes.sweep(done.clone()),
    );
    Ok(())
}
