//! An account-manager of its own for each test: a fresh database, a port of its own, a tenant with a key.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use account_manager::{AppState, Components, ManagerSettings};
use postroom_crypto::{KeyRing, new_token};
use postroom_discovery::{Discovery, DiscoverySettings};
use postroom_events::{AccountId, TenantId};
use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, HostName};
use postroom_oauth::{HttpSettings, IdentityHttp, IdentityProviders};
use postroom_providers::{
    ClientProof, IdentitySource, OAuthRegistration, ProviderCatalogue, RegisteredClient, RegistrationKind,
};
use postroom_retry::{Clock, ManualClock, SystemClock};
use postroom_store::{EventDelivery, Store, StoreConfig, packs::Packs, tenants};
use postroom_test_support::{FreshDatabase, TestUser, Testbed};
use reqwest::{Client, Method, Response, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A running account-manager.
pub(crate) struct Rig {
    pub(crate) testbed: Testbed,
    pub(crate) base: String,
    pub(crate) store: Store,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) tenant: Tenant,
    pub(crate) clock: ManualClock,
    pub(crate) packs: Packs,
    http: Client,
    _directory: TempDir,
    _database: Option<FreshDatabase>,
}

/// A tenant with its key.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) key: String,
}

impl Rig {
    /// On SQLite.
    pub(crate) async fn start() -> Self {
        Self::on(None).await
    }

    /// On a PostgreSQL database of its own.
    pub(crate) async fn start_on_postgres() -> Self {
        let database = Testbed::load().unwrap().fresh_database().await.unwrap();
        Self::on(Some(database)).await
    }

    /// On SQLite, with these OAuth registrations beside the one at the testbed.
    pub(crate) async fn start_with(more: Vec<OAuthRegistration>) -> Self {
        Self::on_with(None, more).await
    }

    async fn on(database: Option<FreshDatabase>) -> Self {
        Self::on_with(database, Vec::new()).await
    }

    async fn on_with(database: Option<FreshDatabase>, more: Vec<OAuthRegistration>) -> Self {
        let testbed = Testbed::load().unwrap();
        let directory = TempDir::new().unwrap();
        let clock = ManualClock::new(SystemClock.now());
        let config = match &database {
            None => StoreConfig::embedded(directory.path().join("postroom.sqlite")),
            Some(database) => StoreConfig {
                url: database.url().to_owned(),
                delivery: EventDelivery::Outbox,
                max_connections: 5,
            },
        };
        let store = Store::open(&config, Arc::new(clock.clone())).await.unwrap();
        store.migrate().await.unwrap();
        let keys = Arc::new(KeyRing::from_list(&KeyRing::generate_entry("test").unwrap()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let base = format!("http://localhost:{port}");
        let client = testbed
            .openid()
            .create_client(&format!("{base}/oauth/callback"))
            .await
            .unwrap();
        let kind = RegistrationKind::Delegated(RegisteredClient {
            id: client.id,
            proof: ClientProof::secret(Some(client.secret.into())),
        });
        let issuer = IdentitySource::Issuer(testbed.openid_address.issuer.parse().unwrap());
        let registration = OAuthRegistration::new("testbed", issuer, kind);
        let providers = Arc::new(ProviderCatalogue::load(None).unwrap());
        let http = IdentityHttp::new(
            &HttpSettings {
                allow_http_on_loopback: true,
                ..HttpSettings::default()
            },
            Arc::new(SystemClock),
        )
        .unwrap();
        let registrations = std::iter::once(registration).chain(more);
        let identity = IdentityProviders::new(http, &providers, registrations).unwrap();
        let connector = Connector::new(ConnectorSettings {
            extra_ca_file: Some(testbed.ca_file.clone()),
            addresses: AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]),
            ..ConnectorSettings::default()
        })
        .unwrap();
        let mut settings = ManagerSettings::new(base.parse().unwrap(), HostName::parse("localhost").unwrap());
        settings.return_origins = vec!["https://crm.example".parse().unwrap()];
        settings.proof_time = Duration::from_secs(20);
        settings.max_message_bytes = 1024 * 1024;
        let packs = Packs::in_directory(&directory.path().join("mail")).unwrap();
        let discovery = discovery(&testbed, &connector, clock.clone());
        let state = AppState::new(Components {
            store: store.clone(),
            packs: packs.clone(),
            keys: Arc::clone(&keys),
            connector,
            providers,
            identity: Arc::new(identity),
            discovery: Arc::new(discovery),
            settings,
        });
        let router = account_manager::router(state);
        tokio::spawn(async move {
            axum::serve(
                listener,
                router.into_make_service_with_connect_info::<SocketAddr>(),
            )
            .await
            .unwrap();
        });
        let tenant = new_tenant(&store).await;
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            testbed,
            base,
            store,
            keys,
            tenant,
            clock,
            packs,
            http,
            _directory: directory,
            _database: database,
        }
    }

    pub(crate) async fn another_tenant(&self) -> Tenant {
        new_tenant(&self.store).await
    }

    /// A request of the API with the key of the rig's tenant.
    pub(crate) fn ask(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.ask_as(&self.tenant, method, path)
    }

    pub(crate) fn ask_as(&self, tenant: &Tenant, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.plain(method, path).bearer_auth(&tenant.key)
    }

    pub(crate) fn plain(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.ask(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.ask(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// A request to connect a test user's mailbox by password.
    pub(crate) fn by_password(&self, user: &TestUser) -> Value {
        json!({
            "user_ref": "u1",
            "address": user.address,
            "sender_name": "Ada Lovelace",
            "imap": self.imap(),
            "smtp": self.smtp(),
            "method": "password",
            "password": user.password,
        })
    }

    pub(crate) fn imap(&self) -> Value {
        json!({ "host": self.testbed.imap.host, "port": self.testbed.imap.tls_port, "tls": "implicit" })
    }

    pub(crate) fn smtp(&self) -> Value {
        let submission = &self.testbed.submission;
        json!({ "host": submission.host, "port": submission.starttls_port, "tls": "starttls" })
    }

    /// A connected account of a new user.
    pub(crate) async fn connected(&self, prefix: &str) -> (TestUser, AccountId) {
        let user = self.testbed.create_user(prefix).unwrap();
        let (status, account) = self.post("/v1/accounts", &self.by_password(&user)).await;
        assert_eq!(status, StatusCode::CREATED, "{account}");
        (user, account["id"].as_str().unwrap().parse().unwrap())
    }

    /// Types of the events that the tenant has, oldest first, without prefix and version.
    pub(crate) async fn event_types(&self) -> Vec<String> {
        let (_, events) = self.get("/v1/events?limit=200").await;
        let bare = |event: &Value| {
            let name = event["type"].as_str().unwrap();
            name.trim_start_matches("postroom.")
                .trim_end_matches(".v1")
                .to_owned()
        };
        events["items"].as_array().unwrap().iter().map(bare).collect()
    }

    /// A browser that has entered the pages as that person.
    pub(crate) async fn browser(&self, user_ref: &str) -> Browser<'_> {
        let (status, link) = self
            .post("/v1/sign-in-links", &json!({ "user_ref": user_ref }))
            .await;
        assert_eq!(status, StatusCode::CREATED, "{link}");
        self.enter(link["url"].as_str().unwrap()).await.0
    }

    /// A browser that opens a one-time link, and where the link leads.
    pub(crate) async fn enter(&self, link: &str) -> (Browser<'_>, String) {
        let path = link.strip_prefix(&self.base).unwrap();
        let response = self.plain(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let location = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
        (Browser { rig: self, cookie }, location)
    }
}

/// A discovery whose provider data know `rig.example`, with the testbed's servers, and that asks nobody else.
fn discovery(testbed: &Testbed, connector: &Connector, clock: ManualClock) -> Discovery {
    let (imap, smtp) = (&testbed.imap, &testbed.submission);
    let data = format!(
        "[[provider]]\nid = \"rig\"\nname = \"Rig\"\ndomains = [\"rig.example\"]\n\
         imap = [{{ host = \"{}\", port = {}, tls = \"tls\" }}]\n\
         smtp = [{{ host = \"{}\", port = {}, tls = \"starttls\" }}]\n\
         sign_in = [\"password\"]\nsent_saved_by_server = \"no\"\n",
        imap.host, imap.tls_port, smtp.host, smtp.starttls_port,
    );
    let settings = DiscoverySettings {
        ispdb: None,
        ..DiscoverySettings::default()
    };
    let catalogue = Arc::new(ProviderCatalogue::load(Some(&data)).unwrap());
    Discovery::new(&settings, connector.clone(), catalogue, Arc::new(clock)).unwrap()
}

async fn new_tenant(store: &Store) -> Tenant {
    let (key, digest): (SecretString, _) = new_token("postroom_key").unwrap();
    let tx = store.begin("test.tenant").await.unwrap();
    let tenant = tenants::create(&tx, "Test").await.unwrap();
    tenants::add_api_key(&tx, tenant.id, "test", digest)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Tenant {
        id: tenant.id,
        key: key.expose_secret().to_owned(),
    }
}

pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A signed-in browser, without scripts.
pub(crate) struct Browser<'r> {
    rig: &'r Rig,
    pub(crate) cookie: String,
}

/// What a browser sees.
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) headers: header::HeaderMap,
    pub(crate) html: String,
}

impl Browser<'_> {
    pub(crate) async fn open(&self, path: &str) -> Seen {
        self.send(self.rig.plain(Method::GET, path)).await
    }

    /// Sends a form with the token of the page that it stands on.
    pub(crate) async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Seen {
        let csrf = self.open(page).await.hidden("csrf");
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        self.send(self.rig.plain(Method::POST, action).form(&fields))
            .await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Seen {
        let response = request.header(header::COOKIE, &self.cookie).send().await.unwrap();
        let headers = response.headers().clone();
        let location = headers
            .get(header::LOCATION)
            .map(|value| value.to_str().unwrap().to_owned());
        Seen {
            status: response.status(),
            location,
            headers,
            html: response.text().await.unwrap(),
        }
    }
}

impl Seen {
    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    /// Where the page sends the browser by itself.
    pub(crate) fn onward(&self) -> String {
        self.between("http-equiv=\"refresh\" content=\"0; url=", "\"")
            .replace("&#38;", "&")
            .replace("&amp;", "&")
    }

    fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self
            .html
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {}", self.html));
        rest.split(after).next().unwrap().to_owned()
    }

    pub(crate) fn shows(&self, text: &str) {
        assert!(self.html.contains(text), "no {text:?} in {}", self.html);
    }
}
