//! Release builds of what is measured: a debug build would flatter the slower side.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

/// Builds a package of the workspace in release mode and returns the path of its one binary, `binary`.
///
/// # Errors
/// Cargo could not be started, or the package does not build (cargo has then said why on standard error).
pub(crate) async fn release_binary(package: &str, binary: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--package",
            package,
            "--bin",
            binary,
            "--message-format",
            "json-render-diagnostics",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .context("cargo could not be started")?;
    if !output.status.success() {
        bail!("the release build of {package} failed; cargo's messages above say why");
    }
    executable(&output.stdout, binary).with_context(|| format!("cargo named no binary {binary} of {package}"))
}

/// The path that cargo's messages, one JSON object a line, name for a binary.
fn executable(messages: &[u8], binary: &str) -> Option<PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == binary)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_the_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}
{"reason":"compiler-artifact","target":{"name":"bare"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"bare"},"executable":"/t/bare"}
"#;
        assert_eq!(executable(messages, "bare"), Some(PathBuf::from("/t/bare")));
        assert_eq!(executable(messages, "none"), None);
    }
}
