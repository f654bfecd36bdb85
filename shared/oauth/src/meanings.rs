//! What an identity provider's refusal means: the tables.
//!
//! Read from the top: `error`, `suberror` and `claims` are what a provider promises to keep; Microsoft's AADSTS numbers
//! and Google's phrases are only a hint that makes a sentence better, or tells apart what `error` alone leaves open.

use crate::causes::*;

/// `error`: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6, RFC 8628 section 3.5, Microsoft, Google.
pub(crate) const BY_ERROR: &[(&str, &Cause)] = &[
    ("temporarily_unavailable", &PROVIDER_BUSY),
    ("slow_down", &PROVIDER_BUSY),
    ("server_error", &PROVIDER_FAULT),
    ("invalid_grant", &SIGN_IN_AGAIN),
    ("login_required", &SIGN_IN_AGAIN),
    ("account_selection_required", &SIGN_IN_AGAIN),
    ("interaction_required", &MORE_PROOF_REQUIRED),
    ("consent_required", &CONSENT_REQUIRED),
    ("access_denied", &CONSENT_DECLINED),
    ("permission_denied", &CONSENT_DECLINED),
    ("authorization_declined", &CONSENT_DECLINED),
    ("expired_token", &CODE_USED_OR_EXPIRED),
    ("bad_verification_code", &CODE_USED_OR_EXPIRED),
    ("admin_policy_enforced", &BLOCKED_BY_POLICY),
    ("invalid_client", &CLIENT_REFUSED),
    ("unauthorized_client", &CLIENT_REFUSED),
    ("invalid_scope", &SCOPE_REFUSED),
    ("invalid_resource", &APPLICATION_UNKNOWN),
    ("invalid_request", &REQUEST_REFUSED),
    ("unsupported_grant_type", &REQUEST_REFUSED),
    ("unsupported_response_type", &REQUEST_REFUSED),
];

/// `suberror` of Microsoft and `error_subtype` of Google.
pub(crate) const BY_SUBERROR: &[(&str, &Cause)] = &[
    ("basic_action", &MORE_PROOF_REQUIRED),
    ("additional_action", &MORE_PROOF_REQUIRED),
    ("consent_required", &CONSENT_REQUIRED),
    ("user_password_expired", &GRANT_REVOKED),
    ("bad_token", &SIGN_IN_AGAIN),
    ("token_expired", &GRANT_EXPIRED),
    ("device_authentication_failed", &DEVICE_NOT_MANAGED),
    ("protection_policy_required", &BLOCKED_BY_POLICY),
    ("invalid_rapt", &SIGN_IN_FREQUENCY),
];

/// Microsoft's AADSTS numbers. What each means: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>;
/// who acts is ours.
pub(crate) const BY_AADSTS: &[(u32, &Cause)] = &[
    // the person signs in or consents again
    (65001, &CONSENT_REQUIRED),
    (90008, &CONSENT_REQUIRED),
    (65004, &CONSENT_DECLINED),
    (70000, &SIGN_IN_AGAIN),
    (50126, &SIGN_IN_AGAIN),
    (70008, &GRANT_EXPIRED),
    (700082, &GRANT_EXPIRED),
    (700084, &GRANT_EXPIRED),
    (50089, &GRANT_EXPIRED),
    (50173, &GRANT_REVOKED),
    (50132, &GRANT_REVOKED),
    (50133, &GRANT_REVOKED),
    (50055, &GRANT_REVOKED),
    (50144, &GRANT_REVOKED),
    (70043, &SIGN_IN_FREQUENCY),
    (54005, &CODE_USED_OR_EXPIRED),
    (501481, &CODE_USED_OR_EXPIRED),
    (70018, &CODE_USED_OR_EXPIRED),
    (70019, &CODE_USED_OR_EXPIRED),
    (16000, &WRONG_ACCOUNT),
    (50020, &WRONG_ACCOUNT),
    (50034, &WRONG_ACCOUNT),
    (51004, &WRONG_ACCOUNT),
    (500208, &WRONG_ACCOUNT),
    (90072, &WRONG_ACCOUNT),
    // the person, interactively
    (50076, &MORE_PROOF_REQUIRED),
    (50078, &MORE_PROOF_REQUIRED),
    (50079, &MORE_PROOF_REQUIRED),
    (50074, &MORE_PROOF_REQUIRED),
    (50072, &MORE_PROOF_REQUIRED),
    (50158, &MORE_PROOF_REQUIRED),
    (53004, &MORE_PROOF_REQUIRED),
    (53000, &DEVICE_NOT_MANAGED),
    (53001, &DEVICE_NOT_MANAGED),
    (50097, &DEVICE_NOT_MANAGED),
    (50129, &DEVICE_NOT_MANAGED),
    // the administrator
    (90094, &ADMIN_APPROVAL_REQUIRED),
    (90095, &ADMIN_APPROVAL_REQUIRED),
    (90099, &ADMIN_APPROVAL_REQUIRED),
    (53003, &BLOCKED_BY_POLICY),
    (530032, &BLOCKED_BY_POLICY),
    (530034, &BLOCKED_BY_POLICY),
    (530035, &BLOCKED_BY_POLICY),
    (53002, &BLOCKED_BY_POLICY),
    (53011, &BLOCKED_BY_POLICY),
    (50131, &BLOCKED_BY_POLICY),
    (500021, &BLOCKED_BY_POLICY),
    (500212, &BLOCKED_BY_POLICY),
    (500213, &BLOCKED_BY_POLICY),
    (7000112, &BLOCKED_BY_POLICY),
    (50105, &NOT_ASSIGNED),
    (50057, &ACCOUNT_DISABLED),
    (500011, &APPLICATION_UNKNOWN),
    (700016, &APPLICATION_UNKNOWN),
    (700011, &APPLICATION_UNKNOWN),
    (650052, &APPLICATION_UNKNOWN),
    // whoever operates this system
    (7000215, &CLIENT_SECRET_WRONG),
    (70002, &CLIENT_SECRET_WRONG),
    (7000222, &CLIENT_SECRET_EXPIRED),
    (700027, &CLIENT_ASSERTION_REFUSED),
    (700030, &CLIENT_ASSERTION_REFUSED),
    (50012, &CLIENT_ASSERTION_REFUSED),
    (700024, &CLOCK_WRONG),
    (700025, &CLIENT_REFUSED),
    (7000218, &CLIENT_REFUSED),
    (50011, &REDIRECT_NOT_REGISTERED),
    (900971, &REDIRECT_NOT_REGISTERED),
    (70011, &SCOPE_REFUSED),
    (700022, &SCOPE_REFUSED),
    (28002, &SCOPE_REFUSED),
    (650057, &SCOPE_REFUSED),
    (50194, &TENANT_REFUSED),
    (90002, &TENANT_REFUSED),
    (9001023, &TENANT_REFUSED),
    (9002332, &TENANT_REFUSED),
    (90038, &TENANT_REFUSED),
    (700005, &TENANT_REFUSED),
    (900144, &REQUEST_REFUSED),
    (9002313, &REQUEST_REFUSED),
    (50196, &REQUEST_LOOP),
    // nobody
    (50033, &PROVIDER_BUSY),
    (50087, &PROVIDER_BUSY),
    (50088, &PROVIDER_BUSY),
    (70012, &PROVIDER_BUSY),
    (90006, &PROVIDER_BUSY),
    (90012, &PROVIDER_BUSY),
    (90024, &PROVIDER_BUSY),
    (90033, &PROVIDER_BUSY),
    (90055, &PROVIDER_BUSY),
];

/// Phrases of Google's `error_description`, which gives no numbers; the more telling ones first.
const BY_PHRASE: &[(&str, &Cause)] = &[
    ("Invalid JWT Signature", &SERVICE_KEY_REFUSED),
    ("reasonable timeframe", &CLOCK_WRONG),
    ("Invalid email or User ID", &MAILBOX_UNKNOWN),
    ("account not found", &SERVICE_KEY_REFUSED),
    (
        "Client is unauthorized to retrieve access tokens",
        &DELEGATION_MISSING,
    ),
];

/// What a phrase in the provider's own words hints at.
pub(crate) fn by_phrase(description: &str) -> Option<&'static Cause> {
    let said = BY_PHRASE.iter().find(|(phrase, _)| description.contains(phrase));
    said.map(|(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_means_two_things() {
        let numbers: HashSet<_> = BY_AADSTS.iter().map(|(number, _)| number).collect();
        assert_eq!(numbers.len(), BY_AADSTS.len());
        for table in [BY_ERROR, BY_SUBERROR] {
            let names: HashSet<_> = table.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), table.len());
        }
    }
}
