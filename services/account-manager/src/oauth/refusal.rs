//! Why a sign-in did not lead to an account.

use postroom_events::AccountId;
use postroom_oauth::{Cause, TokenError};
use postroom_store::StoreError;

use super::awaits_admin;
use crate::{
    connect::draft::ConnectDraft,
    http::problem::{FieldProblem, Problem},
};

/// A sign-in that did not lead to a connected account. Nothing was kept.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Stable snake_case code.
    pub(crate) code: String,
    /// What happened and what to do.
    pub(crate) sentence: String,
    /// Problems of the two servers, where they are the cause.
    pub(crate) problems: Vec<FieldProblem>,
    /// What was to be connected, if the answer belonged to a sign-in of this browser.
    pub(crate) draft: Option<Box<ConnectDraft>>,
    /// The account that was kept all the same and waits for an administrator.
    pub(crate) waiting: Option<AccountId>,
    /// What an administrator has to approve first.
    pub(super) awaits: Option<Box<Cause>>,
}

impl Refusal {
    pub(super) fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            sentence: sentence.into(),
            problems: Vec::new(),
            draft: None,
            waiting: None,
            awaits: None,
        }
    }

    pub(super) fn about(mut self, draft: &ConnectDraft) -> Self {
        self.draft = Some(Box::new(draft.clone()));
        self
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        Self {
            awaits: Some(error.cause)
                .filter(|cause| awaits_admin(*cause))
                .map(Box::new),
            ..Self::new(error.code(), error.to_string())
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code().to_owned(),
            sentence: problem.detail().to_owned(),
            problems: problem.field_problems().to_vec(),
            ..Self::new("", "")
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}
