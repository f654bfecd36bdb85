//! What account-manager tidies up by itself: what was to be erased is gone within the hour, from the database's own files
//! too, and what has ended or is old is forgotten. Several processes may do it at once.

use std::time::Duration;

use postroom_store::{Store, StoreError, authorization_requests, erasure, packs::Packs, retention, sessions};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often there is a look for something to do.
const ROUND: Duration = Duration::from_secs(60);
/// Every so many rounds what is slow is done: a look at every object, SQLite's file written anew.
const ROUNDS_TO_SLOW: u32 = 30;
/// Accounts or packs that are looked up at once.
const AT_ONCE: u64 = 50;
/// Objects that are deleted at once.
const OBJECTS_AT_ONCE: u64 = 1000;
/// Rows of each table that one round forgets at most: those of 28 million a day.
const ROWS_PER_ROUND: u64 = 20_000;

/// Runs until `shutdown` is cancelled. What fails is done again by the next round. Events, and how they were handled, are
/// kept for `event_retention`.
pub(crate) async fn run(
    store: &Store,
    packs: &Packs,
    event_retention: Duration,
    shutdown: CancellationToken,
) {
    let mut house = House {
        store,
        packs,
        event_retention,
        rounds_to_slow: 0,
        to_sweep: false,
    };
    loop {
        let round = async {
            house.round().await;
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
    event_retention: Duration,
    rounds_to_slow: u32,
    /// The database's file is to be swept, as soon as no reader stands in the way.
    to_sweep: bool,
}

impl House<'_> {
    /// Each step is done whatever became of those before it. The database's own come first, because an object store that is
    /// down is waited for.
    async fn round(&mut self) {
        let (store, packs) = (self.store, self.packs);
        let slow = self.rounds_to_slow == 0;
        self.rounds_to_slow = self.rounds_to_slow.checked_sub(1).unwrap_or(ROUNDS_TO_SLOW - 1);
        done("forget what has ended", self.forget_ended().await);
        done("forget what is old", self.forget_old(slow).await);
        self.erase().await;
        if slow {
            let orphans = erasure::collect_orphans(store, packs).await;
            if let Some(orphans @ 1..) = done("collect objects that no row names", orphans) {
                tracing::info!(orphans, "Deleted objects that no row names");
            }
        }
        self.to_sweep |= slow;
        if self.to_sweep {
            let swept = erasure::sweep_database(store).await;
            self.to_sweep = done("sweep the database's file", swept) != Some(true);
        }
    }

    /// Goes on as long as there is something to erase, for one round at most. Objects come first: whoever noted that they are
    /// to be deleted was perhaps killed.
    async fn erase(&self) {
        let (store, packs) = (self.store, self.packs);
        let (mut accounts, mut messages) = (0, 0);
        let began = Instant::now();
        while began.elapsed() < ROUND {
            let deleted = erasure::delete_erased_packs(store, packs, OBJECTS_AT_ONCE).await;
            done("delete erased packs", deleted);
            let purged = erasure::purge_accounts(store, packs, AT_ONCE).await;
            let purged = done("erase accounts", purged).unwrap_or_default();
            let erased = erasure::erase_messages(store, packs, AT_ONCE).await;
            let erased = done("erase messages", erased).unwrap_or_default();
            if purged + erased == 0 {
                break;
            }
            accounts += purged;
            messages += erased;
        }
        if accounts + messages > 0 {
            tracing::info!(accounts, messages, "Erased what was to be erased");
        }
    }

    async fn forget_ended(&self) -> Result<(), StoreError> {
        let tx = self.store.begin("sessions.forget_ended").await?;
        sessions::forget_ended(&tx).await?;
        authorization_requests::forget_ended(&tx).await?;
        tx.commit().await
    }

    async fn forget_old(&self, slow: bool) -> Result<(), StoreError> {
        let now = self.store.now(self.store.read()).await?;
        if slow {
            let partitions = retention::keep_partitions(self.store, now, self.event_retention).await;
            done("keep the event log's partitions", partitions);
        }
        let rows = retention::forget_old_rows(self.store, now, self.event_retention, ROWS_PER_ROUND).await?;
        if rows > 0 {
            tracing::info!(rows, "Forgot what is old");
        }
        Ok(())
    }
}

/// The result of a step, or `None` when it failed: logged, and left to the next round.
fn done<T>(step: &'static str, result: Result<T, StoreError>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!(step, %error, "Tidying up failed; the next round tries again"))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use postroom_crypto::new_token;
    use postroom_events::AccountId;
    use postroom_retry::{Clock, ManualClock, SystemClock};
    use postroom_store::{ConnectionTrait, StoreConfig, packs::PackBuilder, tenants};
    use tempfile::TempDir;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A database with a session that has ended, and an old object that no row names.
    struct ToTidy {
        store: Store,
        packs: Packs,
        mail: PathBuf,
        _directory: TempDir,
    }

    impl ToTidy {
        async fn new() -> Self {
            let directory = TempDir::new().unwrap();
            let mail = directory.path().join("mail");
            let clock = ManualClock::new(SystemClock.now());
            let config = StoreConfig::embedded(directory.path().join("postroom.sqlite"));
            let store = Store::open(&config, Arc::new(clock.clone())).await.unwrap();
            store.migrate().await.unwrap();
            let packs = Packs::in_directory(&mail).unwrap();
            let mut pack = PackBuilder::new().unwrap();
            pack.add(b"mail").unwrap();
            packs.put(AccountId::generate(), pack).await.unwrap();
            let (_, digest) = new_token("test").unwrap();
            let tx = store.begin("test.session").await.unwrap();
            let tenant = tenants::create(&tx, "Test").await.unwrap();
            sessions::start(&tx, tenant.id, "u1", digest, String::new(), DAY)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            clock.advance(2 * DAY);
            Self {
                store,
                packs,
                mail,
                _directory: directory,
            }
        }

        fn house(&self) -> House<'_> {
            House {
                store: &self.store,
                packs: &self.packs,
                event_retention: 90 * DAY,
                rounds_to_slow: 0,
                to_sweep: false,
            }
        }

        async fn ended_sessions(&self) -> u64 {
            let tx = self.store.begin("test.count").await.unwrap();
            sessions::forget_ended(&tx).await.unwrap()
        }

        fn objects(&self) -> usize {
            let accounts = std::fs::read_dir(&self.mail).unwrap();
            accounts
                .map(|account| std::fs::read_dir(account.unwrap().path()).unwrap().count())
                .sum()
        }
    }

    #[tokio::test]
    async fn an_object_store_that_is_down_keeps_nothing_else_from_being_done() {
        let to_tidy = ToTidy::new().await;
        assert_eq!(to_tidy.ended_sessions().await, 1);
        let aside = to_tidy.mail.with_extension("aside");
        std::fs::rename(&to_tidy.mail, &aside).unwrap();
        std::fs::write(&to_tidy.mail, "not a directory").unwrap();
        let mut house = to_tidy.house();
        house.round().await;
        assert_eq!(to_tidy.ended_sessions().await, 0);
        std::fs::remove_file(&to_tidy.mail).unwrap();
        std::fs::rename(&aside, &to_tidy.mail).unwrap();
        assert_eq!(to_tidy.objects(), 1);
        for _ in 0..ROUNDS_TO_SLOW {
            house.round().await;
        }
        assert_eq!(to_tidy.objects(), 0);
    }

    #[tokio::test]
    async fn a_step_that_fails_does_not_keep_those_after_it_from_being_done() {
        let to_tidy = ToTidy::new().await;
        let tx = to_tidy.store.begin("test.break").await.unwrap();
        for table in ["web_sessions", "processed_events", "erased_packs"] {
            let text = format!("drop table {table}");
            tx.db().execute_unprepared(&text).await.unwrap();
        }
        tx.commit().await.unwrap();
        to_tidy.house().round().await;
        assert_eq!(to_tidy.objects(), 0);
    }
}
