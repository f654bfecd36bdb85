//! Servers that belong to one test, which may stop and kill them.

pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod rabbitmq;

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::run;

/// A new directory that a server's own user may enter and write. The name is short: unix sockets live below.
async fn directory_of(user: &str) -> Result<TempDir> {
    let directory = tempfile::Builder::new()
        .prefix("postroom-")
        .tempdir()
        .context("a temporary directory")?;
    run("chown", [user.as_ref(), directory.path().as_os_str()], "chown").await?;
    Ok(directory)
}

/// `setpriv` with the arguments that run a program as `user`, in `directory`.
fn as_user(user: &str, directory: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("setpriv");
    command
        .args(["--reuid", user, "--regid", user, "--init-groups"])
        .current_dir(directory);
    command
}
