//! Who runs in a bench, and what is measured of a run.

use anyhow::Result;
use async_trait::async_trait;

/// One who runs in every round: the product in one of its modes, the bare limit, or a peer.
#[async_trait]
pub(crate) trait Contender: Send {
    /// Its name, which begins the names of its figures.
    fn name(&self) -> &'static str;

    /// Runs once and measures itself. What it needs again in the next round it keeps.
    async fn run(&mut self) -> Result<Measured>;
}

/// The figures of one run, by name. A name ends with its unit: `seconds`, `cpu_seconds`, `peak_mib`.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Measured(pub(crate) Vec<(&'static str, f64)>);

impl Measured {
    /// The figures of a run that moved messages: their rates come with them.
    pub(crate) fn of_messages(messages: u64, bytes: u64, seconds: f64) -> Self {
        Self(vec![
            ("seconds", seconds),
            ("messages_per_second", messages as f64 / seconds),
            ("mb_per_second", bytes as f64 / 1e6 / seconds),
        ])
    }

    /// The same with one figure more.
    pub(crate) fn with(mut self, name: &'static str, value: f64) -> Self {
        self.0.push((name, value));
        self
    }
}
