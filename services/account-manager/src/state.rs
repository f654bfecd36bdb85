//! What the handlers of this service share.

use std::{sync::Arc, time::Duration};

use postroom_crypto::KeyRing;
use postroom_discovery::Discovery;
use postroom_mail::net::{Connector, HostName};
use postroom_oauth::IdentityProviders;
use postroom_providers::ProviderCatalogue;
use postroom_store::{Store, packs::Packs};
use url::Url;

use crate::attempts::FailedProofs;
use crate::pace::Pace;

/// What an operator may decide about this service.
#[derive(Debug, Clone)]
pub struct ManagerSettings {
    /// The address under which people reach the pages.
    pub base_url: Url,
    /// Origins that connect links may lead back to.
    pub return_origins: Vec<Url>,
    /// How this machine introduces itself to submission servers.
    pub ehlo_name: HostName,
    /// How long a browser stays signed in.
    pub session_lifetime: Duration,
    /// How long a one-time link can be used.
    pub link_lifetime: Duration,
    /// How long a person may take at an identity provider.
    pub authorization_lifetime: Duration,
    /// How long proving one half of an account (IMAP or SMTP) may take.
    pub proof_time: Duration,
    /// How long any request may take.
    pub request_time: Duration,
    /// The largest message that is taken for sending, in bytes.
    pub max_message_bytes: usize,
    /// How long a mail is tried before it counts as failed.
    pub give_up_after: Duration,
    /// How many addresses a tenant may have looked up in a minute.
    pub discoveries_per_minute: u32,
}

impl ManagerSettings {
    /// The usual settings under a public address.
    pub fn new(base_url: Url, ehlo_name: HostName) -> Self {
        Self {
            base_url,
            return_origins: Vec::new(),
            ehlo_name,
            session_lifetime: Duration::from_secs(24 * 60 * 60),
            link_lifetime: Duration::from_secs(60 * 60),
            authorization_lifetime: Duration::from_secs(15 * 60),
            proof_time: Duration::from_secs(45),
            request_time: Duration::from_secs(120),
            max_message_bytes: 25 * 1024 * 1024,
            give_up_after: Duration::from_secs(2 * 24 * 60 * 60),
            discoveries_per_minute: 60,
        }
    }

    /// An address of the pages.
    pub fn page(&self, path: &str) -> String {
        let base = self.base_url.as_str().trim_end_matches('/');
        format!("{base}{path}")
    }

    /// Whether browsers reach the pages by TLS.
    pub fn is_https(&self) -> bool {
        self.base_url.scheme() == "https"
    }
}

/// What [`AppState`] is made of.
#[derive(Debug)]
pub struct Components {
    /// The database.
    pub store: Store,
    /// Raw mail.
    pub packs: Packs,
    /// What seals secrets at rest.
    pub keys: Arc<KeyRing>,
    /// The way to mail servers.
    pub connector: Connector,
    /// What is known about mail providers.
    pub providers: Arc<ProviderCatalogue>,
    /// The identity providers that this Postroom is registered at.
    pub identity: Arc<IdentityProviders>,
    /// What finds the servers of an address, and remembers them for all who ask.
    pub discovery: Arc<Discovery>,
    /// What the operator decided.
    pub settings: ManagerSettings,
}

/// What every handler can reach. Clones share it.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Components>, Arc<Pace>, Arc<FailedProofs>);

impl AppState {
    /// Shares the components.
    pub fn new(components: Components) -> Self {
        let pace = Pace::new(
            Arc::clone(components.store.clock()),
            components.settings.discoveries_per_minute,
        );
        let failed = FailedProofs::new(Arc::clone(components.store.clock()));
        Self(Arc::new(components), Arc::new(pace), Arc::new(failed))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Raw mail.
    pub fn packs(&self) -> &Packs {
        &self.0.packs
    }

    /// What seals secrets at rest.
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// The way to mail servers.
    pub fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// What is known about mail providers.
    pub fn providers(&self) -> &ProviderCatalogue {
        &self.0.providers
    }

    /// The identity providers that this Postroom is registered at.
    pub fn identity(&self) -> &IdentityProviders {
        &self.0.identity
    }

    /// What finds the servers of an address.
    pub fn discovery(&self) -> &Discovery {
        &self.0.discovery
    }

    /// How many addresses each tenant has had looked up.
    pub(crate) fn discovery_pace(&self) -> &Pace {
        &self.1
    }

    /// The proofs that failed of late.
    pub(crate) fn failed_proofs(&self) -> &FailedProofs {
        &self.2
    }

    /// What the operator decided.
    pub fn settings(&self) -> &ManagerSettings {
        &self.0.settings
    }
}
