//! `postroom discover` and `postroom doctor ADDRESS`, as a person types them, with the testbed's servers.

#![allow(clippy::unwrap_used)] // helpers of the tests below
use std::{path::Path, process::Output};

use postroom_test_support::Testbed;
use serde_json::Value;
use tokio::process::Command;

/// Provider data that know the domain of the testbed's users.
fn provider_data(testbed: &Testbed) -> String {
    let (imap, smtp) = (&testbed.imap, &testbed.submission);
    format!(
        "[[provider]]\nid = \"house\"\nname = \"House\"\ndomains = [\"{}\"]\n\
         imap = [{{ host = \"{}\", port = {}, tls = \"tls\" }}]\n\
         smtp = [{{ host = \"{}\", port = {}, tls = \"starttls\" }}]\n\
         sign_in = [\"password\"]\nsent_saved_by_server = \"no\"\n",
        testbed.domain, imap.host, imap.tls_port, smtp.host, smtp.starttls_port
    )
}

async fn postroom(testbed: &Testbed, directory: &Path, password: &str, arguments: &[&str]) -> Output {
    let providers = directory.join("providers.toml");
    std::fs::write(&providers, provider_data(testbed)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_postroom"))
        .args(arguments)
        .env("POSTROOM_PROVIDERS_FILE", providers)
        .env("POSTROOM_CA_FILE", &testbed.ca_file)
        .env("POSTROOM_ALLOW_NETWORKS", "127.0.0.0/8,::1")
        .env("POSTROOM_ISPDB_URL", "off")
        .env("POSTROOM_DOCTOR_PASSWORD", password)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn discover_tells_the_servers_or_why_there_are_none() {
    let (testbed, directory) = (Testbed::load().unwrap(), tempfile::tempdir().unwrap());
    let address = format!("ann@{}", testbed.domain);
    let found = postroom(&testbed, directory.path(), "", &["discover", &address]).await;
    assert!(found.status.success(), "{found:?}");
    let said = text(&found.stdout);
    let imap = format!(
        "receive  {}:{} TLS, as {address}, by password",
        testbed.imap.host, testbed.imap.tls_port
    );
    assert!(said.contains(&imap) && said.contains("STARTTLS"), "{said}");

    let found = postroom(&testbed, directory.path(), "", &["discover", &address, "--json"]).await;
    let json: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(
        (&json["provider"], &json["imap"]["socket"]),
        (&"house".into(), &"tls".into())
    );

    let missing = postroom(&testbed, directory.path(), "", &["discover", "ann", "--json"]).await;
    assert!(!missing.status.success());
    let json: Value = serde_json::from_slice(&missing.stdout).unwrap();
    assert_eq!(json["error"]["code"], "address_invalid");
    assert!(text(&missing.stderr).contains("no @"), "{missing:?}");
}

#[tokio::test]
async fn doctor_walks_a_mailbox_and_writes_a_bundle() {
    let (testbed, directory) = (Testbed::load().unwrap(), tempfile::tempdir().unwrap());
    let user = testbed.create_user("doctor").unwrap();
    let file = directory.path().join("bundle.json");
    let arguments = ["doctor", &user.address, "--bundle", file.to_str().unwrap()];
    let well = postroom(&testbed, directory.path(), &user.password, &arguments).await;
    let said = text(&well.stdout);
    assert!(well.status.success(), "{said} {}", text(&well.stderr));
    assert!(
        said.contains("sign-in") && said.contains("folders") && !said.contains("FAILED"),
        "{said}"
    );
    let bundle = std::fs::read_to_string(&file).unwrap();
    for secret in [&user.password, &user.address] {
        assert!(
            !bundle.contains(secret.as_str()) && !said.contains(&user.password),
            "{bundle}"
        );
    }
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    assert_eq!(bundle["report"]["address"], format!("***@{}", testbed.domain));

    let arguments = ["doctor", &user.address, "--json"];
    let ill = postroom(&testbed, directory.path(), "wrong", &arguments).await;
    assert!(!ill.status.success());
    let report: Value = serde_json::from_slice(&ill.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let failed: Vec<&Value> = steps.iter().filter(|step| step["result"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{report}");
    assert_eq!(
        (&failed[0]["step"], &failed[0]["code"]),
        (&"sign_in".into(), &"credentials_refused".into())
    );

    let closed = ["doctor", &user.address, "--imap", "127.0.0.1:1", "--json"];
    let ill = postroom(&testbed, directory.path(), "", &closed).await;
    let report: Value = serde_json::from_slice(&ill.stdout).unwrap();
    assert_eq!(report["steps"][2]["code"], "refused", "{report}");
}
