//! Why there are no new tokens.

use std::time::Duration;

use postroom_events::WhoCanAct;
use postroom_oauth::{
    TokenError,
    causes::{Cause, PROVIDER_BUSY},
};
use postroom_store::{StoreError, refreshes::Answer};

/// Why there are no new tokens.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Stable snake_case code.
    pub(crate) code: &'static str,
    /// Who can end it; `Nobody` if it passes by itself.
    pub(crate) who_can_act: WhoCanAct,
    /// For whoever can end it: what happened and what to do.
    pub(crate) sentence: String,
    /// How long the provider asked us to wait.
    pub(crate) retry_after: Option<Duration>,
    /// Whether it is known what the provider did.
    pub(crate) answer: Answer,
}

impl Trouble {
    /// Something that is known of before the token endpoint is asked.
    fn before_asking(code: &'static str, who_can_act: WhoCanAct, sentence: String) -> Self {
        Self {
            code,
            who_can_act,
            sentence,
            retry_after: None,
            answer: Answer::Seen,
        }
    }

    /// A cause out of the table of identity providers.
    pub(crate) fn of_cause(cause: Cause, provider: &str, answer: Answer) -> Self {
        Self {
            answer,
            ..Self::before_asking(cause.code, cause.who_acts, cause.sentence(provider))
        }
    }

    /// What the token endpoint said, or what became of the request.
    pub(crate) fn of_refresh(error: &TokenError) -> Self {
        let answer = if error.is_transient() && error.cause != PROVIDER_BUSY {
            Answer::Lost // a broken connection, and a gateway's answer too: behind it the token may be replaced
        } else {
            Answer::Seen
        };
        Self {
            answer,
            ..Self::of_discovery(error)
        }
    }

    /// Why the token endpoint was not found.
    pub(crate) fn of_discovery(error: &TokenError) -> Self {
        Self {
            retry_after: error.retry_after,
            ..Self::before_asking(error.code(), error.who_acts(), error.to_string())
        }
    }

    /// Accounts are signed in with a registration that is not configured.
    pub(crate) fn not_configured(registration: &str) -> Self {
        let sentence = format!(
            "There is no OAuth registration '{registration}' any more, but accounts are signed in with it. Put it back \
             into the file that POSTROOM_OAUTH_FILE names."
        );
        Self::before_asking("registration_missing", WhoCanAct::Operator, sentence)
    }

    /// The stored token cannot be opened.
    pub(crate) fn secret_unreadable(error: &StoreError) -> Self {
        let sentence = format!("A refresh token cannot be unsealed: {error}. Check POSTROOM_SECRET_KEYS.");
        Self::before_asking("secret_unreadable", WhoCanAct::Operator, sentence)
    }

    /// Who else needs the grant is not known.
    pub(crate) fn database_unavailable(error: &StoreError) -> Self {
        let sentence = format!("The database could not be asked: {error}. It is tried again.");
        Self::before_asking("database_unavailable", WhoCanAct::Nobody, sentence)
    }

    /// As in metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.who_can_act {
            WhoCanAct::Nobody => "transient",
            WhoCanAct::Operator => "operator",
            WhoCanAct::User | WhoCanAct::Administrator => "reauthorization",
        }
    }

    /// As in handling outcomes.
    pub(crate) fn class(&self) -> &'static str {
        match self.who_can_act {
            WhoCanAct::Nobody => "transient",
            _ => "permanent",
        }
    }
}
