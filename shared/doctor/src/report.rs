//! What the doctor found.

use serde::Serialize;
use serde_json::{Map, Value};

/// Everything that was looked at, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The address of the mailbox.
    pub address: String,
    /// Each step, also those that were skipped.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it belongs to.
    pub part: Part,
    /// What was looked at.
    pub step: StepName,
    /// The server, as `HOST:PORT`.
    pub server: Option<String>,
    /// What came of it.
    pub result: Outcome,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// Short name of the cause, where it failed; it stays as it is.
    pub code: Option<&'static str>,
    /// A sentence: what was found.
    pub sentence: String,
    /// What to do, and who must do it, where something is to be done.
    pub advice: Option<String>,
    /// Facts for support: addresses, the certificate, capabilities.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// What a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The mailbox as a whole.
    Account,
    /// Receiving.
    Imap,
    /// Sending.
    Smtp,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Which servers the address has.
    Servers,
    /// The access token: its end and its scopes.
    Token,
    /// The server's name.
    Dns,
    /// The TCP connection.
    Tcp,
    /// Encryption and the certificate.
    Tls,
    /// Whether it is a mail server.
    Greeting,
    /// What it offers.
    Capabilities,
    /// Signing in.
    SignIn,
    /// The list of folders.
    Folders,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// It works, and something is to be known.
    Warning,
    /// It does not work.
    Failed,
    /// It was not tried.
    Skipped,
}

impl Report {
    /// Whether nothing failed.
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.steps.iter().any(|step| step.result == Outcome::Failed)
    }

    /// The step of a part.
    #[must_use]
    pub fn step(&self, part: Part, name: StepName) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.part == part && step.step == name)
    }
}

impl Step {
    /// A step that was not tried, and why.
    pub(crate) fn skipped(part: Part, step: StepName, server: Option<String>, why: &str) -> Self {
        Self {
            part,
            step,
            server,
            result: Outcome::Skipped,
            ms: 0,
            code: None,
            sentence: why.to_owned(),
            advice: None,
            details: Map::new(),
        }
    }
}

impl Part {
    /// As people know it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Imap => "IMAP",
            Self::Smtp => "SMTP",
        }
    }
}

impl StepName {
    /// As people know it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::Token => "token",
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Greeting => "greeting",
            Self::Capabilities => "capabilities",
            Self::SignIn => "sign-in",
            Self::Folders => "folders",
        }
    }
}

impl Outcome {
    /// As people know it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}
