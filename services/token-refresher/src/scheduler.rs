//! Announces grants whose access token nears its end. Any number of schedulers may run: each takes other rows.

use std::time::Duration;

use postroom_events::{Event, EventMetadata, GrantId, TokenExpiring};
use postroom_retry::clock::plus;
use postroom_store::{Grant, StoreError, Tx, events, refreshes};
use tokio_util::sync::CancellationToken;

use crate::{Refresher, refresher::SERVICE, schedule};

/// Announces due grants.
#[derive(Debug)]
pub(crate) struct Scheduler {
    refresher: Refresher,
}

impl Scheduler {
    pub(crate) fn new(refresher: Refresher) -> Self {
        Self { refresher }
    }

    /// Runs until `shutdown` is cancelled.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let wait = match self.announce_due().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "Due grants cannot be read; trying again");
                    self.refresher.settings().look_every
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Announces one batch of what is due. Gives how long there is nothing more to do.
    async fn announce_due(&self) -> Result<Duration, StoreError> {
        let store = self.refresher.store();
        let settings = self.refresher.settings();
        // Asked first, because taking writes, and mostly nothing is due.
        let Some(due) = refreshes::next_due(store.read()).await? else {
            return Ok(settings.look_every);
        };
        // The database's clock alone says what is due: a worker whose own clock is wrong does no harm.
        let now = store.now(store.read()).await?;
        if due > now {
            let wait = (due - now).to_std().unwrap_or_default();
            return Ok(wait.min(settings.look_every));
        }
        let tx = store.begin("refreshes.announce").await?;
        let taken = refreshes::take_due(&tx, settings.batch).await?;
        let count = taken.len() as u64;
        self.announce(&tx, taken).await?;
        tx.commit().await?;
        Ok(match count {
            0 => settings.look_every, // another scheduler has just taken what was due
            _ => Duration::ZERO,
        })
    }

    async fn announce(&self, tx: &Tx, due: Vec<Grant>) -> Result<(), StoreError> {
        let settings = self.refresher.settings();
        let now = tx.store().now(tx.db()).await?;
        let ids: Vec<_> = due.iter().map(|grant| grant.id).collect();
        let in_use = refreshes::in_use(tx.db(), &ids).await?;
        let (announced, waiting): (Vec<_>, Vec<_>) = due.into_iter().partition(|grant| {
            in_use.contains(&grant.id)
                || schedule::unused_is_due(now, grant.updated_at, settings.unused_refresh_every)
        });
        let waiting: Vec<GrantId> = waiting.iter().map(|grant| grant.id).collect();
        if !waiting.is_empty() {
            refreshes::set_due(tx, &waiting, plus(now, settings.unused_look_every)).await?;
        }
        tracing::debug!(
            announced = announced.len(),
            waiting = waiting.len(),
            "Announces due grants"
        );
        events::append_each(tx, announced.iter().map(expiring).collect()).await?;
        Ok(())
    }
}

/// Each refresh is a story of its own.
fn expiring(grant: &Grant) -> (EventMetadata, Event) {
    let event = TokenExpiring {
        grant_id: grant.id,
        token_version: grant.token_version,
        expires_at: grant.access_expires_at,
    };
    (EventMetadata::started_by(SERVICE, grant.tenant_id), event.into())
}
