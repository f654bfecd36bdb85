//! What the tests share: registrations, the identity providers behind them, and a stand-in for Microsoft.

use std::sync::Arc;
use std::time::Duration;

use postroom_events::TenantId;
use postroom_oauth::{HttpSettings, IdentityHttp, IdentityProvider, IdentityProviders, Mailbox, TokenError};
use postroom_providers::{
    ClientProof, IdentitySource, OAuthRegistration, ProviderCatalogue, Reach, RegisteredClient,
    RegistrationKind,
};
use postroom_retry::SystemClock;
use url::Url;
use uuid::Uuid;
use wiremock::MockServer;

/// Whose mailboxes the tests open.
pub(crate) const TENANT: TenantId = TenantId(Uuid::from_u128(7));

/// Where the stand-in for Microsoft gives tokens.
pub(crate) const TOKEN_PATH: &str = "/contoso.example/oauth2/v2.0/token";

pub(crate) fn client(id: &str, proof: ClientProof) -> RegisteredClient {
    RegisteredClient {
        id: id.to_owned(),
        proof,
    }
}

/// A registration of the given kind, for mailboxes at example.test and contoso.example.
pub(crate) fn of_kind(source: &str, kind: RegistrationKind) -> OAuthRegistration {
    OAuthRegistration {
        reach: Reach {
            tenants: Some(vec![TENANT]),
            domains: Some(vec!["example.test".to_owned(), "contoso.example".to_owned()]),
        },
        ..OAuthRegistration::new("r", IdentitySource::parse(source), kind)
    }
}

/// A registration for people who sign in.
pub(crate) fn registration(source: &str, client_id: &str, secret: Option<&str>) -> OAuthRegistration {
    let proof = ClientProof::secret(secret.map(Into::into));
    let scopes = [
        "openid",
        "email",
        "offline_access",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
    ];
    OAuthRegistration {
        scopes: Some(scopes.map(str::to_owned).to_vec()),
        ..of_kind(source, RegistrationKind::Delegated(client(client_id, proof)))
    }
}

/// The built-in Microsoft entry with its base URL turned to a stand-in.
pub(crate) fn at(server: &MockServer, registration: OAuthRegistration) -> OAuthRegistration {
    OAuthRegistration {
        tenant: Some("contoso.example".to_owned()),
        base_url: Some(server.uri().parse().unwrap()),
        scopes: None,
        ..registration
    }
}

pub(crate) async fn microsoft() -> (MockServer, Arc<IdentityProvider>) {
    let server = MockServer::start().await;
    let registration = at(
        &server,
        registration("microsoft", "client", Some("canary-client-secret")),
    );
    let provider = connect(registration, Duration::from_secs(5)).await.unwrap();
    (server, provider)
}

pub(crate) fn mailbox(address: &str) -> Mailbox<'_> {
    Mailbox {
        tenant_id: TENANT,
        account_id: None,
        address,
    }
}

pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub(crate) async fn connect(
    registration: OAuthRegistration,
    timeout: Duration,
) -> Result<Arc<IdentityProvider>, TokenError> {
    let settings = HttpSettings {
        timeout,
        ..on_loopback()
    };
    connect_with(registration, &settings).await
}

pub(crate) async fn connect_with(
    registration: OAuthRegistration,
    settings: &HttpSettings,
) -> Result<Arc<IdentityProvider>, TokenError> {
    let providers = providers(registration, settings).unwrap();
    // In a task of its own, as services do: it must be `Send`.
    let task = tokio::spawn(async move { providers.get("r").await });
    Ok(task.await.unwrap()?.expect("it is registered"))
}

pub(crate) fn on_loopback() -> HttpSettings {
    HttpSettings {
        allow_http_on_loopback: true,
        ..HttpSettings::default()
    }
}

/// The set-up as a service does it; the error is its sentence.
pub(crate) fn providers(
    registration: OAuthRegistration,
    settings: &HttpSettings,
) -> Result<IdentityProviders, String> {
    let http = IdentityHttp::new(settings, Arc::new(SystemClock)).unwrap();
    let catalogue = ProviderCatalogue::load(None).unwrap();
    IdentityProviders::new(http, &catalogue, [registration]).map_err(|error| error.to_string())
}
