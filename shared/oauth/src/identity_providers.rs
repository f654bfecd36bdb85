//! All registrations of the operator, and the endpoints behind them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use postroom_providers::{OAuthRegistration, Provider, ProviderCatalogue, ProviderDataError};

use crate::http_client::IdentityHttp;
use crate::identity_provider::IdentityProvider;
use crate::registered::Registered;
use crate::token_error::TokenError;

/// All registrations of the operator. Share one (`Arc`) in a process: it remembers what it discovered.
#[derive(Debug)]
pub struct IdentityProviders {
    http: IdentityHttp,
    registered: BTreeMap<String, Registered>,
}

impl IdentityProviders {
    /// Checks all registrations against the provider data, and reads the certificates and keys that they name. Nothing
    /// is connected yet.
    ///
    /// # Errors
    /// [`ProviderDataError::Registration`], naming the registration.
    pub fn new(
        http: IdentityHttp,
        catalogue: &ProviderCatalogue,
        registrations: impl IntoIterator<Item = OAuthRegistration>,
    ) -> Result<Self, ProviderDataError> {
        let mut registered = BTreeMap::new();
        for registration in registrations {
            let id = registration.id.clone();
            let entry = Registered::new(registration, catalogue, &http)?;
            if registered.insert(id.clone(), entry).is_some() {
                let problem = "its id is used twice".to_owned();
                return Err(ProviderDataError::Registration { id, problem });
            }
        }
        Ok(Self { http, registered })
    }

    /// All registrations with the names of their providers, by id.
    pub fn registrations(&self) -> impl Iterator<Item = (&OAuthRegistration, &str)> {
        self.registered
            .values()
            .map(|entry| (&entry.registration, entry.name.as_str()))
    }

    /// The registration with this id.
    #[must_use]
    pub fn registration(&self, id: &str) -> Option<&OAuthRegistration> {
        self.registered.get(id).map(|entry| &entry.registration)
    }

    /// The registration by which a person signs in to mailboxes of `provider`: a delegated one at its family.
    #[must_use]
    pub fn registration_for(&self, provider: &Provider) -> Option<&OAuthRegistration> {
        self.registrations_for(provider)
            .find(|registration| registration.kind.is_delegated())
    }

    /// The registrations of any kind at the family of `provider`.
    pub fn registrations_for(&self, provider: &Provider) -> impl Iterator<Item = &OAuthRegistration> {
        self.registered
            .values()
            .filter(|entry| entry.family == provider.family)
            .map(|entry| &entry.registration)
    }

    /// The registrations of which it is known when what they sign in with ends: the day that the operator wrote down for
    /// a client secret (of two, the next one's), or the end of a certificate.
    pub fn credential_ends(&self) -> impl Iterator<Item = (&OAuthRegistration, DateTime<Utc>)> {
        self.registered
            .values()
            .filter_map(|entry| Some((&entry.registration, entry.credential_ends_at()?)))
    }

    /// The identity provider behind a registration; its endpoints are discovered where provider data do not name
    /// them. `None` if there is no such registration.
    ///
    /// # Errors
    /// [`TokenError`] if discovery fails and no earlier result is known.
    pub async fn get(&self, registration_id: &str) -> Result<Option<Arc<IdentityProvider>>, TokenError> {
        match self.registered.get(registration_id) {
            Some(entry) => entry.provider(&self.http).await.map(Some),
            None => Ok(None),
        }
    }
}
