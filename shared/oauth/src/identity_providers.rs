//! All registrations of the operator, and the endpoints behind them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postroom_providers::{
    IdentitySource, OAuthEndpoints, OAuthRegistration, Provider, ProviderCatalogue, ProviderDataError,
};
use tokio::sync::Mutex;
use url::Url;

use crate::causes::METADATA_UNUSABLE;
use crate::discovery::{self, Discovered};
use crate::http_client::IdentityHttp;
use crate::identity_provider::IdentityProvider;
use crate::token_error::TokenError;

/// Discovered endpoints are asked for again after this time.
const REDISCOVER: Duration = Duration::from_secs(3600);

/// All registrations of the operator. Share one (`Arc`) in a process: it remembers what it discovered.
#[derive(Debug)]
pub struct IdentityProviders {
    http: IdentityHttp,
    registered: BTreeMap<String, Registered>,
}

#[derive(Debug)]
struct Registered {
    registration: OAuthRegistration,
    oauth: OAuthEndpoints,
    name: String,
    family: String,
    known: Mutex<Option<(Instant, Arc<IdentityProvider>)>>,
}

impl IdentityProviders {
    /// Checks all registrations against the provider data. Nothing is connected yet.
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
            let entry = Registered::new(registration, catalogue)?;
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

    /// The registration to use for mailboxes of `provider`: one at its family.
    #[must_use]
    pub fn registration_for(&self, provider: &Provider) -> Option<&OAuthRegistration> {
        let fits = |entry: &&Registered| entry.family == provider.family;
        self.registered
            .values()
            .find(fits)
            .map(|entry| &entry.registration)
    }

    /// The identity provider behind a registration; its endpoints are discovered where provider data do not name
    /// them. `None` if there is no such registration.
    ///
    /// # Errors
    /// [`TokenError`] if discovery fails and no earlier result is known.
    pub async fn get(&self, registration_id: &str) -> Result<Option<Arc<IdentityProvider>>, TokenError> {
        let Some(entry) = self.registered.get(registration_id) else {
            return Ok(None);
        };
        // One lock for each registration: a provider that hangs holds up its own accounts only.
        let mut known = entry.known.lock().await;
        let now = self.http.clock().monotonic();
        if let Some((since, provider)) = known.as_ref()
            && (entry.issuer().is_none() || now.saturating_duration_since(*since) < REDISCOVER)
        {
            return Ok(Some(provider.clone()));
        }
        match (entry.connect(&self.http).await, known.as_ref()) {
            (Ok(provider), _) => {
                let provider = Arc::new(provider);
                *known = Some((now, provider.clone()));
                Ok(Some(provider))
            }
            (Err(error), Some((_, earlier))) => {
                tracing::warn!(
                    registration.id = registration_id,
                    cause = error.code(),
                    "Endpoints were not discovered anew"
                );
                Ok(Some(earlier.clone()))
            }
            (Err(error), None) => Err(error),
        }
    }
}

impl Registered {
    fn new(
        registration: OAuthRegistration,
        catalogue: &ProviderCatalogue,
    ) -> Result<Self, ProviderDataError> {
        let oauth = registration.oauth(catalogue)?.clone();
        let (name, family) = match &registration.source {
            IdentitySource::Issuer(issuer) => (
                issuer.host_str().unwrap_or_default().to_owned(),
                registration.id.clone(),
            ),
            IdentitySource::Preset(id) => {
                let provider = catalogue.by_id(id);
                let name = provider.map_or(id, |provider| &provider.name);
                (
                    name.clone(),
                    provider.map_or(id, |provider| &provider.family).clone(),
                )
            }
        };
        Ok(Self {
            registration,
            oauth,
            name,
            family,
            known: Mutex::new(None),
        })
    }

    /// The issuer to discover from, `None` if the data name all endpoints.
    fn issuer(&self) -> Option<Url> {
        match &self.registration.source {
            IdentitySource::Issuer(issuer) => Some(issuer.clone()),
            IdentitySource::Preset(_) => self.oauth.issuer_to_discover(),
        }
    }

    async fn connect(&self, http: &IdentityHttp) -> Result<IdentityProvider, TokenError> {
        let found = match self.issuer() {
            Some(issuer) => discovery::discover(http, &issuer, &self.name).await?,
            None => self.known_from_data()?,
        };
        let OAuthRegistration {
            client_id,
            client_secret,
            scopes,
            ..
        } = &self.registration;
        let supported = |scope: &String| {
            found
                .scopes_supported
                .as_ref()
                .is_none_or(|known| known.contains(scope))
        };
        let scopes = match scopes {
            Some(scopes) => scopes.clone(),
            None => self
                .oauth
                .scopes
                .iter()
                .filter(|scope| supported(scope))
                .cloned()
                .collect(),
        };
        Ok(IdentityProvider {
            http: http.clone(),
            name: self.name.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            client_auth: found.client_auth,
            endpoints: found.endpoints,
            userinfo: found.userinfo,
            scopes,
            authorize_params: self.oauth.authorize_params.clone(),
            identity_claims: self.oauth.identity_claims.clone(),
            names_itself: found.names_itself,
            old_refresh_token: self.oauth.old_refresh_token,
        })
    }

    fn known_from_data(&self) -> Result<Discovered, TokenError> {
        let OAuthRegistration { base_url, tenant, .. } = &self.registration;
        let endpoints = self
            .oauth
            .endpoints(base_url.as_ref(), tenant.as_deref())
            .ok()
            .flatten();
        let endpoints = endpoints.ok_or_else(|| TokenError::new(METADATA_UNUSABLE, &self.name))?;
        Ok(Discovered {
            endpoints,
            userinfo: None,
            client_auth: self.oauth.client_auth,
            names_itself: false,
            scopes_supported: None,
        })
    }
}
