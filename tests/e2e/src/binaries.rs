//! The binaries that the tests start.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The root of the workspace.
pub fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A binary of the workspace, built with the same profile as the program that asks.
///
/// # Errors
/// When it has not been built: `cargo build --workspace` builds all of them, and `cargo xtask test` does so first.
pub fn binary(name: &str) -> Result<PathBuf> {
    let asking = std::env::current_exe().context("cannot find the running program")?;
    let beside = asking
        .parent()
        .context("the running program lies in no directory")?;
    // Tests lie one level below the binaries.
    let directory = if beside.ends_with("deps") {
        beside.parent().unwrap_or(beside)
    } else {
        beside
    };
    let path = directory.join(name);
    ensure!(
        path.is_file(),
        "there is no {}: run `cargo build --workspace` first",
        path.display()
    );
    Ok(path)
}

/// What `NAME ARGUMENTS --help` prints.
///
/// # Errors
/// When the binary has not been built, or does not know such a command.
pub fn help(name: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary(name)?)
        .args(arguments)
        .arg("--help")
        .output()?;
    ensure!(
        output.status.success(),
        "`{name} {} --help` fails: it knows no such command",
        arguments.join(" ")
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
