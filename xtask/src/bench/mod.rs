//! `cargo xtask bench NAME`: measures the product beside the bare limit, or a peer, in the same run.
//!
//! Absolute figures move between machines, so a bench is a value: contenders that run in turn, round by round, ratios between their
//! figures, and the targets these must reach. Everything is judged by the median of the rounds.

mod backfill;
mod build;
mod contender;
mod judge;
mod report;
mod rounds;
mod usage;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use contender::Contender;
use judge::{Ratio, Target};

/// Measure the product beside the bare limit, several rounds, and say whether the targets are met.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Which bench to run; without it, the benches there are
    name: Option<String>,
    /// Print one JSON object after the table, on a line of its own
    #[arg(long)]
    json: bool,
    /// How many times each contender runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// A bench: who runs, which figures are set against which, and what is to be reached.
pub(crate) struct Bench {
    name: &'static str,
    contenders: Vec<Box<dyn Contender>>,
    ratios: Vec<Ratio>,
    targets: Vec<Target>,
}

const NAMES: [&str; 1] = ["backfill"];

/// Runs a bench and prints its report. The exit code says whether every contender ran, not whether the targets are met.
///
/// # Errors
/// The bench has no such name, or what it needs (the testbed, a release build) could not be had, or Ctrl-C stopped it; mailboxes and
/// processes made for it are gone then.
pub(crate) async fn run(args: &BenchArgs) -> Result<ExitCode> {
    tokio::select! {
        outcome = measure(args) => outcome,
        _ = tokio::signal::ctrl_c() => bail!("the bench was stopped before its end; nothing was judged"),
    }
}

async fn measure(args: &BenchArgs) -> Result<ExitCode> {
    let mut bench = match args.name.as_deref() {
        Some("backfill") => backfill::bench()
            .await
            .context("the bench backfill could not be prepared")?,
        Some(name) => bail!(
            "there is no bench {name:?}; the benches are: {}",
            NAMES.join(", ")
        ),
        None => bail!("name a bench; the benches are: {}", NAMES.join(", ")),
    };
    let samples = rounds::run(&mut bench.contenders, args.rounds).await;
    let report = report::Report::new(&bench, &samples);
    report.print(args.json)?;
    Ok(if samples.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
