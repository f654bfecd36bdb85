//! `postroom`: run everything in one process, bring a database up to date, make keys.

mod account;
mod client;
mod discover;
mod doctor;
mod events;
mod first_run;
mod keys;
mod migrate;
mod run;
mod tenant;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use postroom_runtime::Settings;

#[derive(Parser)]
#[command(
    name = "postroom",
    version,
    about = "The mail back office of a CRM",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Run every service in one process. This is what `postroom` alone does, too.
    Run(Box<Settings>),
    /// Bring the database to what this version expects.
    Migrate(Box<Settings>),
    /// Keys that seal secrets at rest.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The connected mailboxes of a tenant.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// What happened.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Look at the installation, or at one mailbox step by step, and say what to do where something does not work. A
    /// mailbox's password is taken from POSTROOM_DOCTOR_PASSWORD (an access token from POSTROOM_DOCTOR_TOKEN), or asked
    /// for at the terminal; without one nobody signs in.
    Doctor(Box<doctor::DoctorArgs>),
    /// Find the servers of an address, and the ways to sign in there.
    Discover(Box<discover::DiscoverArgs>),
    /// Tenants: the CRMs that use this Postroom.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => run::main(cli.settings),
        Some(Command::Run(settings)) => run::main(*settings),
        Some(Command::Migrate(settings)) => migrate::main(*settings),
        Some(Command::Keys(command)) => keys::main(&command),
        Some(Command::Account(command)) => client(account::run(command)),
        Some(Command::Events(command)) => client(events::run(command)),
        Some(Command::Doctor(args)) => client(doctor::run(*args)),
        Some(Command::Discover(args)) => client(discover::run(*args)),
        Some(Command::Tenant(command)) => tenant::main(command),
    }
}

/// Runs a command that is a client of the API.
#[allow(clippy::print_stderr)] // the last words of a command that has no log
fn client(command: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What a person at the terminal reads; never the log.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}
