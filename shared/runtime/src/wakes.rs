//! After a commit: ring the bells of the embedded queues and of the outbox, and wake the workers that hold the accounts
//! with new work.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use postroom_bus::{Bus, Wake};
use postroom_events::{AccountId, WorkerId};
use postroom_store::{CommitListener, Store, leases};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Wake-ups that may wait for the task that sends them. One that finds no room is dropped: the holder reads the work
/// rows of its accounts every few seconds anyway.
const WAITING: usize = 4096;
/// Accounts whose holder is looked up by one query.
const TOGETHER: usize = 200;

/// What the store calls after each commit.
pub(crate) fn listener(
    store: &Store,
    bus: &Arc<dyn Bus>,
    worker_id: WorkerId,
    outbox_bell: Arc<Notify>,
    shutdown: CancellationToken,
) -> CommitListener {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(send_wakes(store.clone(), Arc::clone(bus), receiver, shutdown));
    let bus = Arc::clone(bus);
    tracing::debug!(worker.id = %worker_id, "Listens for commits");
    Arc::new(move |committed| {
        if !committed.queues.is_empty() {
            let queues: Vec<_> = committed.queues.iter().copied().collect();
            bus.deliveries_committed(&queues);
        }
        if committed.outbox {
            outbox_bell.notify_one();
        }
        for account_id in &committed.accounts {
            // Full: a wake-up that is lost costs delay, never work.
            let _ = sender.try_send(*account_id);
        }
    })
}

async fn send_wakes(
    store: Store,
    bus: Arc<dyn Bus>,
    mut receiver: mpsc::Receiver<AccountId>,
    shutdown: CancellationToken,
) {
    let wake_sender = bus.wake_sender();
    let mut waiting = Vec::with_capacity(TOGETHER);
    loop {
        tokio::select! {
            count = receiver.recv_many(&mut waiting, TOGETHER) => if count == 0 { return },
            () = shutdown.cancelled() => return,
        }
        let accounts: BTreeSet<_> = waiting.drain(..).collect();
        match leases::holders(store.read(), &accounts.into_iter().collect::<Vec<_>>()).await {
            Ok(holders) => {
                let mut by_worker: BTreeMap<_, Vec<_>> = BTreeMap::new();
                for (account_id, worker) in holders {
                    by_worker.entry(worker).or_default().push(Wake { account_id });
                }
                for (worker, wakes) in by_worker {
                    wake_sender.wake(worker, &wakes).await;
                }
            }
            Err(error) => tracing::debug!(%error, "Wake-ups were lost; workers find their work by looking"),
        }
    }
}
