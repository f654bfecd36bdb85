//! The bench `backfill`: 20,000 varied messages from Dovecot over TLS, from the moment of connecting to completely stored, beside
//! the bare drain of the same mailbox.

mod drain;
mod mailbox;
mod product;

use std::sync::Arc;

use anyhow::{Context, Result};
use postroom_e2e::{Mode, SERVICES};

use super::Bench;
use super::build::release_binary;
use super::judge::{Bound, Ratio, Target};
use super::rounds::progress;
use drain::BareDrain;
use mailbox::BenchMailbox;
use product::Product;

const RATIOS: [Ratio; 2] = [
    Ratio {
        name: "embedded_to_drain",
        of: "embedded_seconds",
        to: "drain_seconds",
    },
    Ratio {
        name: "postgres_to_drain",
        of: "postgres_seconds",
        to: "drain_seconds",
    },
];

const TARGETS: [Target; 3] = [
    Target {
        name: "embedded_to_drain",
        bound: Bound::AtMost(4.0),
    },
    Target {
        name: "postgres_to_drain",
        bound: Bound::AtMost(4.0),
    },
    Target {
        name: "embedded_peak_mib",
        bound: Bound::Below(150.0),
    },
];

/// Builds what is measured, fills a mailbox of the testbed, and lets the server index it by a drain that does not count.
pub(crate) async fn bench() -> Result<Bench> {
    progress("building in release mode ...");
    let bare = release_binary("postroom-bare", "postroom-bare").await?;
    for service in SERVICES {
        release_binary(service, service).await?;
    }
    let postroom = release_binary("postroom", "postroom").await?;
    let binaries = postroom
        .parent()
        .context("a binary lies in no directory")?
        .to_owned();
    progress("filling a mailbox with 20,000 messages ...");
    let mailbox = BenchMailbox::fill().await?;
    progress("letting the server index it ...");
    let drain = BareDrain::new(bare, Arc::clone(&mailbox));
    drain.once().await?;
    let product = |mode| Product::new(mode, binaries.clone(), Arc::clone(&mailbox));
    Ok(Bench {
        name: "backfill",
        contenders: vec![
            Box::new(drain),
            Box::new(product(Mode::Embedded)),
            Box::new(product(Mode::Distributed)),
        ],
        ratios: RATIOS.to_vec(),
        targets: TARGETS.to_vec(),
    })
}
