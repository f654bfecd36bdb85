//! Using the provider past the refresher: whether a token still works, and refreshing behind its back.

use postroom_oauth::{HttpSettings, IdentityHttp, IdentityProvider, IdentityProviders, TokenError, Tokens};
use postroom_providers::{OAuthRegistration, ProviderCatalogue};
use postroom_retry::SystemClock;
use secrecy::SecretString;
use std::sync::Arc;

use crate::rig::{REGISTRATION, Rig};

/// The provider as the rig's registration reaches it.
pub(crate) async fn provider(rig: &Rig) -> Arc<IdentityProvider> {
    let file = std::fs::read_to_string(rig.oauth_file()).unwrap();
    let settings = HttpSettings {
        allow_http_on_loopback: true,
        ..HttpSettings::default()
    };
    let http = IdentityHttp::new(&settings, Arc::new(SystemClock)).unwrap();
    let catalogue = ProviderCatalogue::load(None).unwrap();
    let registrations = OAuthRegistration::read_all(&file).unwrap();
    let providers = IdentityProviders::new(http, &catalogue, registrations).unwrap();
    providers.get(REGISTRATION).await.unwrap().unwrap()
}

pub(crate) async fn refresh(rig: &Rig, refresh_token: &str) -> Result<Tokens, TokenError> {
    let refresh_token = SecretString::from(refresh_token.to_owned());
    provider(rig).await.refresh(&refresh_token).await
}
