//! Opening the database, and what differs between the two.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use postroom_migrations::{Migrator, MigratorTrait};
use postroom_retry::Clock;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    StoreError,
    transaction::{Committed, SqliteWriter, Tx},
};

/// Which database is behind a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file, one process.
    Sqlite,
    /// A server, many processes.
    Postgres,
}

/// Where events go when they are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventDelivery {
    /// Straight into the queue tables of the embedded bus.
    Queues,
    /// Into the outbox, from where the relay publishes them to RabbitMQ.
    Outbox,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:PATH` or `postgres://...`.
    pub url: String,
    /// Where appended events go.
    pub delivery: EventDelivery,
    /// Connections at most (PostgreSQL), readers at most (SQLite).
    pub max_connections: u32,
}

impl StoreConfig {
    /// The embedded store in a file.
    pub fn embedded(file: PathBuf) -> Self {
        Self {
            url: format!("sqlite:{}", file.display()),
            delivery: EventDelivery::Queues,
            max_connections: 4,
        }
    }
}

/// Is told after each commit what became due by it.
pub type CommitListener = Arc<dyn Fn(&Committed) + Send + Sync>;

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) reader: DatabaseConnection,
    pub(crate) sqlite_writer: Option<SqliteWriter>,
    pub(crate) delivery: EventDelivery,
    pub(crate) clock: Arc<dyn Clock>,
    listener: OnceLock<CommitListener>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("backend", &self.backend())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a database that is migrated already.
    ///
    /// # Errors
    /// When it cannot be reached, or the URL is neither SQLite's nor PostgreSQL's.
    pub async fn open(config: &StoreConfig, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let (reader, sqlite_writer) = if config.url.starts_with("sqlite:") {
            let writer = connect_sqlite(&config.url, 1).await?;
            let reader = connect_sqlite(&config.url, config.max_connections.max(1)).await?;
            (reader, Some(SqliteWriter::new(writer)))
        } else if config.url.starts_with("postgres:") || config.url.starts_with("postgresql:") {
            (connect_postgres(&config.url, config.max_connections).await?, None)
        } else {
            return Err(StoreError::Configuration(
                "the database URL must begin with sqlite: or postgres:, for example postgres://user@host/postroom".into(),
            ));
        };
        Ok(Self {
            shared: Arc::new(Shared {
                reader,
                sqlite_writer,
                delivery: config.delivery,
                clock,
                listener: OnceLock::new(),
            }),
        })
    }

    /// Brings the database to what this version expects. Returns the names of the steps that were run. Services never
    /// call it on a shared database: there it is a job of its own (`postroom migrate`), run by one process.
    ///
    /// # Errors
    /// When a step fails; the steps before it stay.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let connection = match &self.shared.sqlite_writer {
            Some(writer) => writer.connection(),
            None => &self.shared.reader,
        };
        let names: Vec<_> = Migrator::get_pending_migrations(connection)
            .await?
            .iter()
            .map(|step| step.name().to_owned())
            .collect();
        Migrator::up(connection, None).await?;
        Ok(names)
    }

    /// Steps that have not been run yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let pending = Migrator::get_pending_migrations(&self.shared.reader).await?;
        Ok(pending.iter().map(|step| step.name().to_owned()).collect())
    }

    /// Which database this is.
    pub fn backend(&self) -> Backend {
        backend_of(&self.shared.reader)
    }

    /// Where appended events go.
    pub fn delivery(&self) -> EventDelivery {
        self.shared.delivery
    }

    /// The clock that this store stamps rows with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// A connection for reading, beside any transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.shared.reader
    }

    /// Begins a transaction. The name is for people: it stands in traces and in the log of slow transactions.
    ///
    /// On SQLite there is one writer; transactions that wait for it are committed together (one sync of the disk for
    /// many), each in a savepoint of its own.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self, name: &'static str) -> Result<Tx, StoreError> {
        Tx::begin(self.clone(), name).await
    }

    /// The time by the database's clock: leases are judged by no other.
    ///
    /// SQLite has one process, whose clock it is.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn now(&self, db: &impl ConnectionTrait) -> Result<DateTime<Utc>, StoreError> {
        match self.backend() {
            Backend::Sqlite => Ok(self.shared.clock.now()),
            Backend::Postgres => {
                let statement =
                    Statement::from_string(DbBackend::Postgres, "select clock_timestamp() as now");
                let row = db.query_one_raw(statement).await?;
                let row = row.ok_or_else(|| StoreError::not_found("answer to", "clock_timestamp()"))?;
                Ok(row.try_get("", "now")?)
            }
        }
    }

    /// Names who is told after each commit what became due. The first one named stays.
    pub fn on_commit(&self, listener: CommitListener) {
        if self.shared.listener.set(listener).is_err() {
            tracing::warn!("A second commit listener was offered and is ignored");
        }
    }

    pub(crate) fn announce(&self, committed: &Committed) {
        if let Some(listener) = self.shared.listener.get() {
            listener(committed);
        }
    }
}

/// Which database a connection speaks to.
pub(crate) fn backend_of(db: &impl ConnectionTrait) -> Backend {
    match db.get_database_backend() {
        DbBackend::Postgres => Backend::Postgres,
        _ => Backend::Sqlite,
    }
}

async fn connect_sqlite(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(format!("{url}?mode=rwc"));
    options
        .sqlx_logging(false)
        .max_connections(connections)
        .min_connections(1);
    // Connections are few and local; closing idle ones would only throw their statement caches away.
    options
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false);
    options.map_sqlx_sqlite_opts(|options| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was reported survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30))
            // Erased mail must not linger in free pages.
            .pragma("secure_delete", "on")
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-8000")
            .pragma("journal_size_limit", "67108864")
    });
    Ok(Database::connect(options).await?)
}

async fn connect_postgres(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .sqlx_logging(false)
        .max_connections(connections)
        .min_connections(0);
    options
        .acquire_timeout(Duration::from_secs(15))
        .connect_timeout(Duration::from_secs(10));
    // A server that was restarted leaves dead connections behind: ask before one is used, unless it was just in use.
    options.test_before_acquire(true);
    Ok(Database::connect(options).await?)
}
