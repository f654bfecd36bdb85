//! The bench `backfill`: 20,000 varied messages from Dovecot over TLS, from the moment of connecting to completely stored, beside
//! the bare drain of the same mailbox.

mod drain;
mod mailbox;

use anyhow::Result;

use super::Bench;
use super::build::release_binary;
use super::judge::{Bound, Ratio, Target};
use super::rounds::progress;
use drain::BareDrain;
use mailbox::BenchMailbox;

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
    progress("filling a mailbox with 20,000 messages ...");
    let mailbox = BenchMailbox::fill().await?;
    progress("letting the server index it ...");
    let drain = BareDrain::new(bare, mailbox);
    drain.once().await?;
    Ok(Bench {
        name: "backfill",
        contenders: vec![Box::new(drain)],
        ratios: RATIOS.to_vec(),
        targets: TARGETS.to_vec(),
    })
}
