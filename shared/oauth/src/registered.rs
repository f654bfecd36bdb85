//! One registration, with what it signs in with read and checked, and the way to the endpoints behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use postroom_providers::{
    IdentitySource, OAuthEndpoints, OAuthRegistration, OldRefreshToken, ProviderCatalogue, ProviderDataError,
    RegistrationKind,
};
use tokio::sync::Mutex;
use url::Url;

use crate::causes::METADATA_UNUSABLE;
use crate::client_auth::{AuthenticatedClient, Proof};
use crate::discovery::{self, Discovered};
use crate::http_client::IdentityHttp;
use crate::identity_provider::{IdentityProvider, TokenSource};
use crate::service_account::ServiceAccount;
use crate::token_error::TokenError;
use crate::token_service::TokenService;

/// Discovered endpoints are asked for again after this time.
const REDISCOVER: Duration = Duration::from_secs(3600);

/// One registration.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) registration: OAuthRegistration,
    /// The provider's name, as people see it.
    pub(crate) name: String,
    /// The family of providers that it is at; the registration's own id for an issuer URL.
    pub(crate) family: String,
    oauth: OAuthEndpoints,
    credential: Credential,
    known: Mutex<Option<(Instant, Arc<IdentityProvider>)>>,
}

/// What a registration signs in with, read from the operator's files.
#[derive(Clone, Debug)]
enum Credential {
    Client { id: String, proof: Arc<Proof> },
    ServiceAccount(Arc<ServiceAccount>),
    TokenService(Arc<TokenService>),
}

impl Credential {
    fn read(registration: &OAuthRegistration, http: &IdentityHttp) -> Result<Self, String> {
        let permitted = |url: &Url| {
            if http.permits(url) {
                Ok(())
            } else {
                Err(format!("`{url}` is not https"))
            }
        };
        Ok(match &registration.kind {
            RegistrationKind::Delegated(client) | RegistrationKind::AppOnly(client) => Self::Client {
                id: client.id.clone(),
                proof: Arc::new(Proof::read(&client.proof)?),
            },
            RegistrationKind::ServiceAccount { key } => {
                let account = ServiceAccount::read(key)?;
                permitted(account.token_url())?;
                Self::ServiceAccount(Arc::new(account))
            }
            RegistrationKind::TokenService { url, secret } => {
                permitted(url)?;
                let service = TokenService::new(&registration.id, url.clone(), secret.clone());
                Self::TokenService(Arc::new(service))
            }
        })
    }
}

impl Registered {
    pub(crate) fn new(
        registration: OAuthRegistration,
        catalogue: &ProviderCatalogue,
        http: &IdentityHttp,
    ) -> Result<Self, ProviderDataError> {
        let oauth = registration.oauth(catalogue)?.clone();
        let credential = Credential::read(&registration, http).map_err(|problem| {
            let id = registration.id.clone();
            ProviderDataError::Registration { id, problem }
        })?;
        let (name, family) = names(&registration, catalogue);
        Ok(Self {
            registration,
            name,
            family,
            oauth,
            credential,
            known: Mutex::new(None),
        })
    }

    /// From when on the provider accepts nothing of what we sign in with, if that is known.
    pub(crate) fn credential_ends_at(&self) -> Option<DateTime<Utc>> {
        match &self.credential {
            Credential::Client { proof, .. } => proof.ends_at(),
            Credential::ServiceAccount(_) | Credential::TokenService(_) => None,
        }
    }

    /// The provider behind it, as it was found at most an hour ago; longer, while it cannot be found anew.
    pub(crate) async fn provider(&self, http: &IdentityHttp) -> Result<Arc<IdentityProvider>, TokenError> {
        // One lock for each registration: a provider that hangs holds up its own accounts only.
        let mut known = self.known.lock().await;
        let now = http.clock().monotonic();
        if let Some((since, provider)) = known.as_ref()
            && (self.issuer().is_none() || now.saturating_duration_since(*since) < REDISCOVER)
        {
            return Ok(provider.clone());
        }
        match (self.connect(http).await, known.as_ref()) {
            (Ok(provider), _) => {
                let provider = Arc::new(provider);
                *known = Some((now, provider.clone()));
                Ok(provider)
            }
            (Err(error), Some((_, earlier))) => {
                tracing::warn!(
                    registration.id = self.registration.id,
                    cause = error.code(),
                    "Endpoints were not discovered anew"
                );
                Ok(earlier.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// The issuer to discover from, `None` if all endpoints are known.
    fn issuer(&self) -> Option<Url> {
        match (&self.credential, &self.registration.source) {
            (Credential::Client { .. }, IdentitySource::Issuer(issuer)) => Some(issuer.clone()),
            (Credential::Client { .. }, IdentitySource::Preset(_)) => self.oauth.issuer_to_discover(),
            _ => None,
        }
    }

    async fn connect(&self, http: &IdentityHttp) -> Result<IdentityProvider, TokenError> {
        let found = match (&self.credential, self.issuer()) {
            (Credential::ServiceAccount(account), _) => Discovered::token_endpoint_alone(account.token_url()),
            (Credential::TokenService(service), _) => Discovered::token_endpoint_alone(service.url()),
            (Credential::Client { .. }, Some(issuer)) => {
                discovery::discover(http, &issuer, &self.name).await?
            }
            (Credential::Client { .. }, None) => self.known_from_data()?,
        };
        let delegated = self.registration.kind.is_delegated();
        Ok(IdentityProvider {
            http: http.clone(),
            name: self.name.clone(),
            source: self.source(&found),
            scopes: self.scopes(found.scopes_supported.as_deref()),
            reach: self.registration.reach.clone(),
            tenant: self.registration.tenant.clone(),
            authorize_params: self.oauth.authorize_params.clone(),
            identity_claims: self.oauth.identity_claims.clone(),
            old_refresh_token: match delegated {
                true => self.oauth.old_refresh_token,
                false => OldRefreshToken::Works, // there is none that an answer could carry away
            },
            endpoints: found.endpoints,
            userinfo: found.userinfo,
            names_itself: found.names_itself,
        })
    }

    fn source(&self, found: &Discovered) -> TokenSource {
        match &self.credential {
            Credential::Client { id, proof } => {
                let client = AuthenticatedClient {
                    registration: self.registration.id.clone(),
                    id: id.clone(),
                    proof: proof.clone(),
                    how: found.client_auth,
                    audience: found.assertion_audience.clone(),
                    accepted: Default::default(),
                };
                match self.registration.kind.is_delegated() {
                    true => TokenSource::Delegated(client),
                    false => TokenSource::AppOnly(client),
                }
            }
            Credential::ServiceAccount(account) => TokenSource::ServiceAccount(account.clone()),
            Credential::TokenService(service) => TokenSource::TokenService(service.clone()),
        }
    }

    /// What the operator asks for goes as it is; of the provider's usual scopes, those that it says it has.
    fn scopes(&self, supported: Option<&[String]>) -> Vec<String> {
        let asked = self.registration.scopes(&self.oauth);
        let fits = |scope: &&String| {
            self.registration.scopes.is_some() || supported.is_none_or(|known| known.contains(scope))
        };
        asked.iter().filter(fits).cloned().collect()
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
            // Microsoft's own documents name the token endpoint as the audience.
            assertion_audience: endpoints.token.to_string(),
            endpoints,
            userinfo: None,
            client_auth: self.oauth.client_auth,
            names_itself: false,
            scopes_supported: None,
        })
    }
}

/// The name that people see, and the family of providers.
fn names(registration: &OAuthRegistration, catalogue: &ProviderCatalogue) -> (String, String) {
    let host = |url: &Url| url.host_str().unwrap_or_default().to_owned();
    let (mut name, family) = match &registration.source {
        IdentitySource::Issuer(issuer) => (host(issuer), registration.id.clone()),
        IdentitySource::Preset(id) => {
            let provider = catalogue.by_id(id);
            (
                provider.map_or(id, |provider| &provider.name).clone(),
                provider.map_or(id, |provider| &provider.family).clone(),
            )
        }
    };
    if let RegistrationKind::TokenService { url, .. } = &registration.kind {
        name = host(url); // it is this service that people and the operator hear of, not the provider behind it
    }
    (registration.name.clone().unwrap_or(name), family)
}
