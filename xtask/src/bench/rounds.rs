//! Runs the contenders in turn, round by round, so that what disturbs the machine disturbs all of them.

use std::collections::BTreeMap;

use super::contender::Contender;

/// What the rounds gave.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// How many rounds were run.
    pub(crate) rounds: usize,
    /// Per figure its value in each round; None where its contender failed.
    pub(crate) figures: BTreeMap<String, Vec<Option<f64>>>,
    /// A sentence for each run that failed.
    pub(crate) failures: Vec<String>,
}

impl Samples {
    /// Notes a figure of a round, counted from 0.
    pub(crate) fn note(&mut self, contender: &str, figure: &str, round: usize, value: f64) {
        let values = self.figures.entry(format!("{contender}_{figure}")).or_default();
        values.resize(self.rounds, None);
        if let Some(place) = values.get_mut(round) {
            *place = Some(value);
        }
    }
}

/// Runs every contender once a round. Each round begins with the next contender, so that none always has the machine at its freshest.
pub(crate) async fn run(contenders: &mut [Box<dyn Contender>], rounds: u32) -> Samples {
    let rounds = rounds as usize;
    let mut samples = Samples {
        rounds,
        ..Samples::default()
    };
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            let contender = &mut contenders[at];
            let name = contender.name();
            progress(&format!("round {} of {rounds}: {name} ...", round + 1));
            match contender.run().await {
                Ok(measured) => {
                    for (figure, value) in measured.0 {
                        samples.note(name, figure, round, value);
                    }
                }
                Err(error) => {
                    let failure = format!("{name} failed in round {}: {error:#}", round + 1);
                    progress(&failure);
                    samples.failures.push(failure);
                }
            }
        }
    }
    samples
}

/// Tells the person who waits what is being done. Standard output is kept for the report.
#[allow(clippy::print_stderr, reason = "a command line tool talks to its user")]
pub(crate) fn progress(line: &str) {
    eprintln!("bench: {line}");
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use anyhow::{Result, bail};
    use async_trait::async_trait;

    use super::super::contender::Measured;
    use super::*;

    struct Scripted {
        name: &'static str,
        answers: Vec<Option<f64>>,
        diary: Arc<Mutex<Vec<&'static str>>>,
    }

    #[async_trait]
    impl Contender for Scripted {
        fn name(&self) -> &'static str {
            self.name
        }

        async fn run(&mut self) -> Result<Measured> {
            self.diary.lock().unwrap().push(self.name);
            match self.answers.remove(0) {
                Some(seconds) => Ok(Measured::default().with("seconds", seconds)),
                None => bail!("the server hung up"),
            }
        }
    }

    #[tokio::test]
    async fn contenders_take_turns_and_a_failure_leaves_a_gap() {
        let diary = Arc::new(Mutex::new(Vec::new()));
        let scripted = |name, answers: &[Option<f64>]| -> Box<dyn Contender> {
            Box::new(Scripted {
                name,
                answers: answers.to_vec(),
                diary: Arc::clone(&diary),
            })
        };
        let mut contenders = [
            scripted("bare", &[Some(1.0), Some(2.0), Some(3.0)]),
            scripted("product", &[Some(4.0), None, Some(6.0)]),
        ];
        let samples = run(&mut contenders, 3).await;
        assert_eq!(
            *diary.lock().unwrap(),
            ["bare", "product", "product", "bare", "bare", "product"]
        );
        assert_eq!(samples.figures["bare_seconds"], [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!(samples.figures["product_seconds"], [Some(4.0), None, Some(6.0)]);
        assert_eq!(
            samples.failures,
            ["product failed in round 2: the server hung up"]
        );
    }
}
