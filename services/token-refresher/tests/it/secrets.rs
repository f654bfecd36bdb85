//! No token and no client secret in any log line or file, whatever goes well or wrong.

use std::path::{Path, PathBuf};

use postroom_events::{AccountDisconnected, AccountState};
use postroom_store::accounts;
use postroom_test_support::{Fault, FaultMode, eventually};

use crate::{
    log,
    rig::{PATIENCE, Rig, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_in_any_log_line_event_or_file() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.user("canary").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let (access, refresh) = rig.tokens(connected.grant).await;
    let mut secrets = vec![rig.client.secret.clone(), access, refresh];

    for (number, mode) in [FaultMode::ServerError, FaultMode::Html].into_iter().enumerate() {
        let fault = Fault::for_user(mode, &user);
        rig.testbed.openid().set_fault(fault).await.unwrap();
        let version = number as i64 + 1;
        rig.reject(&running, connected, version).await;
        rig.reaches(connected.grant, version + 1).await;
        let (access, refresh) = rig.tokens(connected.grant).await;
        secrets.extend([access, refresh]);
    }
    let other = rig.connect(&running, &rig.user("canary-dead").await).await;
    let (access, refresh) = rig.tokens(other.grant).await;
    secrets.extend([access, refresh]);
    let dead = Fault::for_client(FaultMode::InvalidGrant, &rig.client.id);
    rig.testbed.openid().set_fault(dead).await.unwrap();
    rig.reject(&running, other, 1).await;
    eventually(PATIENCE, "the refusal", async || {
        rig.account(other.account).await.state == AccountState::NeedsReauthorization
    })
    .await;
    let tx = running.parts.store.begin("test.disconnect").await.unwrap();
    accounts::set_disconnected(&tx, connected.account, false)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let gone = AccountDisconnected {
        account_id: connected.account,
        credential_generation: 2,
        purge: false,
    };
    let event = rig.tell(&running, gone).await;
    rig.handled(event).await;
    running.stop().await;

    assert!(log::holds(&connected.grant.to_string()), "the log was kept");
    assert_eq!(secrets.len(), 9);
    let files = files_of(rig.data_dir());
    assert!(files.len() > 1, "{files:?}");
    for secret in &secrets {
        // Not even a part of one: a line may be cut.
        let part = &secret[..secret.len().min(24)];
        assert!(!log::holds(part), "a secret was logged");
        for file in &files {
            let content = std::fs::read(file).unwrap();
            let found = content
                .windows(part.len())
                .any(|window| window == part.as_bytes());
            assert!(!found, "a secret is in {}", file.display());
        }
    }
}

/// Every file but the operator's own.
fn files_of(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_of(&path));
        } else if path.file_name().is_none_or(|name| name != "oauth.toml") {
            files.push(path);
        }
    }
    files
}
