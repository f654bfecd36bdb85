//! `postroom`: run everything in one process, bring a database up to date, make keys.

mod first_run;
mod keys;
mod migrate;
mod run;

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
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => run::main(cli.settings),
        Some(Command::Run(settings)) => run::main(*settings),
        Some(Command::Migrate(settings)) => migrate::main(*settings),
        Some(Command::Keys(command)) => keys::main(&command),
    }
}

/// What a person at the terminal reads; never the log.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}
