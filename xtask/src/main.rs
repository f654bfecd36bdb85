//! `cargo xtask`: what people who work on Postroom run.

mod bench;
mod test;
mod testbed;

use std::process::ExitCode;

use anyhow::Result;
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
    Test(test::TestArgs),
    Testbed(testbed::TestbedArgs),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Bench(args) => bench::run(&args).await,
        Command::Test(args) => test::run(&args),
        Command::Testbed(args) => testbed::run(&args),
    }
}
