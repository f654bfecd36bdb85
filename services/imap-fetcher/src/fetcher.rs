//! What all accounts of this process share.

use std::{fmt, sync::Arc};

use postroom_crypto::KeyRing;
use postroom_events::WorkerId;
use postroom_mail::net::Connector;
use postroom_providers::ProviderCatalogue;
use postroom_store::{
    Store, StoreError, Tx,
    leases::{self, Lease},
    packs::Packs,
};
use tokio::sync::Semaphore;

use crate::{FetcherSettings, step_error::StepError};

/// The service's name, in events and tables.
pub(crate) const SERVICE: &str = "imap-fetcher";

/// What a fetcher is made of.
#[derive(Clone)]
pub struct Components {
    /// The database.
    pub store: Store,
    /// Raw mail.
    pub packs: Packs,
    /// What opens sealed secrets.
    pub keys: Arc<KeyRing>,
    /// The way to mail servers.
    pub connector: Connector,
    /// What is known of providers.
    pub providers: Arc<ProviderCatalogue>,
    /// This process.
    pub worker_id: WorkerId,
    /// Times, sizes and numbers.
    pub settings: FetcherSettings,
}

/// What all accounts of this process share.
pub struct Fetcher {
    pub(crate) store: Store,
    pub(crate) packs: Packs,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) connector: Connector,
    pub(crate) providers: Arc<ProviderCatalogue>,
    pub(crate) worker_id: WorkerId,
    pub(crate) settings: FetcherSettings,
    /// Who may fetch bulk mail.
    pub(crate) bulk: Semaphore,
    /// Who may hold a large message in memory.
    pub(crate) large: Semaphore,
    /// Who may connect.
    pub(crate) connecting: Semaphore,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher that holds nothing yet.
    pub fn new(components: Components) -> Self {
        let settings = components.settings;
        Self {
            store: components.store,
            packs: components.packs,
            keys: components.keys,
            connector: components.connector,
            providers: components.providers,
            worker_id: components.worker_id,
            settings,
            bulk: Semaphore::new(settings.bulk_accounts.max(1)),
            large: Semaphore::new(1),
            connecting: Semaphore::new(settings.connecting.max(1)),
        }
    }

    /// Begins a transaction that only the holder of the lease can commit.
    pub(crate) async fn guarded(&self, lease: &Lease, name: &'static str) -> Result<Tx, StepError> {
        let tx = self.store.begin(name).await?;
        match leases::guard(&tx, lease).await {
            Ok(()) => Ok(tx),
            Err(StoreError::Outdated { .. }) => Err(StepError::LeaseLost),
            Err(error) => Err(error.into()),
        }
    }
}
