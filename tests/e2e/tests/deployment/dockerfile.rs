//! Dockerfile.

use postroom_e2e::{binary, workspace_root};

use crate::{assert_command_fits, variables};

#[test]
fn the_dockerfile_copies_and_starts_what_there_is() {
    let text = std::fs::read_to_string(workspace_root().join("Dockerfile"))
        .unwrap()
        .replace("\\\n", " ");
    let copied: Vec<_> = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("/src/target/release/"))
        .collect();
    assert_eq!(copied.len(), 5, "{copied:?}");
    for name in copied {
        binary(name).unwrap();
    }
    let known = variables("postroom", &["run"]);
    let environment = text.lines().find_map(|line| line.strip_prefix("ENV ")).unwrap();
    for variable in environment
        .split_whitespace()
        .map(|pair| pair.split('=').next().unwrap())
    {
        assert!(known.contains(variable), "{variable}");
    }
    let command: Vec<String> =
        serde_json::from_str(text.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap()).unwrap();
    assert_command_fits(
        "Dockerfile",
        &command.iter().map(String::as_str).collect::<Vec<_>>(),
        [],
    );
    let port = text
        .lines()
        .find_map(|line| line.strip_prefix("EXPOSE "))
        .unwrap()
        .trim();
    assert!(
        environment.contains(&format!(":{port}")),
        "{port} is not where it listens: {environment}"
    );
}
