//! Named transactions, and on SQLite the group commit behind them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use postroom_events::{AccountId, Consumer};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot};

use crate::{Store, StoreError};

/// A transaction that takes longer than this is worth a line in the log.
const SLOW: Duration = Duration::from_secs(2);

/// What became due by a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Consumers whose embedded queue has new deliveries.
    pub queues: BTreeSet<Consumer>,
    /// Whether the outbox has new rows.
    pub outbox: bool,
    /// Accounts whose lease holder has new work.
    pub accounts: BTreeSet<AccountId>,
}

impl Committed {
    fn is_empty(&self) -> bool {
        self.queues.is_empty() && !self.outbox && self.accounts.is_empty()
    }
}

/// An open transaction. Dropped without [`Tx::commit`], it is rolled back.
pub struct Tx {
    store: Store,
    name: &'static str,
    begun: Instant,
    inner: DatabaseTransaction,
    due: Arc<Mutex<Committed>>,
    kind: Kind,
}

enum Kind {
    /// A transaction of its own.
    Alone,
    /// A savepoint in a group that is committed together.
    Grouped(OwnedMutexGuard<Writer>),
    /// A savepoint within another `Tx`.
    Savepoint,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tx {
    pub(crate) async fn begin(store: Store, name: &'static str) -> Result<Self, StoreError> {
        let (inner, kind) = match &store.shared.sqlite_writer {
            None => (store.shared.reader.begin().await?, Kind::Alone),
            Some(writer) => {
                let (inner, guard) = writer.join().await?;
                (inner, Kind::Grouped(guard))
            }
        };
        Ok(Self {
            store,
            name,
            begun: Instant::now(),
            inner,
            due: Arc::default(),
            kind,
        })
    }

    /// A savepoint: what is done in it can be taken back without taking back the rest. Commit it to keep it.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn savepoint(&self) -> Result<Self, StoreError> {
        Ok(Self {
            store: self.store.clone(),
            name: self.name,
            begun: Instant::now(),
            inner: self.inner.begin().await?,
            due: Arc::clone(&self.due),
            kind: Kind::Savepoint,
        })
    }

    /// Commits. When this returns `Ok`, the transaction is on disk (a savepoint: is part of its transaction).
    ///
    /// # Errors
    /// When the database refuses or cannot be reached. Then it is not known whether the transaction is on disk: what
    /// follows must be right in both cases.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self {
            store,
            name,
            begun,
            inner,
            due,
            kind,
        } = self;
        inner.commit().await?;
        match kind {
            Kind::Savepoint => return Ok(()),
            Kind::Alone => {}
            Kind::Grouped(mut writer) => {
                let done = writer.add_member();
                drop(writer);
                done.await.map_err(|_| group_lost())??;
            }
        }
        let took = begun.elapsed();
        if took > SLOW {
            tracing::warn!(
                transaction = name,
                took_ms = took.as_millis(),
                "A transaction was slow"
            );
        }
        let due = std::mem::take(&mut *due.lock().unwrap_or_else(PoisonError::into_inner));
        if !due.is_empty() {
            store.announce(&due);
        }
        Ok(())
    }

    /// The connection of this transaction, for queries.
    pub fn db(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// The store it belongs to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Notes that the holder of an account has new work once this is committed.
    pub fn wake_account(&self, account_id: AccountId) {
        self.note(|due| {
            due.accounts.insert(account_id);
        });
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut Committed)) {
        change(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The one writer of a SQLite database.
///
/// Whoever opens a group also starts its leader: a task that queues for the writer behind everybody who waits already,
/// and then commits the group. So a group is as large as the crowd, a lone transaction is committed at once, and a
/// caller that is cancelled half-way leaves nobody waiting.
pub(crate) struct SqliteWriter {
    connection: DatabaseConnection,
    writer: Arc<AsyncMutex<Writer>>,
}

#[derive(Default)]
pub(crate) struct Writer {
    group: Option<Group>,
}

struct Group {
    outer: DatabaseTransaction,
    members: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl Writer {
    /// Waits for the commit of the group as one of its members.
    fn add_member(&mut self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (sender, receiver) = oneshot::channel();
        if let Some(group) = &mut self.group {
            group.members.push(sender);
        }
        receiver
    }

    async fn commit_group(&mut self) {
        let Some(Group { outer, members }) = self.group.take() else {
            return;
        };
        let result = outer.commit().await;
        for member in members {
            let told = match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(StoreError::Database(error.clone())),
            };
            // A member that was cancelled does not listen any more.
            let _ = member.send(told);
        }
    }
}

impl SqliteWriter {
    pub(crate) fn new(connection: DatabaseConnection) -> Self {
        Self {
            connection,
            writer: Arc::default(),
        }
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// The writer outside any transaction, for maintenance: whatever group is open is committed first, and nobody
    /// writes while the guard lives.
    pub(crate) async fn alone(&self) -> WriterAlone<'_> {
        let mut guard = Arc::clone(&self.writer).lock_owned().await;
        guard.commit_group().await;
        WriterAlone {
            connection: &self.connection,
            _guard: guard,
        }
    }

    /// Joins the open group, or opens one.
    async fn join(&self) -> Result<(DatabaseTransaction, OwnedMutexGuard<Writer>), StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        if writer.group.is_none() {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            let outer = self.connection.begin_with_options(options).await?;
            writer.group = Some(Group {
                outer,
                members: Vec::new(),
            });
            let queue = Arc::clone(&self.writer);
            tokio::spawn(async move { queue.lock().await.commit_group().await });
        }
        match &writer.group {
            Some(group) => {
                let savepoint = group.outer.begin().await?;
                Ok((savepoint, writer))
            }
            None => Err(group_lost()),
        }
    }
}

/// The writer's connection while nobody else writes.
pub(crate) struct WriterAlone<'a> {
    connection: &'a DatabaseConnection,
    _guard: OwnedMutexGuard<Writer>,
}

impl WriterAlone<'_> {
    pub(crate) fn connection(&self) -> &DatabaseConnection {
        self.connection
    }
}

fn group_lost() -> StoreError {
    StoreError::Configuration(
        "the writer of the database stopped before it said whether the commit succeeded".into(),
    )
}
