//! Why there is no token: sorted by who can act.

use std::fmt;
use std::time::Duration;

use oauth2::{ErrorResponse, RequestTokenError};
use postroom_events::WhoCanAct;
use reqwest::StatusCode;

use crate::causes::{self, Cause};
use crate::failure::{ErrorAnswer, HttpFailure, aadsts_number};
use crate::meanings::{BY_AADSTS, BY_ERROR, BY_SUBERROR};

/// Why there is no token. Printed, it is a sentence for the person who can act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenError {
    /// What it comes down to.
    pub cause: Cause,
    /// The provider's name, for the sentence.
    provider: String,
    /// How long the provider asked us to wait.
    pub retry_after: Option<Duration>,
    /// Microsoft's claims challenge: pass it on with the next authorization request.
    pub claims: Option<String>,
    /// Microsoft's number, for a person who searches for it.
    pub aadsts: Option<u32>,
}

/// What the provider put into the redirect back instead of a code (RFC 6749 section 4.1.2.1). All of it is
/// untrusted: anybody can send a browser to that URL.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedirectError<'a> {
    /// The `error` parameter.
    pub error: &'a str,
    /// The `error_subcode` or `suberror` parameter.
    pub suberror: Option<&'a str>,
    /// The `error_description` parameter; only a number is read from it.
    pub description: Option<&'a str>,
}

impl TokenError {
    pub(crate) fn new(cause: Cause, provider: &str) -> Self {
        Self {
            cause,
            provider: provider.to_owned(),
            retry_after: None,
            claims: None,
            aadsts: None,
        }
    }

    /// Who can end it.
    #[must_use]
    pub fn who_acts(&self) -> WhoCanAct {
        self.cause.who_acts
    }

    /// The stable name of the cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.cause.code
    }

    /// Whether it passes by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.cause.who_acts == WhoCanAct::Nobody
    }

    /// Whether this grant will give no token any more until a person or their administrator acts. False for what
    /// the operator repairs: the grant is as good as before then.
    #[must_use]
    pub fn ends_the_grant(&self) -> bool {
        matches!(self.cause.who_acts, WhoCanAct::User | WhoCanAct::Administrator)
    }

    /// What the redirect back from the provider means when it brings an error.
    pub(crate) fn from_redirect(error: &RedirectError<'_>, provider: &str) -> Self {
        let answer = ErrorAnswer {
            error: Some(error.error.to_owned()),
            suberror: error.suberror.map(str::to_owned),
            aadsts: error.description.and_then(aadsts_number),
            ..ErrorAnswer::default()
        };
        Self::from_answer(StatusCode::BAD_REQUEST, None, answer, provider)
    }

    pub(crate) fn from_http(failure: HttpFailure, provider: &str) -> Self {
        let cause = match failure {
            HttpFailure::Refused {
                status,
                retry_after,
                answer,
            } => {
                return Self::from_answer(status, retry_after, answer, provider);
            }
            HttpFailure::Unreachable => causes::PROVIDER_UNREACHABLE,
            HttpFailure::TimedOut => causes::PROVIDER_TIMED_OUT,
            HttpFailure::Untrusted => causes::CERTIFICATE_UNTRUSTED,
            HttpFailure::NotAllowed => causes::METADATA_UNUSABLE,
            HttpFailure::Unsigned => causes::CLIENT_ASSERTION_REFUSED,
            HttpFailure::NotJson => causes::ANSWER_NOT_UNDERSTOOD,
        };
        Self::new(cause, provider)
    }

    /// The other variants hold the body of an answer: they are dropped unread.
    pub(crate) fn from_request<T>(error: RequestTokenError<HttpFailure, T>, provider: &str) -> Self
    where
        T: ErrorResponse + 'static,
    {
        match error {
            RequestTokenError::Request(failure) => Self::from_http(failure, provider),
            _ => Self::new(causes::ANSWER_NOT_UNDERSTOOD, provider),
        }
    }

    fn from_answer(
        status: StatusCode,
        retry_after: Option<Duration>,
        answer: ErrorAnswer,
        provider: &str,
    ) -> Self {
        let cause = cause_of(status, &answer);
        Self {
            cause,
            provider: provider.to_owned(),
            retry_after,
            claims: answer.claims,
            aadsts: answer.aadsts,
        }
    }
}

fn look_up<K: PartialEq>(table: &[(K, &Cause)], key: Option<K>) -> Option<Cause> {
    let key = key?;
    table
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, cause)| **cause)
}

/// The decision. What the protocol says goes before what a number or a phrase hints at; these may only choose a better
/// sentence for the same party, or decide where the protocol leaves it open.
fn cause_of(status: StatusCode, answer: &ErrorAnswer) -> Cause {
    let hint = look_up(BY_AADSTS, answer.aadsts).or(answer.phrase.copied());
    if hint == Some(causes::REQUEST_LOOP) {
        return causes::REQUEST_LOOP; // it comes as a transient error, but trying again is the fault
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return causes::PROVIDER_BUSY;
    }
    let by_error = look_up(BY_ERROR, answer.error.as_deref());
    if status.is_server_error() {
        return by_error
            .filter(|cause| cause.who_acts == WhoCanAct::Nobody)
            .unwrap_or(causes::PROVIDER_FAULT);
    }
    if let Some(transient) = by_error.filter(|cause| cause.who_acts == WhoCanAct::Nobody) {
        return transient;
    }
    if answer.suberror.as_deref() == Some("message_only") {
        // No interaction ends it, whatever challenge comes along: signing in again would only show a message.
        return hint.unwrap_or(causes::BLOCKED_BY_POLICY);
    }
    let challenged = answer.claims.is_some().then_some(causes::MORE_PROOF_REQUIRED);
    let firm = look_up(BY_SUBERROR, answer.suberror.as_deref()).or(challenged);
    match (firm, hint) {
        (Some(firm), Some(hint)) if firm.who_acts == hint.who_acts => hint,
        // Consent lacks, says the one; that this person may not give it, the other.
        (Some(causes::CONSENT_REQUIRED), Some(hint)) if hint == causes::ADMIN_APPROVAL_REQUIRED => hint,
        (Some(firm), _) => firm,
        (None, Some(hint)) => hint,
        (None, None) => by_error.unwrap_or(match answer.error {
            Some(_) => causes::REQUEST_REFUSED,
            None => causes::ANSWER_NOT_UNDERSTOOD,
        }),
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause.sentence.replace("{provider}", &self.provider))
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use postroom_events::WhoCanAct::{Administrator, Nobody, Operator, User};

    use super::*;

    fn answer(error: &str, aadsts: Option<u32>) -> ErrorAnswer {
        ErrorAnswer {
            error: Some(error.to_owned()),
            aadsts,
            ..ErrorAnswer::default()
        }
    }

    #[test]
    fn every_number_of_the_table_leads_to_who_can_act() {
        let table: [(WhoCanAct, &str, &[u32]); 6] = [
            (
                User,
                "invalid_grant",
                &[
                    65001, 65004, 70000, 70008, 700082, 700084, 50173, 70043, 50132, 50133, 54005,
                ],
            ),
            (
                User,
                "interaction_required",
                &[50076, 50078, 50079, 50074, 50158, 53000, 53001],
            ),
            (
                Administrator,
                "invalid_grant",
                &[90094, 90095, 53003, 530032, 50105, 50057, 500011, 700016, 650052],
            ),
            (
                Operator,
                "invalid_client",
                &[7000215, 7000222, 700027, 50011, 70011],
            ),
            (
                Nobody,
                "invalid_grant",
                &[50033, 50087, 90006, 90012, 90024, 90033, 90055],
            ),
            (Operator, "temporarily_unavailable", &[50196]),
        ];
        for (who, error, numbers) in table {
            for number in numbers {
                let cause = cause_of(StatusCode::BAD_REQUEST, &answer(error, Some(*number)));
                assert_eq!(cause.who_acts, who, "AADSTS{number}");
            }
        }
    }

    #[test]
    fn the_protocol_goes_before_the_number() {
        let refused = StatusCode::BAD_REQUEST;
        let with = |suberror: Option<&str>, claims: Option<&str>, answer: ErrorAnswer| ErrorAnswer {
            suberror: suberror.map(str::to_owned),
            claims: claims.map(str::to_owned),
            ..answer
        };
        let cases = [
            (
                StatusCode::TOO_MANY_REQUESTS,
                answer("invalid_grant", Some(700082)),
                "provider_busy",
            ),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorAnswer::default(),
                "provider_fault",
            ),
            (
                StatusCode::BAD_GATEWAY,
                answer("temporarily_unavailable", None),
                "provider_busy",
            ),
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                answer("invalid_grant", Some(50173)),
                "provider_fault",
            ),
            (
                refused,
                answer("temporarily_unavailable", Some(700082)),
                "provider_busy",
            ),
            (refused, answer("server_error", None), "provider_fault"),
            (refused, answer("invalid_grant", None), "sign_in_again"),
            (refused, answer("invalid_grant", Some(123)), "sign_in_again"),
            (
                refused,
                with(Some("bad_token"), None, answer("invalid_grant", Some(50173))),
                "grant_revoked",
            ),
            (
                refused,
                with(
                    Some("consent_required"),
                    None,
                    answer("invalid_grant", Some(90033)),
                ),
                "consent_required",
            ),
            (
                refused,
                with(None, Some("{}"), answer("invalid_grant", Some(53003))),
                "more_proof_required",
            ),
            (
                refused,
                with(None, Some("{}"), answer("invalid_grant", Some(53000))),
                "device_not_managed",
            ),
            (
                refused,
                with(
                    Some("message_only"),
                    Some("{}"),
                    answer("interaction_required", Some(53003)),
                ),
                "blocked_by_policy",
            ),
            (
                refused,
                with(Some("odd"), None, answer("invalid_grant", None)),
                "sign_in_again",
            ),
            (
                StatusCode::UNAUTHORIZED,
                answer("invalid_client", None),
                "client_refused",
            ),
            (refused, answer("something_new", None), "request_refused"),
            (refused, ErrorAnswer::default(), "answer_not_understood"),
            (StatusCode::FOUND, ErrorAnswer::default(), "answer_not_understood"),
        ];
        for (status, answer, code) in cases {
            assert_eq!(cause_of(status, &answer).code, code, "{status} {answer:?}");
        }
    }

    #[test]
    fn a_redirect_with_an_error_is_sorted_the_same_way() {
        let declined = RedirectError {
            error: "access_denied",
            description: Some("AADSTS65004: User declined to consent."),
            suberror: Some("cancel"),
        };
        let error = TokenError::from_redirect(&declined, "Microsoft 365");
        assert_eq!((error.code(), error.aadsts), ("consent_declined", Some(65004)));
        let admin = RedirectError {
            description: Some("AADSTS90094: admin"),
            ..declined
        };
        assert_eq!(
            TokenError::from_redirect(&admin, "Microsoft 365").who_acts(),
            Administrator
        );
    }

    #[test]
    fn the_sentence_names_the_provider_and_nothing_the_provider_wrote() {
        let error = TokenError::from_answer(StatusCode::BAD_REQUEST, None, answer("canary", None), "Gmail");
        let printed = format!("{error} {error:?}");
        assert!(
            printed.contains("Gmail") && !printed.contains("canary"),
            "{printed}"
        );
    }
}
