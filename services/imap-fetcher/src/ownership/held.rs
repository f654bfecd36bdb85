//! One held account: a task of its own, behind a bulkhead.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use postroom_store::leases::Lease;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{Fetcher, account};

/// How long an account that crashed its task rests.
const REST_AFTER_CRASH: Duration = Duration::from_secs(60);

/// Why an account is not looked after any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It needs nobody: paused, disconnected, gone.
    NotNeeded,
    /// It was handed over, or this process stops.
    Stopped,
    /// Its lease was lost or could not be renewed in time.
    LeaseLost,
}

/// One held account.
pub(super) struct Held {
    pub(super) lease: Lease,
    /// The task that its life runs in.
    pub(super) task: Option<tokio::task::Id>,
    deadline: watch::Sender<Instant>,
    wake: Arc<Notify>,
    stop: CancellationToken,
}

impl Held {
    /// The account, and its life, which is to be spawned.
    pub(super) fn begin(
        fetcher: Arc<Fetcher>,
        lease: Lease,
        deadline: Instant,
    ) -> (Self, impl Future<Output = (Lease, Ended)> + Send + 'static) {
        let (sender, receiver) = watch::channel(deadline);
        let held = Self {
            lease,
            task: None,
            deadline: sender,
            wake: Arc::default(),
            stop: CancellationToken::new(),
        };
        let (wake, stop) = (Arc::clone(&held.wake), held.stop.clone());
        let span =
            tracing::info_span!("account", account.id = %lease.account_id, lease.fencing = lease.fencing);
        let life = async move {
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => Ended::Stopped,
                () = run_out(receiver) => Ended::LeaseLost,
                ended = live(&fetcher, lease, &wake) => ended,
            };
            (lease, ended)
        };
        (held, life.instrument(span))
    }

    pub(super) fn extend(&self, deadline: Instant) {
        self.deadline.send_replace(deadline);
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// Ends when the deadline has passed without having been moved.
async fn run_out(mut deadline: watch::Receiver<Instant>) {
    loop {
        let until = *deadline.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep_until(until.into()) => {
                if *deadline.borrow() <= until {
                    return;
                }
            }
            changed = deadline.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// The life of the account. A panic stays within it.
async fn live(fetcher: &Fetcher, lease: Lease, wake: &Notify) -> Ended {
    loop {
        let life = Box::pin(account::live(fetcher, lease, wake));
        match AssertUnwindSafe(life).catch_unwind().await {
            Ok(account::Ended::NotNeeded) => return Ended::NotNeeded,
            Ok(account::Ended::LeaseLost) => return Ended::LeaseLost,
            Err(_) => {
                tracing::error!("The sync of this account crashed; it rests for a while and is tried again");
                tokio::time::sleep(REST_AFTER_CRASH).await;
            }
        }
    }
}
