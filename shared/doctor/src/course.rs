//! The steps of one part, one after the other, until one fails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use postroom_mail::{imap::ImapError, net::ConnectError, smtp::SmtpError};
use postroom_retry::Clock;
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    advice,
    report::{Outcome, Part, Step, StepName},
};

/// No step takes longer, whatever the server does.
const STEP: Duration = Duration::from_secs(30);

/// What a step that did not fail says.
pub(crate) struct Finding<T> {
    pub(crate) value: T,
    pub(crate) sentence: String,
    /// What is to be known although it works, with what to do.
    pub(crate) warning: Option<String>,
    pub(crate) details: Map<String, Value>,
}

/// Why a step failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) sentence: String,
    pub(crate) advice: String,
}

/// A step has failed, so that the next one of its part makes no sense.
pub(crate) struct Stopped;

/// The steps of one part.
pub(crate) struct Course {
    clock: Arc<dyn Clock>,
    part: Part,
    server: Option<String>,
    planned: &'static [StepName],
    pub(crate) steps: Vec<Step>,
}

impl Course {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        part: Part,
        server: Option<String>,
        planned: &'static [StepName],
    ) -> Self {
        Self {
            clock,
            part,
            server,
            planned,
            steps: Vec::new(),
        }
    }

    /// Takes one step and writes down what came of it.
    pub(crate) async fn step<T>(
        &mut self,
        name: StepName,
        work: impl Future<Output = Result<Finding<T>, Failure>>,
    ) -> Result<T, Stopped> {
        let begun = self.clock.monotonic();
        let outcome = timeout(STEP, work).await.unwrap_or_else(|_| Err(too_slow()));
        let mut step = Step::skipped(self.part, name, self.server.clone(), "");
        step.ms = self.since(begun);
        let value = match outcome {
            Ok(finding) => {
                step.result = match finding.warning {
                    None => Outcome::Ok,
                    Some(_) => Outcome::Warning,
                };
                step.sentence = finding.sentence;
                step.advice = finding.warning;
                step.details = finding.details;
                Ok(finding.value)
            }
            Err(failure) => {
                step.result = Outcome::Failed;
                step.code = Some(failure.code);
                step.sentence = failure.sentence;
                step.advice = Some(failure.advice);
                Err(Stopped)
            }
        };
        self.steps.push(step);
        value
    }

    /// Leaves a step out.
    pub(crate) fn skip(&mut self, name: StepName, why: &str) {
        self.steps
            .push(Step::skipped(self.part, name, self.server.clone(), why));
    }

    /// Leaves out what has not been done yet, because of the step that failed.
    pub(crate) fn finish(mut self) -> Vec<Step> {
        let failed = self.steps.iter().find(|step| step.result == Outcome::Failed);
        let why = match failed {
            Some(failed) => format!("Not tried, because {} failed.", failed.step.label()),
            None => "Not tried.".to_owned(),
        };
        for name in &self.planned[self.steps.len().min(self.planned.len())..] {
            self.skip(*name, &why);
        }
        self.steps
    }

    fn since(&self, begun: Instant) -> u64 {
        let took = self.clock.monotonic().saturating_duration_since(begun);
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }
}

impl<T> Finding<T> {
    pub(crate) fn new(value: T, sentence: impl Into<String>) -> Self {
        Self {
            value,
            sentence: sentence.into(),
            warning: None,
            details: Map::new(),
        }
    }

    pub(crate) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn warning(mut self, advice: Option<String>) -> Self {
        self.warning = advice;
        self
    }
}

impl Failure {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
            advice: advice::of(code).to_owned(),
        }
    }
}

fn too_slow() -> Failure {
    Failure::new(
        "timed_out",
        format!("The server did not finish within {} seconds.", STEP.as_secs()),
    )
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<ImapError> for Failure {
    fn from(error: ImapError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<SmtpError> for Failure {
    fn from(error: SmtpError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
