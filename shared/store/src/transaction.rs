//! Named transactions, and on SQLite the group commit behind them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use postroom_events::{AccountId, Consumer};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot};
use tracing::Instrument;

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
    due: Arc<Mutex<Committed>>,
    level: Arc<Level>,
}

/// One level of a transaction, shared with the levels within it: it stays open while any of them is.
struct Level {
    /// Declared first, so that it is rolled back before whatever it lies in is let go.
    inner: DatabaseTransaction,
    within: Within,
    /// A level within it failed to begin, which can take this one back: see [`Tx::savepoint`].
    spoiled: AtomicBool,
}

/// What a level lies in.
enum Within {
    /// Nothing: a transaction of its own.
    Nothing,
    /// A group that is committed together.
    Group(OwnedMutexGuard<Writer>),
    /// Another level.
    Level { _outer: Arc<Level> },
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
        let (inner, within) = match &store.shared.sqlite_writer {
            None => (store.shared.reader.begin().await?, Within::Nothing),
            Some(writer) => {
                let (inner, guard) = SqliteWriter::join(writer).await?;
                (inner, Within::Group(guard))
            }
        };
        Ok(Self::at(store, name, Arc::default(), inner, within))
    }

    fn at(
        store: Store,
        name: &'static str,
        due: Arc<Mutex<Committed>>,
        inner: DatabaseTransaction,
        within: Within,
    ) -> Self {
        let level = Level {
            inner,
            within,
            spoiled: AtomicBool::new(false),
        };
        Self {
            store,
            name,
            begun: Instant::now(),
            due,
            level: Arc::new(level),
        }
    }

    /// A savepoint: what is done in it can be taken back without taking back the rest. Commit it to keep it. After an
    /// error, or when it was cancelled half-way, the transaction cannot be committed any more.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn savepoint(&self) -> Result<Self, StoreError> {
        let outer = Arc::clone(&self.level);
        let (inner, outer) = unless_cancelled(async move {
            let inner = outer.inner.begin().await;
            if inner.is_err() {
                outer.spoiled.store(true, Ordering::Release);
            }
            Ok((inner?, outer))
        })
        .await?;
        let due = Arc::clone(&self.due);
        let within = Within::Level { _outer: outer };
        Ok(Self::at(self.store.clone(), self.name, due, inner, within))
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
            due,
            level,
        } = self;
        let Some(Level {
            inner,
            within,
            spoiled,
        }) = Arc::into_inner(level)
        else {
            return Err(StoreError::Transaction("a savepoint of it is still open"));
        };
        if spoiled.into_inner() {
            return Err(StoreError::Transaction("a savepoint of it failed to begin"));
        }
        inner.commit().await?;
        match within {
            Within::Level { .. } => return Ok(()),
            Within::Nothing => {}
            Within::Group(mut writer) => {
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
        &self.level.inner
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

impl Group {
    async fn open(connection: &DatabaseConnection) -> Result<Self, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let outer = connection.begin_with_options(options).await?;
        outer.execute_unprepared(MARK).await?;
        Ok(Self {
            outer,
            members: Vec::new(),
        })
    }

    async fn commit(outer: DatabaseTransaction) -> Result<(), DbErr> {
        outer.execute_unprepared(RELEASE_MARK).await?;
        outer.commit().await
    }
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
        let result = Group::commit(outer).await;
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
        // Whoever is cancelled in the queue just leaves it.
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let queue = Arc::clone(&self.writer);
        let connection = self.connection.clone();
        unless_cancelled(async move {
            if writer.group.is_none() {
                writer.group = Some(Group::open(&connection).await?);
                tokio::spawn(async move { queue.lock().await.commit_group().await });
            }
            match &writer.group {
                Some(group) => {
                    let member = group.outer.begin().await?;
                    Ok((member, writer))
                }
                None => Err(group_lost()),
            }
        })
        .await
    }
}

/// A savepoint around a whole group, of which the driver knows nothing. The driver answers a COMMIT with Ok when its
/// transaction was rolled back under it; releasing the mark then fails, so nobody is told that such a group is on disk.
const MARK: &str = "SAVEPOINT postroom_group";
const RELEASE_MARK: &str = "RELEASE postroom_group";

/// Runs something to its end even if the caller is cancelled.
///
/// A BEGIN that is cancelled between the driver and SeaORM is rolled back twice, the second time at the cost of the
/// level around it: on SQLite a whole group. What nobody waits for any more is dropped when it is done, at its own depth.
async fn unless_cancelled<T: Send + 'static>(
    begin: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(begin.in_current_span()).await {
        Ok(result) => result,
        Err(_) => Err(group_lost()),
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
