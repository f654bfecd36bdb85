//! Compose file, manifests and Dockerfile, held against the real binaries without a container engine.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod compose;
mod dockerfile;
mod kubernetes;

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

use postroom_e2e::{help, workspace_root};
use postroom_test_support::Testbed;
use serde_json::Value;

/// Every variable that a binary reads, by its own help.
fn variables(binary: &str, arguments: &[&str]) -> BTreeSet<String> {
    // Help is wrapped to the terminal, between any two words.
    let help = help(binary, arguments)
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    help.split("[env: ")
        .skip(1)
        .map(|rest| rest.split(['=', ']']).next().unwrap().to_owned())
        .collect()
}

/// Asserts that a container's command exists and knows the variables that it is given.
fn assert_command_fits<'a>(place: &str, command: &[&str], given: impl IntoIterator<Item = &'a str>) {
    let (binary, arguments) = command
        .split_first()
        .unwrap_or_else(|| panic!("{place}: no command"));
    let known = variables(binary, arguments);
    for variable in given.into_iter().filter(|name| name.starts_with("POSTROOM_")) {
        assert!(
            known.contains(variable),
            "{place}: `{}` does not know {variable}",
            command.join(" ")
        );
    }
}

/// YAML documents as JSON, read by a second program.
fn yaml(text: &[u8]) -> Vec<Value> {
    let script =
        "import json,sys,yaml; json.dump([d for d in yaml.safe_load_all(sys.stdin) if d], sys.stdout)";
    let json = pipe(
        Command::new(Testbed::load().unwrap().deployment_python).args(["-c", script]),
        text,
    );
    serde_json::from_slice(&json).unwrap()
}

fn pipe(command: &mut Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn run(command: &mut Command) -> Vec<u8> {
    pipe(command.current_dir(workspace_root()), b"")
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .map(|items| items.iter().map(|item| item.as_str().unwrap()).collect())
        .unwrap_or_default()
}
