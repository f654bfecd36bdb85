//! The binary as a person starts it: no configuration, an address to open, a prompt stop.

#![allow(clippy::unwrap_used)] // helpers of the tests below
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use postroom_test_support::{eventually, free_port};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(directory: &std::path::Path, port: u16) -> (Running, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postroom"))
        .arg("--data-dir")
        .arg(directory)
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in &mut lines {
        let line = line.unwrap();
        let last = line.contains("within the hour");
        said.push(line);
        if last {
            break;
        }
    }
    (Running(child), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_without_configuration_and_stops_promptly() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let port = free_port().unwrap();
    let (mut running, said) = start(&data, port);
    let key = said
        .iter()
        .find_map(|line| line.strip_prefix("API key (shown this once): "))
        .unwrap()
        .to_owned();
    let link = said
        .iter()
        .find_map(|line| line.strip_prefix("Open Postroom: "))
        .unwrap()
        .to_owned();

    let base = format!("http://127.0.0.1:{port}");
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    eventually(Duration::from_secs(20), "readiness", || async {
        http.get(format!("{base}/readyz"))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let accounts = http
        .get(format!("{base}/v1/accounts"))
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(accounts.status(), 200);
    let refused = http
        .get(format!("{base}/v1/accounts"))
        .bearer_auth("pr_wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    let entered = http.get(&link).send().await.unwrap();
    assert!(
        entered.status().is_success() || entered.status().is_redirection(),
        "{}",
        entered.status()
    );

    eventually(Duration::from_secs(20), "the gauges", || async {
        let metrics = http.get(format!("{base}/metrics")).send().await?.text().await?;
        anyhow::ensure!(
            metrics.contains("postroom_accounts{state=\"connected\"} 0"),
            "{metrics}"
        );
        Ok::<_, anyhow::Error>(())
    })
    .await;
    let client = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postroom"));
        command
            .args(arguments)
            .args(["--url", &base])
            .arg("--data-dir")
            .arg(&data)
            .output()
            .unwrap()
    };
    let listed = client(&["account", "list"]);
    assert!(
        listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("No account"),
        "{listed:?}"
    );
    assert!(client(&["events", "list"]).status.success());
    let doctor = client(&["doctor"]);
    assert!(
        doctor.status.success() && String::from_utf8_lossy(&doctor.stdout).contains("ok "),
        "{doctor:?}"
    );
    let stranger = client(&["account", "show", "01935f0e-7a3c-7bd2-9c41-6a1f6b0d2c11"]);
    assert!(
        !stranger.status.success() && String::from_utf8_lossy(&stranger.stderr).contains("account"),
        "{stranger:?}"
    );

    let asked = Instant::now();
    let pid = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());

    let (_again, said) = start(&data, port);
    assert!(
        !said.iter().any(|line| line.contains("API key")),
        "the key is shown once: {said:?}"
    );
}

#[test]
fn half_a_configuration_is_refused_with_the_way_out() {
    let output = Command::new(env!("CARGO_BIN_EXE_postroom"))
        .env("POSTROOM_AMQP_URL", "amqp://postroom:canary@localhost/%2f")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        words.contains("POSTROOM_DATABASE_URL") && !words.contains("canary"),
        "{words}"
    );
}
