//! `cargo xtask testbed`: the real servers that tests talk to. The work is done by `tests/testbed/testbed.sh`, because
//! it is installing packages and starting daemons; what stands here finds the script and passes its outcome on.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

/// Starts, stops and shows the mail world that tests talk to: Dovecot, Postfix, an OpenID provider, PostgreSQL,
/// RabbitMQ and Chromium, on loopback.
#[derive(Args)]
pub(crate) struct TestbedArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install what is missing and start what is not running. Needs root on Debian.
    Up(Services),
    /// Stop what `up` has started, and nothing else.
    Down(Services),
    /// Show each service with its process and its ports; fails if one does not answer.
    Status,
}

#[derive(Args)]
struct Services {
    /// Only these: postgres, rabbitmq, openid, dovecot, sink, postfix, chromium, deployment.
    services: Vec<String>,
}

/// Runs the command. Its exit code is the script's.
///
/// # Errors
/// If there is no bash.
pub(crate) fn run(args: &TestbedArgs) -> Result<ExitCode> {
    let (action, services): (&str, &[String]) = match &args.action {
        Action::Up(named) => ("up", &named.services),
        Action::Down(named) => ("down", &named.services),
        Action::Status => ("status", &[]),
    };
    let status = script(action, services)?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Starts everything, installing what is missing.
///
/// # Errors
/// If something could not be started.
pub(crate) fn up() -> Result<()> {
    anyhow::ensure!(
        script("up", &[])?.success(),
        "the testbed could not be started; see the lines above"
    );
    Ok(())
}

fn script(action: &str, services: &[String]) -> Result<ExitStatus> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/testbed/testbed.sh");
    Command::new("bash")
        .arg(&script)
        .arg(action)
        .args(services)
        .status()
        .with_context(|| format!("cannot run bash {}", script.display()))
}
