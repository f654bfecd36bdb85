//! What the parts of this service share.

use std::sync::Arc;

use postroom_crypto::KeyRing;
use postroom_oauth::IdentityProviders;
use postroom_store::Store;

use crate::RefresherSettings;

/// The service's name, in events.
pub(crate) const SERVICE: &str = "token-refresher";

/// What a [`Refresher`] is made of.
#[derive(Debug, Clone)]
pub struct Components {
    /// The database.
    pub store: Store,
    /// What seals secrets at rest.
    pub keys: Arc<KeyRing>,
    /// The identity providers that this Postroom is registered at.
    pub identity: Arc<IdentityProviders>,
    /// Times and numbers.
    pub settings: RefresherSettings,
}

/// What the parts of this service share. Clones share it.
#[derive(Debug, Clone)]
pub struct Refresher(Arc<Components>);

impl Refresher {
    /// Shares the components.
    pub fn new(components: Components) -> Self {
        Self(Arc::new(components))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn keys(&self) -> &Arc<KeyRing> {
        &self.0.keys
    }

    pub(crate) fn identity(&self) -> &IdentityProviders {
        &self.0.identity
    }

    pub(crate) fn settings(&self) -> &RefresherSettings {
        &self.0.settings
    }

    /// The label of a registration in metrics: one of the configured ones, whatever a row says.
    pub(crate) fn label(&self, registration_id: &str) -> String {
        match self.identity().registration(registration_id) {
            Some(registration) => registration.id.clone(),
            None => "not_configured".to_owned(),
        }
    }
}
