//! What account-manager tidies up by itself: what was to be erased is gone within the hour, from the database's own files
//! too, and what has ended is forgotten. Several processes may do it at once.

use std::time::Duration;

use postroom_store::{Store, StoreError, authorization_requests, erasure, packs::Packs, sessions};
use tokio_util::sync::CancellationToken;

/// How often there is a look for something to erase.
const ROUND: Duration = Duration::from_secs(60);
/// Every so many rounds what is slow is done: a look at every object, SQLite's file written anew.
const ROUNDS_TO_SLOW: u32 = 30;
/// Accounts and packs of one round.
const AT_ONCE: u64 = 50;

/// Runs until `shutdown` is cancelled. A round that fails is repeated by the next one.
pub(crate) async fn run(store: &Store, packs: &Packs, shutdown: CancellationToken) {
    let mut house = House {
        store,
        packs,
        round: 0,
        to_rebuild: false,
    };
    loop {
        let round = async {
            if let Err(error) = house.round().await {
                tracing::warn!(%error, "Tidying up failed; the next round repeats it");
            }
            tokio::time::sleep(ROUND).await;
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = round => {}
        }
    }
}

struct House<'p> {
    store: &'p Store,
    packs: &'p Packs,
    round: u32,
    /// Erased rows may linger in pages of the file.
    to_rebuild: bool,
}

impl House<'_> {
    async fn round(&mut self) -> Result<(), StoreError> {
        let slow = self.round.is_multiple_of(ROUNDS_TO_SLOW);
        self.round = self.round.wrapping_add(1);
        self.forget_ended().await?;
        let accounts = erasure::purge_accounts(self.store, self.packs, AT_ONCE).await?;
        let messages = erasure::erase_messages(self.store, self.packs, AT_ONCE).await?;
        if accounts + messages > 0 {
            tracing::info!(accounts, messages, "Erased what was to be erased");
            self.to_rebuild = true;
            erasure::sweep_database(self.store, false).await?;
        }
        if slow {
            self.slow().await?;
        }
        Ok(())
    }

    async fn slow(&mut self) -> Result<(), StoreError> {
        let orphans = erasure::collect_orphans(self.store, self.packs).await?;
        if orphans > 0 {
            tracing::info!(orphans, "Deleted objects that no row names");
        }
        if self.to_rebuild {
            self.to_rebuild = !erasure::sweep_database(self.store, true).await?;
        }
        Ok(())
    }

    async fn forget_ended(&self) -> Result<(), StoreError> {
        let tx = self.store.begin("sessions.forget_ended").await?;
        sessions::forget_ended(&tx).await?;
        authorization_requests::forget_ended(&tx).await?;
        tx.commit().await
    }
}
