//! Running the servers' own tools.

use std::ffi::OsStr;

use anyhow::{Context, Result, bail};

/// Runs a program to its end and returns what it printed. `label` names it in errors, without its secrets.
pub(crate) async fn run<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = A>,
    label: &str,
) -> Result<String> {
    let output = tokio::process::Command::new(program)
        .args(args)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .with_context(|| format!("{label} could not be started"))?;
    if !output.status.success() {
        bail!(
            "{label} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("{label} printed something that is not UTF-8"))
}
