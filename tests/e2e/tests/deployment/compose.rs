//! docker-compose.yml.

use std::process::Command;

use crate::{assert_command_fits, run, strings, yaml};

#[test]
fn the_compose_file_is_valid_and_fits_the_binaries() {
    let resolved = run(Command::new("docker-compose").args(["-f", "docker-compose.yml", "config"]));
    let document = yaml(&resolved).remove(0);
    let services = document["services"].as_object().unwrap();
    let mut ours = Vec::new();
    for (name, service) in services
        .iter()
        .filter(|(_, service)| service["image"] == "postroom:0.1.0")
    {
        let given = service["environment"].as_object().unwrap();
        assert_command_fits(
            &format!("compose service {name}"),
            &strings(&service["command"]),
            given.keys().map(String::as_str),
        );
        let listen = given["POSTROOM_LISTEN"].as_str().unwrap();
        let port = listen.rsplit(':').next().unwrap();
        for published in strings(&service["ports"]) {
            assert!(
                published
                    .split('/')
                    .next()
                    .unwrap()
                    .ends_with(&format!(":{port}")),
                "{name}: {published} is not {listen}"
            );
        }
        ours.push(name.as_str());
    }
    ours.sort_unstable();
    assert_eq!(
        ours,
        [
            "account-manager",
            "imap-fetcher",
            "migrate",
            "smtp-sender",
            "token-refresher"
        ]
    );
}
