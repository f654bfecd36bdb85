//! What a service is made of: the one place where store and bus meet.

use std::sync::Arc;

use postroom_bus::{Bus, EmbeddedBus, EmbeddedConfig, RabbitMqBus, RabbitMqConfig};
use postroom_crypto::KeyRing;
use postroom_events::WorkerId;
use postroom_retry::{Clock, SystemClock};
use postroom_store::{EventDelivery, Store, StoreConfig, packs::Packs};
use tokio_util::sync::CancellationToken;

use crate::{Mode, Settings, StartError, health::Health, queue_rows::QueueRows, wakes};

/// What a service is made of. One process has one, however many services run in it.
pub struct Parts {
    /// What the operator configured.
    pub settings: Settings,
    /// Which of the two ways this process runs.
    pub mode: Mode,
    /// The database.
    pub store: Store,
    /// Raw mail.
    pub packs: Packs,
    /// The event bus.
    pub bus: Arc<dyn Bus>,
    /// What seals secrets at rest.
    pub keys: Arc<KeyRing>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// This process.
    pub worker_id: WorkerId,
    /// Cancelled when this process is to stop.
    pub shutdown: CancellationToken,
    /// Whether this process is well and ready.
    pub health: Health,
    /// Rung after a commit that left rows in the outbox.
    pub outbox_bell: Arc<tokio::sync::Notify>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("mode", &self.mode)
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

impl Parts {
    /// Opens everything that the settings name. The embedded database is brought up to date; a shared one must have
    /// been (`postroom migrate`).
    ///
    /// # Errors
    /// When something cannot be opened, with the setting that names it.
    pub async fn assemble(settings: Settings, shutdown: CancellationToken) -> Result<Arc<Self>, StartError> {
        let mode = settings.mode()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        prepare_data_dir(&settings)?;
        let keys = Arc::new(load_keys(&settings, mode)?);
        let store = open_store(&settings, mode, Arc::clone(&clock)).await?;
        let packs = open_packs(&settings, mode)?;
        let worker_id = WorkerId::generate();
        let bus = connect_bus(&settings, mode, &store).await?;
        let outbox_bell = Arc::new(tokio::sync::Notify::new());
        let listener = wakes::listener(
            &store,
            &bus,
            worker_id,
            Arc::clone(&outbox_bell),
            shutdown.clone(),
        );
        store.on_commit(listener);
        let health = Health::new(store.clone(), Arc::clone(&bus));
        Ok(Arc::new(Self {
            settings,
            mode,
            store,
            packs,
            bus,
            keys,
            clock,
            worker_id,
            shutdown,
            health,
            outbox_bell,
        }))
    }
}

fn prepare_data_dir(settings: &Settings) -> Result<(), StartError> {
    let directory = &settings.data_dir;
    std::fs::create_dir_all(directory).map_err(|error| {
        StartError::Configuration(format!(
            "The data directory {} cannot be made: {error}. Name a directory that this user may write to with --data-dir.",
            directory.display()
        ))
    })?;
    restrict(directory)
}

/// Only the owner may look into the data directory: it holds mail and the key to the secrets.
#[cfg(unix)]
fn restrict(directory: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700)).map_err(|error| {
        StartError::Configuration(format!(
            "The data directory {} cannot be closed to others: {error}.",
            directory.display()
        ))
    })
}

#[cfg(not(unix))]
fn restrict(_: &std::path::Path) -> Result<(), StartError> {
    Ok(())
}

fn load_keys(settings: &Settings, mode: Mode) -> Result<KeyRing, StartError> {
    match (&settings.secret_keys, mode) {
        (Some(list), _) => Ok(KeyRing::from_list(list)?),
        (None, Mode::Embedded) => Ok(KeyRing::load_or_create(&settings.data_dir.join("secret.key"))?),
        (None, Mode::Distributed) => Err(StartError::Configuration(
            "POSTROOM_SECRET_KEYS is not set. Every process must seal secrets with the same keys: make one with \
             `postroom keys new` and give it to all of them."
                .into(),
        )),
    }
}

async fn open_store(settings: &Settings, mode: Mode, clock: Arc<dyn Clock>) -> Result<Store, StartError> {
    let delivery = match mode {
        Mode::Embedded => EventDelivery::Queues,
        Mode::Distributed => EventDelivery::Outbox,
    };
    let config = StoreConfig {
        url: settings.database(),
        delivery,
        max_connections: settings.database_connections,
    };
    let store = Store::open(&config, clock).await?;
    if mode == Mode::Embedded {
        store.migrate().await?;
    } else if let [first, ..] = store.pending_migrations().await?.as_slice() {
        return Err(StartError::Configuration(format!(
            "The database is older than this program: step {first} has not been run. Run `postroom migrate` with the same \
             database URL, then start again."
        )));
    }
    Ok(store)
}

fn open_packs(settings: &Settings, mode: Mode) -> Result<Packs, StartError> {
    match (&settings.objects_url, mode) {
        (Some(url), _) => Ok(Packs::open(url.as_str())?),
        (None, Mode::Embedded) => Ok(Packs::in_directory(&settings.data_dir.join("mail"))?),
        (None, Mode::Distributed) => Err(StartError::Configuration(
            "POSTROOM_OBJECTS_URL is not set. Every process must reach the same stored mail: name an S3 bucket \
             (s3://BUCKET/PREFIX) or a shared directory (file:///DIRECTORY)."
                .into(),
        )),
    }
}

async fn connect_bus(settings: &Settings, mode: Mode, store: &Store) -> Result<Arc<dyn Bus>, StartError> {
    match (mode, &settings.amqp_url) {
        (Mode::Distributed, Some(url)) => {
            let mut config = RabbitMqConfig::new(url.clone());
            config.authority_pem = settings.ca_file.as_deref().map(read_authorities).transpose()?;
            Ok(Arc::new(RabbitMqBus::connect(config).await?))
        }
        _ => {
            let rows = Arc::new(QueueRows::new(store.clone()));
            Ok(Arc::new(
                EmbeddedBus::open(rows, EmbeddedConfig::default()).await?,
            ))
        }
    }
}

fn read_authorities(file: &std::path::Path) -> Result<String, StartError> {
    std::fs::read_to_string(file).map_err(|error| {
        StartError::Configuration(format!(
            "The certificate authorities in {} cannot be read: {error}. Check --ca-file.",
            file.display()
        ))
    })
}
