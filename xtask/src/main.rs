//! `cargo xtask`: what people who work on Postroom run.

mod bench;
mod demo;
mod test;
mod testbed;

use std::process::{self, ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What people who work on Postroom run")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bench(bench::BenchArgs),
    Demo(demo::DemoArgs),
    Test(test::TestArgs),
    Testbed(testbed::TestbedArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Bench(args) => bench::run(&args).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Test(args) => test::run(&args),
        Command::Testbed(args) => testbed::run(&args),
    }
}

/// Runs a command to its end. Gives whether it succeeded.
fn shell(command: &[&str]) -> Result<bool> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let status = process::Command::new(program).args(arguments).status();
    Ok(status
        .with_context(|| format!("cannot start {program}"))?
        .success())
}

/// What the person at the terminal reads.
#[allow(clippy::print_stdout)] // what it prints is what it is for
fn say(line: &str) {
    println!("{line}");
}

/// Why a command failed.
#[allow(clippy::print_stderr)] // the last words of a command
fn complain(sentence: &str) {
    eprintln!("{sentence}");
}
