//! What a bench says at its end: a table for people, and one JSON object for programs.

use std::collections::BTreeMap;
use std::io::{Write, stdout};

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::Bench;
use super::judge::{Bound, Verdict, figures, judge, ratios};
use super::rounds::Samples;

/// The medians and verdicts of a bench.
pub(crate) struct Report {
    bench: &'static str,
    rounds: usize,
    figures: BTreeMap<String, f64>,
    ratios: BTreeMap<String, f64>,
    targets: Vec<(&'static str, Verdict)>,
    failures: Vec<String>,
}

impl Report {
    pub(crate) fn new(bench: &Bench, samples: &Samples) -> Self {
        Self {
            bench: bench.name,
            rounds: samples.rounds,
            figures: figures(samples),
            ratios: ratios(samples, &bench.ratios),
            targets: bench
                .targets
                .iter()
                .map(|target| (target.name, judge(target, samples, &bench.ratios)))
                .collect(),
            failures: samples.failures.clone(),
        }
    }

    /// Whether there are targets, every one was run and every one is reached.
    pub(crate) fn met(&self) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|(_, verdict)| verdict.met)
    }

    /// Prints the table and, if asked for, the JSON object as the last line.
    pub(crate) fn print(&self, as_json: bool) -> Result<()> {
        let mut out = stdout().lock();
        out.write_all(self.table().as_bytes())?;
        if as_json {
            writeln!(out, "{}", self.json())?;
        }
        Ok(())
    }

    fn table(&self) -> String {
        let mut lines = vec![format!("{}: medians of {} rounds", self.bench, self.rounds)];
        let rows = self.figures.iter().chain(&self.ratios);
        let width = rows
            .clone()
            .map(|(name, _)| name.len())
            .chain([24])
            .max()
            .unwrap_or_default();
        lines.extend(rows.map(|(name, value)| format!("  {name:<width$}  {value:>12.3}")));
        for (name, verdict) in &self.targets {
            let bound = match verdict.bound {
                Bound::AtMost(most) => format!("at most {most}"),
                Bound::Below(limit) => format!("below {limit}"),
            };
            let outcome = match (verdict.median, verdict.met) {
                (None, _) => "was not run".to_owned(),
                (Some(median), true) => format!("{median:.3}: met"),
                (Some(median), false) => format!("{median:.3}: NOT met"),
            };
            lines.push(format!("  target {name} ({bound}): {outcome}"));
        }
        lines.extend(self.failures.iter().map(|failure| format!("  {failure}")));
        lines.push(String::new());
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let targets: Map<String, Value> = self
            .targets
            .iter()
            .map(|(name, verdict)| ((*name).to_owned(), verdict_json(verdict)))
            .collect();
        json!({
            "bench": self.bench,
            "figures": rounded(&self.figures),
            "ratios": rounded(&self.ratios),
            "targets": targets,
            "met": self.met(),
        })
    }
}

fn verdict_json(verdict: &Verdict) -> Value {
    let (kind, bound) = match verdict.bound {
        Bound::AtMost(most) => ("at_most", most),
        Bound::Below(limit) => ("below", limit),
    };
    json!({ kind: bound, "median": verdict.median.map(thousandths), "met": verdict.met })
}

fn rounded(values: &BTreeMap<String, f64>) -> Map<String, Value> {
    values
        .iter()
        .map(|(name, value)| (name.clone(), thousandths(*value).into()))
        .collect()
}

/// Three digits behind the point: what is behind them is noise.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::judge::{Ratio, Target};
    use super::*;

    fn report(targets: Vec<Target>) -> Report {
        let mut samples = Samples {
            rounds: 1,
            ..Samples::default()
        };
        samples.note("bare", "seconds", 0, 2.0);
        samples.note("product", "seconds", 0, 7.0);
        let ratio = Ratio {
            name: "product_to_bare",
            of: "product_seconds",
            to: "bare_seconds",
        };
        let bench = Bench {
            name: "example",
            contenders: Vec::new(),
            ratios: vec![ratio],
            targets,
        };
        Report::new(&bench, &samples)
    }

    const REACHED: Target = Target {
        name: "product_to_bare",
        bound: Bound::AtMost(4.0),
    };
    const MISSED: Target = Target {
        name: "product_seconds",
        bound: Bound::Below(7.0),
    };
    const NOT_RUN: Target = Target {
        name: "peer_seconds",
        bound: Bound::AtMost(9.0),
    };

    #[test]
    fn the_object_has_the_promised_shape() {
        assert_eq!(
            report(vec![REACHED]).json(),
            json!({
                "bench": "example",
                "figures": { "bare_seconds": 2.0, "product_seconds": 7.0 },
                "ratios": { "product_to_bare": 3.5 },
                "targets": { "product_to_bare": { "at_most": 4.0, "median": 3.5, "met": true } },
                "met": true,
            })
        );
    }

    #[test]
    fn all_targets_must_be_run_and_reached() {
        assert!(report(vec![REACHED]).met());
        assert!(!report(vec![REACHED, MISSED]).met());
        assert!(!report(vec![REACHED, NOT_RUN]).met());
        assert!(
            !report(Vec::new()).met(),
            "without targets there is nothing to be met"
        );
        assert_eq!(
            report(vec![NOT_RUN]).json()["targets"]["peer_seconds"]["median"],
            Value::Null
        );
    }

    #[test]
    fn the_table_says_what_was_not_run() {
        let table = report(vec![REACHED, MISSED, NOT_RUN]).table();
        assert!(
            table.contains("target product_to_bare (at most 4): 3.500: met"),
            "{table}"
        );
        assert!(
            table.contains("target product_seconds (below 7): 7.000: NOT met"),
            "{table}"
        );
        assert!(
            table.contains("target peer_seconds (at most 9): was not run"),
            "{table}"
        );
    }
}
