//! The manifests in k8s/.

use std::process::Command;

use postroom_e2e::{Mode, Stack, StackOptions};
use postroom_test_support::Testbed;
use serde_json::Value;

use crate::{assert_command_fits, pipe, run, strings, yaml};

const LAYERS: &[&str] = &["k8s/base", "k8s/overlays/one-node", "k8s/overlays/many-workers"];
/// What the Secret `postroom`, which the operator makes, holds (docs/operations.md).
const SECRET: &[&str] = &[
    "POSTROOM_DATABASE_URL",
    "POSTROOM_AMQP_URL",
    "POSTROOM_SECRET_KEYS",
];

fn containers(document: &Value) -> Vec<&Value> {
    let list = &document["spec"]["template"]["spec"]["containers"];
    list.as_array()
        .map(|list| list.iter().collect())
        .unwrap_or_default()
}

#[test]
fn the_manifests_follow_the_schemas_of_kubernetes() {
    let python = Testbed::load().unwrap().deployment_python;
    let script = "import json,sys,kubernetes_validate as k\nfor d in json.load(sys.stdin): k.validate(d, '1.33', strict=True)";
    for layer in LAYERS {
        let documents = yaml(&run(Command::new("kubectl").args(["kustomize", layer])));
        assert!(documents.len() >= 10, "{layer}: {}", documents.len());
        pipe(
            Command::new(&python).args(["-c", script]),
            &serde_json::to_vec(&documents).unwrap(),
        );
    }
}

#[test]
fn the_manifests_fit_the_binaries() {
    for layer in LAYERS {
        let documents = yaml(&run(Command::new("kubectl").args(["kustomize", layer])));
        let config = documents
            .iter()
            .find(|document| document["kind"] == "ConfigMap")
            .unwrap();
        let given: Vec<_> = config["data"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .chain(SECRET.iter().copied())
            .collect();
        let port = config["data"]["POSTROOM_LISTEN"]
            .as_str()
            .unwrap()
            .rsplit(':')
            .next()
            .unwrap();
        let mut commands = Vec::new();
        for container in documents.iter().flat_map(containers) {
            let command = strings(&container["command"]);
            assert_command_fits(
                &format!("{layer} {}", container["name"]),
                &command,
                given.iter().copied(),
            );
            for open in container["ports"].as_array().into_iter().flatten() {
                assert_eq!(
                    open["containerPort"].to_string(),
                    port,
                    "{layer} {}",
                    container["name"]
                );
            }
            commands.push(command.join(" "));
        }
        commands.sort_unstable();
        assert_eq!(
            commands,
            [
                "account-manager",
                "imap-fetcher",
                "postroom migrate",
                "smtp-sender",
                "token-refresher"
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_probe_is_answered() {
    let stack = Stack::start(Mode::Embedded, StackOptions::default())
        .await
        .unwrap();
    let documents = yaml(&run(Command::new("kubectl").args(["kustomize", "k8s/base"])));
    let mut asked = 0;
    for container in documents.iter().flat_map(containers) {
        for probe in ["livenessProbe", "readinessProbe"] {
            if let Some(path) = container[probe]["httpGet"]["path"].as_str() {
                stack.api.bytes(path).await.unwrap();
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 8);
}
