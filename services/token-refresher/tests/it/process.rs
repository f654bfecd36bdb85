//! The binary itself: ready, measured, stopped by SIGTERM; and a clear word when it cannot start.

use std::{process::Stdio, time::Duration};

use postroom_test_support::{eventually, free_port};
use tokio::process::{Child, Command};

use crate::rig::PATIENCE;

fn start(directory: &std::path::Path, port: u16, oauth_file: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_token-refresher"))
        .env_clear()
        .arg(format!("--data-dir={}", directory.join("data").display()))
        .arg(format!("--listen=127.0.0.1:{port}"))
        .arg(format!("--oauth-file={}", oauth_file.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn it_becomes_ready_and_stops_at_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let oauth_file = directory.path().join("oauth.toml");
    std::fs::write(&oauth_file, "").unwrap();
    let mut child = start(directory.path(), port, &oauth_file);
    let url = format!("http://127.0.0.1:{port}");
    eventually(PATIENCE, "the service to be ready", async || {
        let answer = reqwest::get(format!("{url}/readyz")).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let measured = reqwest::get(format!("{url}/metrics")).await.unwrap();
    assert!(measured.status().is_success());
    let pid = child.id().unwrap().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
    assert!(told.success());
    let ended = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
}

#[tokio::test]
async fn it_says_which_file_it_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("nowhere.toml");
    let child = start(directory.path(), free_port().unwrap(), &missing);
    let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = ended.unwrap().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("nowhere.toml") && said.contains("--oauth-file"),
        "{said}"
    );
}
