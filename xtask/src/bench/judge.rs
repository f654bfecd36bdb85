//! Medians, ratios and targets: pure arithmetic over what the rounds gave.

use std::collections::BTreeMap;

use super::rounds::Samples;

/// One figure set against another, in each round by itself: both then saw the same machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratio {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// The figure above the line.
    pub(crate) of: &'static str,
    /// The figure below the line.
    pub(crate) to: &'static str,
}

/// What a figure or ratio has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// The bound itself is still good.
    AtMost(f64),
    /// The bound itself is not good enough.
    Below(f64),
}

/// A figure or ratio that must reach a bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// The name of the figure or ratio, which is the target's name too.
    pub(crate) name: &'static str,
    /// What it has to reach.
    pub(crate) bound: Bound,
}

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// What it had to reach.
    pub(crate) bound: Bound,
    /// The median of the rounds; None when it was not measured in every one of them.
    pub(crate) median: Option<f64>,
    /// Whether it was run in every round and reached the bound.
    pub(crate) met: bool,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::Below(limit) => value < limit,
        }
    }
}

/// The middle value, or the mean of the middle two; None of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The median of each figure over the rounds that measured it.
pub(crate) fn figures(samples: &Samples) -> BTreeMap<String, f64> {
    let of = |values: &Vec<Option<f64>>| median(&values.iter().copied().flatten().collect::<Vec<_>>());
    samples
        .figures
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), of(values)?)))
        .collect()
}

/// The median of each ratio over the rounds that measured both its figures.
pub(crate) fn ratios(samples: &Samples, ratios: &[Ratio]) -> BTreeMap<String, f64> {
    let of = |ratio: &Ratio| median(&by_round(samples, ratio).into_iter().flatten().collect::<Vec<_>>());
    ratios
        .iter()
        .filter_map(|ratio| Some((ratio.name.to_owned(), of(ratio)?)))
        .collect()
}

/// Judges a target. One that names neither a figure nor a ratio that was measured, or misses a round, is not met.
pub(crate) fn judge(target: &Target, samples: &Samples, ratios: &[Ratio]) -> Verdict {
    let values = match ratios.iter().find(|ratio| ratio.name == target.name) {
        Some(ratio) => by_round(samples, ratio),
        None => samples.figures.get(target.name).cloned().unwrap_or_default(),
    };
    let complete: Option<Vec<f64>> = values.into_iter().collect();
    let median = complete.and_then(|values| median(&values));
    Verdict {
        bound: target.bound,
        median,
        met: median.is_some_and(|median| target.bound.holds(median)),
    }
}

fn by_round(samples: &Samples, ratio: &Ratio) -> Vec<Option<f64>> {
    let (Some(of), Some(to)) = (samples.figures.get(ratio.of), samples.figures.get(ratio.to)) else {
        return Vec::new();
    };
    let divided = |(of, to): (&Option<f64>, &Option<f64>)| match (of, to) {
        (Some(of), Some(to)) if *to > 0.0 => Some(of / to),
        _ => None,
    };
    of.iter().zip(to).map(divided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIO: Ratio = Ratio {
        name: "product_to_bare",
        of: "product_seconds",
        to: "bare_seconds",
    };

    fn samples(product: &[Option<f64>], bare: &[Option<f64>]) -> Samples {
        let figures = [("product_seconds", product), ("bare_seconds", bare)]
            .map(|(name, values)| (name.to_owned(), values.to_vec()));
        Samples {
            rounds: product.len(),
            figures: figures.into(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), Some(3.0));
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine was slow for both in the last round: the ratio of medians would be 3, the median of ratios is 2.
        let samples = samples(
            &[Some(2.0), Some(6.0), Some(20.0)],
            &[Some(1.0), Some(2.0), Some(10.0)],
        );
        assert_eq!(ratios(&samples, &[RATIO])["product_to_bare"], 2.0);
        assert_eq!(figures(&samples)["product_seconds"], 6.0);
    }

    #[test]
    fn a_bound_is_reached_by_the_median() {
        let samples = samples(&[Some(4.0), Some(3.0), Some(9.0)], &[Some(1.0); 3]);
        let judged = |bound| {
            judge(
                &Target {
                    name: "product_to_bare",
                    bound,
                },
                &samples,
                &[RATIO],
            )
            .met
        };
        assert!(judged(Bound::AtMost(4.0)));
        assert!(!judged(Bound::Below(4.0)));
        assert!(judged(Bound::Below(4.1)));
        let figure = Target {
            name: "product_seconds",
            bound: Bound::AtMost(4.0),
        };
        assert!(judge(&figure, &samples, &[RATIO]).met);
    }

    #[test]
    fn a_target_that_was_not_run_in_every_round_is_not_met() {
        let target = Target {
            name: "product_to_bare",
            bound: Bound::AtMost(100.0),
        };
        for samples in [
            samples(&[Some(1.0), None, Some(1.0)], &[Some(1.0); 3]),
            samples(&[Some(1.0); 3], &[Some(1.0), Some(0.0), Some(1.0)]),
            samples(&[], &[]),
            Samples::default(),
        ] {
            let verdict = judge(&target, &samples, &[RATIO]);
            assert_eq!((verdict.median, verdict.met), (None, false), "{samples:?}");
        }
    }
}
