//! Which accounts this worker looks after: a fair share, renewed in time, handed over when it stops.

mod held;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use postroom_bus::WakeListener;
use postroom_events::AccountId;
use postroom_store::{
    StoreError,
    leases::{self, AccountMark, Lease},
    work, workers,
};
use postroom_telemetry::names;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::held::{Ended, Held};
use crate::{Fetcher, fetcher::SERVICE};

/// Accounts taken by one query: a worker that starts among many takes its share in steps, so that the others get theirs.
const TAKEN_AT_ONCE: u64 = 100;
/// How long accounts may take to stop when this worker stops.
const STOP_TIME: Duration = Duration::from_secs(3);
/// How often the rows of held accounts are compared: what a lost wake-up costs at most.
const COMPARE_ROWS_EVERY: Duration = Duration::from_secs(3);

/// Holds accounts for as long as it runs.
pub struct Ownership {
    fetcher: Arc<Fetcher>,
    wakes: Box<dyn WakeListener>,
    bell: Arc<Notify>,
    held: HashMap<AccountId, Held>,
    tasks: JoinSet<(Lease, Ended)>,
    marks: HashMap<AccountId, AccountMark>,
    heartbeat_due: Instant,
    renewal_due: Instant,
    rows_due: Instant,
}

impl std::fmt::Debug for Ownership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ownership")
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl Ownership {
    /// `bell` is rung when an account may be waiting for a holder.
    pub fn new(fetcher: Arc<Fetcher>, wakes: Box<dyn WakeListener>, bell: Arc<Notify>) -> Self {
        let now = fetcher.store.clock().monotonic();
        Self {
            fetcher,
            wakes,
            bell,
            held: HashMap::new(),
            tasks: JoinSet::new(),
            marks: HashMap::new(),
            heartbeat_due: now,
            renewal_due: now,
            rows_due: now,
        }
    }

    /// Runs until `shutdown` is cancelled, then hands everything over.
    pub async fn run(mut self, shutdown: CancellationToken) {
        // Ten looks in the time of a lease, so that a dead worker's accounts are taken over soon after it runs out.
        let every =
            (self.fetcher.settings.lease / 10).clamp(Duration::from_millis(50), Duration::from_secs(1));
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let bell = Arc::clone(&self.bell);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = tick.tick() => self.step().await,
                () = bell.notified() => self.step().await,
                wake = self.wakes.next() => self.wake(wake.account_id),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended.map(|(_, ended)| ended)).await,
            }
        }
        self.stop().await;
    }

    fn now(&self) -> Instant {
        self.fetcher.store.clock().monotonic()
    }

    async fn step(&mut self) {
        if let Err(error) = self.try_step().await {
            tracing::warn!(%error, "Leases could not be looked after; trying again");
        }
        metrics::gauge!(names::LEASES_HELD).set(self.held.len() as f64);
    }

    async fn try_step(&mut self) -> Result<(), StoreError> {
        let fetcher = Arc::clone(&self.fetcher);
        let settings = fetcher.settings;
        let now = self.now();
        if now >= self.heartbeat_due {
            workers::heartbeat(&fetcher.store, fetcher.worker_id, SERVICE).await?;
            self.heartbeat_due = now + settings.renew_every();
        }
        if now >= self.renewal_due {
            self.renew().await?;
        }
        if now >= self.rows_due {
            self.compare_rows().await?;
            self.rows_due = now + COMPARE_ROWS_EVERY.min(settings.renew_every());
        }
        self.balance().await
    }

    /// Renews all leases. One that was not renewed is tried again with the next tick; its own deadline decides.
    async fn renew(&mut self) -> Result<(), StoreError> {
        let settings = self.fetcher.settings;
        let sent = self.now();
        let renewed = leases::renew(&self.fetcher.store, self.fetcher.worker_id, settings.lease).await?;
        let deadline = sent + settings.lease - settings.lease_margin();
        for lease in &renewed {
            if let Some(held) = self
                .held
                .get(&lease.account_id)
                .filter(|held| held.lease == *lease)
            {
                held.extend(deadline);
            }
        }
        // Renewed and not held: it could not be released when its account ended, and would be nobody's for ever.
        let strays: Vec<Lease> = renewed
            .iter()
            .filter(|lease| {
                self.held
                    .get(&lease.account_id)
                    .is_none_or(|held| held.lease != **lease)
            })
            .copied()
            .collect();
        leases::release(&self.fetcher.store, &strays).await?;
        if renewed.len() >= self.held.len() {
            self.renewal_due = sent + settings.renew_every();
        }
        Ok(())
    }

    /// Wakes the accounts whose rows say something new, or that have work.
    async fn compare_rows(&mut self) -> Result<(), StoreError> {
        if self.held.is_empty() {
            self.marks.clear();
            return Ok(());
        }
        let db = self.fetcher.store.read();
        let marks = leases::marks(db, self.fetcher.worker_id).await?;
        let accounts: Vec<_> = self.held.keys().copied().collect();
        let now = self.fetcher.store.clock().now();
        for account_id in work::accounts_with_due(db, &accounts, now).await? {
            self.wake(account_id);
        }
        let before = std::mem::take(&mut self.marks);
        for mark in marks {
            if before.get(&mark.account_id).is_none_or(|known| *known != mark) {
                self.wake(mark.account_id);
            }
            self.marks.insert(mark.account_id, mark);
        }
        Ok(())
    }

    /// Takes what is missing to the fair share, or lets go what is beyond it.
    async fn balance(&mut self) -> Result<(), StoreError> {
        let fetcher = Arc::clone(&self.fetcher);
        let settings = fetcher.settings;
        let db = fetcher.store.read();
        let needed = leases::count_needed(db).await?;
        // Two missed heartbeats, and it does not count any more.
        let alive = workers::count_alive(&fetcher.store, db, SERVICE, settings.lease).await?;
        let share = leases::fair_share(needed, alive);
        let held = self.held.values().filter(|held| !held.stopping()).count() as u64;
        if held > share {
            let beyond = usize::try_from(held - share).unwrap_or(usize::MAX);
            self.let_go(beyond);
        } else if held < share && leases::any_free(&fetcher.store).await? {
            let limit = (share - held).min(TAKEN_AT_ONCE);
            let sent = self.now();
            let taken = leases::acquire(&fetcher.store, fetcher.worker_id, limit, settings.lease).await?;
            let deadline = sent + settings.lease - settings.lease_margin();
            for lease in taken {
                self.begin(lease, deadline);
            }
        }
        Ok(())
    }

    fn begin(&mut self, lease: Lease, deadline: Instant) {
        tracing::info!(account.id = %lease.account_id, fencing = lease.fencing, "Looks after an account from now on");
        let (mut held, life) = Held::begin(Arc::clone(&self.fetcher), lease, deadline);
        held.task = Some(self.tasks.spawn(life).id());
        self.held.insert(lease.account_id, held);
    }

    fn let_go(&mut self, count: usize) {
        tracing::info!(count, "Hands accounts over: others have fewer");
        for held in self.held.values().filter(|held| !held.stopping()).take(count) {
            held.stop();
        }
    }

    fn wake(&self, account_id: AccountId) {
        match self.held.get(&account_id) {
            Some(held) => held.wake(),
            None => self.bell.notify_one(),
        }
    }

    /// An account's life ended: its lease is free for others at once.
    async fn ended(&mut self, ended: Result<(Lease, Ended), tokio::task::JoinError>) {
        let (lease, why) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "The task of an account was lost");
                let task = error.id();
                match self.held.values().find(|held| held.task == Some(task)) {
                    Some(held) => (held.lease, Ended::Stopped),
                    None => return,
                }
            }
        };
        tracing::info!(account.id = %lease.account_id, fencing = lease.fencing, ?why, "Looks after an account no more");
        if self
            .held
            .get(&lease.account_id)
            .is_some_and(|held| held.lease == lease)
        {
            self.held.remove(&lease.account_id);
            self.marks.remove(&lease.account_id);
        }
        if let Err(error) = leases::release(&self.fetcher.store, &[lease]).await {
            tracing::warn!(%error, account.id = %lease.account_id, "A lease could not be released; it runs out by itself");
        }
    }

    /// Hands everything over: stop the accounts, then free their leases.
    async fn stop(mut self) {
        for held in self.held.values() {
            held.stop();
        }
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, all_ended).await.is_err() {
            self.tasks.shutdown().await;
        }
        let leases: Vec<_> = self.held.values().map(|held| held.lease).collect();
        let store = &self.fetcher.store;
        if let Err(error) = leases::release(store, &leases).await {
            tracing::warn!(%error, "Leases could not be released; they run out by themselves");
        }
        if let Err(error) = workers::leave(store, self.fetcher.worker_id).await {
            tracing::warn!(%error, "This worker could not be signed off; the others notice soon");
        }
        tracing::info!(accounts = leases.len(), "Handed all accounts over");
    }
}
