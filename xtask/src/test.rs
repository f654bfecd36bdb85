//! `cargo xtask test`: everything that must hold, on real servers. Says what it runs, and skips nothing silently.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{say, shell, testbed};

/// Start what the tests need, then run every check and every test.
#[derive(Args)]
pub(crate) struct TestArgs {}

struct Step {
    name: &'static str,
    command: &'static [&'static str],
}

const STEPS: &[Step] = &[
    Step {
        name: "formatting",
        command: &["cargo", "fmt", "--all", "--", "--check"],
    },
    Step {
        name: "lints",
        command: &[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    },
    Step {
        name: "dependencies",
        command: &[
            "cargo",
            "deny",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ],
    },
    Step {
        name: "tests",
        command: &[
            "cargo",
            "test",
            "--workspace",
            "--exclude",
            "postroom-e2e",
            "--locked",
            "--no-fail-fast",
        ],
    },
    // They wait more than they compute: more of them at once than there are cores.
    Step {
        name: "end to end",
        command: &[
            "cargo",
            "test",
            "--package",
            "postroom-e2e",
            "--locked",
            "--no-fail-fast",
            "--",
            "--test-threads=6",
        ],
    },
];

pub(crate) fn run(_: &TestArgs) -> Result<ExitCode> {
    testbed::up()?;
    install_cargo_deny()?;
    let mut failed = Vec::new();
    for step in STEPS {
        say(&format!("==> {}: {}", step.name, step.command.join(" ")));
        if !shell(step.command)? {
            failed.push(step.name);
        }
    }
    advisories()?;
    if failed.is_empty() {
        say("==> every check passed");
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("==> failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// The advisory database is fetched from the network; where that is closed the run says so and goes on.
fn advisories() -> Result<()> {
    say("==> advisories: cargo deny check advisories");
    if !shell(&["cargo", "deny", "--all-features", "check", "advisories"])? {
        say(
            "==> advisories: NOT CHECKED or not clean; see the lines above (the database cannot be reached from here?)",
        );
    }
    Ok(())
}

fn install_cargo_deny() -> Result<()> {
    let found = Command::new("cargo")
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if found {
        return Ok(());
    }
    say("==> installing cargo-deny");
    if !shell(&[
        "cargo",
        "install",
        "cargo-deny",
        "--locked",
        "--version",
        "0.20.2",
    ])? {
        bail!("cargo-deny cannot be installed; the dependencies cannot be checked without it");
    }
    Ok(())
}
