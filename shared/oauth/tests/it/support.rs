//! What the tests share: a registration, and the identity provider behind it.

use std::sync::Arc;
use std::time::Duration;

use postroom_oauth::{HttpSettings, IdentityHttp, IdentityProvider, IdentityProviders, TokenError};
use postroom_providers::{IdentitySource, OAuthRegistration, ProviderCatalogue};
use postroom_retry::SystemClock;

pub(crate) fn registration(source: &str, client_id: &str, secret: Option<&str>) -> OAuthRegistration {
    OAuthRegistration {
        id: "r".to_owned(),
        source: IdentitySource::parse(source),
        client_id: client_id.to_owned(),
        client_secret: secret.map(Into::into),
        scopes: Some(
            [
                "openid",
                "email",
                "offline_access",
                "https://outlook.office.com/IMAP.AccessAsUser.All",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        redirect_base: None,
        tenant: None,
        base_url: None,
    }
}

pub(crate) async fn connect(
    registration: OAuthRegistration,
    timeout: Duration,
) -> Result<Arc<IdentityProvider>, TokenError> {
    let settings = HttpSettings {
        timeout,
        allow_http_on_loopback: true,
        ..HttpSettings::default()
    };
    connect_with(registration, &settings).await
}

pub(crate) async fn connect_with(
    registration: OAuthRegistration,
    settings: &HttpSettings,
) -> Result<Arc<IdentityProvider>, TokenError> {
    let http = IdentityHttp::new(settings, Arc::new(SystemClock)).unwrap();
    let catalogue = ProviderCatalogue::load(None).unwrap();
    let providers = IdentityProviders::new(http, &catalogue, [registration]).unwrap();
    // In a task of its own, as services do: it must be `Send`.
    let task = tokio::spawn(async move { providers.get("r").await });
    Ok(task.await.unwrap()?.expect("it is registered"))
}
