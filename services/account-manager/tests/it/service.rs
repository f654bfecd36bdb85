//! The whole service as a process runs it: settings in, HTTP and events served, a prompt end.

use std::time::Duration;

use clap::Parser;
use postroom_crypto::new_token;
use postroom_events::{AccountUnreachable, BackfillCompleted, BackfillProgressed, EventMetadata, WhoCanAct};
use postroom_runtime::{Parts, Settings};
use postroom_store::{events, tenants};
use postroom_test_support::{Testbed, eventually, free_port};
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    settings: Settings,
}

pub(crate) fn settings(testbed: &Testbed, directory: &TempDir, port: u16) -> Settings {
    let oauth_file = directory.path().join("oauth.toml");
    let registration = format!(
        "[[registration]]\nid = \"testbed\"\nprovider = \"{}\"\nclient_id = \"c\"\n",
        testbed.openid_address.issuer
    );
    std::fs::write(&oauth_file, registration).unwrap();
    Command::parse_from([
        "account-manager".to_owned(),
        format!("--data-dir={}", directory.path().join("data").display()),
        format!("--listen=127.0.0.1:{port}"),
        format!("--ca-file={}", testbed.ca_file.display()),
        format!("--oauth-file={}", oauth_file.display()),
        "--allow-networks=127.0.0.0/8,::1".to_owned(),
    ])
    .settings
}

#[tokio::test]
async fn it_serves_handles_its_events_and_stops_promptly() {
    let (testbed, directory, port) = (
        Testbed::load().unwrap(),
        TempDir::new().unwrap(),
        free_port().unwrap(),
    );
    let stop = CancellationToken::new();
    let parts = Parts::assemble(settings(&testbed, &directory, port), stop.clone())
        .await
        .unwrap();
    let running = tokio::spawn(account_manager::run(parts.clone()));

    let (key, digest) = new_token("postroom_key").unwrap();
    let tx = parts.store.begin("test.tenant").await.unwrap();
    let tenant = tenants::create(&tx, "Test").await.unwrap();
    tenants::add_api_key(&tx, tenant.id, "test", digest)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let base = format!("http://localhost:{port}");
    let http = Client::new();
    eventually(Duration::from_secs(10), "the service to be ready", async || {
        http.get(format!("{base}/readyz"))
            .send()
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    let user = testbed.create_user("service").unwrap();
    let request = json!({
        "user_ref": "u1", "address": user.address, "method": "password", "password": user.password,
        "imap": {"host": testbed.imap.host, "port": testbed.imap.tls_port, "tls": "implicit"},
        "smtp": {"host": testbed.submission.host, "port": testbed.submission.tls_port, "tls": "implicit"},
    });
    let url = format!("{base}/v1/accounts");
    let answer = http
        .post(&url)
        .bearer_auth(key.expose_secret())
        .json(&request)
        .send()
        .await
        .unwrap();
    let account: Value = answer.json().await.unwrap();
    let account_id = account["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{account}"))
        .parse()
        .unwrap();

    // In an order that no fetcher writes them in: the row takes the best of it.
    let tx = parts.store.begin("test.events").await.unwrap();
    let metadata = EventMetadata::started_by("imap-fetcher", tenant.id);
    let progressed = |messages_done| {
        BackfillProgressed {
            account_id,
            messages_done,
            messages_total: 30,
        }
        .into()
    };
    let unreachable = AccountUnreachable {
        account_id,
        credential_generation: 1,
        cause: "timed_out".to_owned(),
        who_can_act: WhoCanAct::Nobody,
    };
    let completed = BackfillCompleted {
        account_id,
        messages_done: 30,
    };
    let written = vec![
        progressed(20),
        progressed(10),
        completed.into(),
        unreachable.into(),
    ];
    events::append(&tx, &metadata, written).await.unwrap();
    tx.commit().await.unwrap();
    let url = format!("{url}/{account_id}");
    let shown = eventually(Duration::from_secs(10), "the first sync to be over", async || {
        let answer = http
            .get(&url)
            .bearer_auth(key.expose_secret())
            .send()
            .await
            .unwrap();
        let account: Value = answer.json().await.unwrap();
        if account["progress"]["messages_done"] == 30 {
            Ok(account)
        } else {
            Err(account)
        }
    })
    .await;
    assert_eq!(
        shown["state"], "connected",
        "an old event does not outvote the row: {shown}"
    );

    let begun = std::time::Instant::now();
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "it took {:?} to stop",
        begun.elapsed()
    );
}

#[tokio::test]
async fn settings_that_do_not_fit_are_told_at_start() {
    let (testbed, directory, port) = (
        Testbed::load().unwrap(),
        TempDir::new().unwrap(),
        free_port().unwrap(),
    );
    let good = settings(&testbed, &directory, port);
    let parts = Parts::assemble(good.clone(), CancellationToken::new())
        .await
        .unwrap();
    account_manager::state_of(&parts).unwrap();
    let wrong = directory.path().join("wrong.toml");
    std::fs::write(&wrong, "[[registration]]\nid = 1").unwrap();
    for (settings, words) in [
        (
            Settings {
                allow_networks: vec!["lan".to_owned()],
                ..good.clone()
            },
            "POSTROOM_ALLOW_NETWORKS",
        ),
        (
            Settings {
                oauth_file: Some("/nowhere".into()),
                ..good.clone()
            },
            "/nowhere",
        ),
        (
            Settings {
                oauth_file: Some(wrong.clone()),
                ..good.clone()
            },
            "line 2",
        ),
        (
            Settings {
                providers_file: Some(wrong),
                ..good
            },
            "registration",
        ),
    ] {
        let directory = TempDir::new().unwrap();
        let settings = Settings {
            data_dir: directory.path().to_owned(),
            ..settings
        };
        let parts = Parts::assemble(settings, CancellationToken::new()).await.unwrap();
        let error = format!("{:#}", account_manager::state_of(&parts).unwrap_err());
        assert!(error.contains(words), "{error}");
    }
}
