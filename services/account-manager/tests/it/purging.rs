//! What is to be erased is erased by the service itself, and by the next one if it was killed half-way.

use std::{path::Path, sync::Arc, time::Duration};

use postroom_crypto::new_token;
use postroom_events::AccountId;
use postroom_runtime::{Parts, Settings};
use postroom_store::{accounts, credentials, erasure, messages, tenants};
use postroom_test_support::{Testbed, eventually, free_port};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{reading::store_mail, rig::answer, service::settings};

const PATIENCE: Duration = Duration::from_secs(20);

/// The whole service, which can be stopped and started again.
struct Service {
    settings: Settings,
    parts: Arc<Parts>,
    running: JoinHandle<anyhow::Result<()>>,
    http: Client,
    key: SecretString,
}

impl Service {
    async fn start(settings: Settings) -> Self {
        let (parts, running) = run(&settings).await;
        let (key, digest) = new_token("postroom_key").unwrap();
        let tx = parts.store.begin("test.tenant").await.unwrap();
        let tenant = tenants::create(&tx, "Test").await.unwrap();
        tenants::add_api_key(&tx, tenant.id, "test", digest)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let service = Self {
            settings,
            parts,
            running,
            http: Client::new(),
            key,
        };
        service.is_ready().await;
        service
    }

    async fn is_ready(&self) {
        eventually(PATIENCE, "the service to be ready", async || {
            let answer = self.ask(Method::GET, "/readyz").send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
        })
        .await;
    }

    /// Only the new service does rounds of its own; the first one right away.
    async fn start_again(&mut self) {
        self.parts.shutdown.cancel();
        (&mut self.running).await.unwrap().unwrap();
        (self.parts, self.running) = run(&self.settings).await;
        self.is_ready().await;
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://localhost:{}{path}", self.settings.listen.port());
        self.http
            .request(method, url)
            .bearer_auth(self.key.expose_secret())
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let sent = self.ask(Method::POST, path).json(body).send().await.unwrap();
        let (status, body) = answer(sent).await;
        assert!(status.is_success(), "{path}: {body}");
        body
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.ask(Method::GET, path).send().await.unwrap()).await
    }

    /// How many objects the account's mail lies in.
    fn objects(&self, id: AccountId) -> usize {
        let directory = Path::new(&self.settings.data_dir)
            .join("mail")
            .join(id.to_string());
        std::fs::read_dir(directory).map_or(0, Iterator::count)
    }

    async fn has_objects(&self, id: AccountId, count: usize) {
        eventually(PATIENCE, "the other objects to be deleted", async || {
            self.objects(id) == count
        })
        .await;
    }
}

async fn run(settings: &Settings) -> (Arc<Parts>, JoinHandle<anyhow::Result<()>>) {
    let parts = Parts::assemble(settings.clone(), CancellationToken::new()).await;
    let parts = parts.unwrap();
    let running = tokio::spawn(account_manager::run(Arc::clone(&parts)));
    (parts, running)
}

#[tokio::test]
async fn an_account_that_is_disconnected_and_purged_is_gone_and_its_events_remain() {
    let (testbed, directory) = (Testbed::load().unwrap(), TempDir::new().unwrap());
    let mut service = Service::start(settings(&testbed, &directory, free_port().unwrap())).await;
    let user = testbed.create_user("purged").unwrap();
    let account = json!({
        "user_ref": "u1", "address": user.address, "method": "password", "password": user.password,
        "imap": {"host": testbed.imap.host, "port": testbed.imap.tls_port, "tls": "implicit"},
        "smtp": {"host": testbed.submission.host, "port": testbed.submission.tls_port, "tls": "implicit"},
    });
    let account = service.post("/v1/accounts", &account).await;
    let path = format!("/v1/accounts/{}", account["id"].as_str().unwrap());
    let id: AccountId = account["id"].as_str().unwrap().parse().unwrap();
    let raws = ["one", "two"].map(|word| format!("Subject: {word}\r\n\r\n{word}\r\n"));
    let (_, ids) = store_mail(&service.parts.store, &service.parts.packs, id, &raws).await;
    let mail = json!({"to": ["bob@example.test"], "subject": "Hello", "text": "Hello"});
    service.post(&format!("{path}/send"), &mail).await;
    assert_eq!(service.objects(id), 2);

    // One message is erased, by somebody who is killed before the old object is deleted.
    let tx = service.parts.store.begin("test.request").await.unwrap();
    messages::request_erasure(&tx, &ids[..1]).await.unwrap();
    tx.commit().await.unwrap();
    let erased = erasure::erase_messages(&service.parts.store, &service.parts.packs, 10).await;
    assert_eq!((erased.unwrap(), service.objects(id)), (1, 3));
    service.start_again().await;
    service.has_objects(id, 2).await;
    let (status, _) = service.get(&format!("/v1/messages/{}/raw", ids[1])).await;
    assert_eq!(status, StatusCode::OK);

    service
        .post(&format!("{path}/disconnect"), &json!({"purge": true}))
        .await;
    // What token-refresher does about the event.
    let tx = service.parts.store.begin("test.release").await.unwrap();
    let row = accounts::find(tx.db(), id).await.unwrap();
    credentials::erase(&tx, row.credential_id.unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    service.start_again().await;
    eventually(PATIENCE, "the account to be gone", async || {
        service.get(&path).await.0 == StatusCode::NOT_FOUND
    })
    .await;
    assert_eq!(service.objects(id), 0);
    for id in ids {
        let (status, _) = service.get(&format!("/v1/messages/{id}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let (_, events) = service.get(&format!("/v1/events?account={id}")).await;
    let told: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert!(
        told.contains(&"postroom.account.connected.v1") && told.contains(&"postroom.account.disconnected.v1"),
        "{told:?}"
    );
}
