//! Secrets are in no log, event, dead letter or file of the data directory.

use std::{fs, path::Path};

use base64_of::encodings;
use postroom_events::SubmissionState as State;
use postroom_test_support::eventually;

use crate::rig::{PATIENCE, Rig, World, mail};

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_us_in_is_written_nowhere() {
    let rig = Rig::new(World::Embedded).await;
    let to = rig.testbed.create_user("to").unwrap();
    let user = |name| rig.testbed.create_user(name).unwrap();
    let (good, wrong, token, bad_token) = (user("good"), user("wrong"), user("token"), user("badtoken"));
    let client = rig.testbed.openid_address.web_client.id.clone();
    let minted = rig.testbed.openid().mint(&token, &client).await.unwrap();
    let port = rig.testbed.submission.tls_port;
    let wrong_password = "canary-wrong-password-4711";
    let wrong_token = "canary-wrong-token-0815";
    let accounts = [
        (rig.connect(&good).await, &good),
        (rig.connect_at(&wrong, port, wrong_password).await, &wrong),
        (rig.connect_oauth(&token, &minted.access_token).await.0, &token),
        (rig.connect_oauth(&bad_token, wrong_token).await.0, &bad_token),
    ];
    let mut worker = rig.worker("canary");
    let mut submissions = Vec::new();
    for (id, from) in &accounts {
        submissions.push(rig.submit(*id, &[&to.address], &mail(from, "canary")).await);
    }
    for sent in [submissions[0], submissions[2]] {
        assert_eq!(rig.finished(sent).await.state, State::Sent);
    }
    for (refused, cause) in [(1, "password_refused"), (3, "token_refused")] {
        rig.becomes(submissions[refused], "a refusal", |row| {
            row.cause.as_deref() == Some(cause)
        })
        .await;
    }
    eventually(PATIENCE, "the log to tell of it", async || {
        fs::read_to_string(&worker.log)
            .unwrap()
            .contains("An attempt to send ended")
    })
    .await;
    assert!(worker.terminate());

    let canaries = [
        good.password.as_str(),
        wrong_password,
        wrong_token,
        minted.access_token.as_str(),
    ];
    let mut searched = 0;
    for file in files(rig.directory.path()) {
        let content = fs::read(&file).unwrap();
        searched += content.len();
        for canary in canaries {
            for written in encodings(canary) {
                let found = content
                    .windows(written.len())
                    .any(|window| window == written.as_bytes());
                assert!(!found, "{} holds a secret", file.display());
            }
        }
    }
    assert!(
        searched > 100_000,
        "the log and the database were read: {searched} bytes"
    );
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A secret as it may be written: as it is, and in base64, in which three bytes are four letters, wherever it begins.
mod base64_of {
    use std::process::{Command, Stdio};

    pub(super) fn encodings(secret: &str) -> Vec<String> {
        let mut all = vec![secret.to_owned()];
        for shift in 0..3 {
            let shifted = format!("{}{secret}", "x".repeat(shift));
            let encoded = base64(&shifted);
            // Neither end depends on what stands before or behind it.
            let inner = &encoded[4..encoded.len() - 4];
            all.push(inner[..inner.len().min(40)].to_owned());
        }
        all
    }

    fn base64(text: &str) -> String {
        use std::io::Write;
        let mut child = Command::new("base64")
            .arg("-w0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }
}
