//! What an identity provider's refusal means: the one table.
//!
//! Read from the top: `error`, `suberror` and `claims` are what a provider promises to keep; Microsoft's AADSTS
//! numbers are only a hint that makes a sentence better, or tells apart what `error` alone leaves open.

use postroom_events::WhoCanAct::{self, Administrator, Nobody, Operator, User};

/// Why there is no token, and who can change that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Stable name, for rows, events, metrics and programs.
    pub code: &'static str,
    /// Who can end it. `Nobody` means that it passes by itself: try again.
    pub who_acts: WhoCanAct,
    /// For that person: what happened and what to do. `{provider}` stands for the provider's name.
    pub(crate) sentence: &'static str,
}

impl Cause {
    /// The cause with that code.
    #[must_use]
    pub fn by_code(code: &str) -> Option<Self> {
        ALL.iter().find(|cause| cause.code == code).map(|cause| **cause)
    }

    /// The sentence for whoever can act, about the provider of that name.
    #[must_use]
    pub fn sentence(&self, provider: &str) -> String {
        self.sentence.replace("{provider}", provider)
    }
}

macro_rules! causes {
    ($($constant:ident = $who:ident $code:literal: $sentence:literal;)*) => {
        $(#[doc = $sentence] pub const $constant: Cause =
            Cause { code: $code, who_acts: $who, sentence: $sentence };)*

        /// Every cause, for documents and tests.
        pub const ALL: &[&Cause] = &[$(&$constant),*];
    };
}

causes! {
    // the person signs in or consents again
    SIGN_IN_AGAIN = User "sign_in_again":
        "{provider} no longer accepts the saved sign-in. Connect the account again.";
    GRANT_EXPIRED = User "grant_expired":
        "The sign-in at {provider} has expired or was not used for too long. Connect the account again.";
    GRANT_REVOKED = User "grant_revoked":
        "The sign-in at {provider} was withdrawn, for example by a change of password. Connect the account again.";
    SIGN_IN_FREQUENCY = User "sign_in_frequency":
        "Your organization asks for a fresh sign-in from time to time. Connect the account again.";
    CONSENT_REQUIRED = User "consent_required":
        "{provider} needs your permission for this application. Connect the account again and accept.";
    CONSENT_DECLINED = User "consent_declined":
        "The permission was not given at {provider}. Connect the account again and accept, or use another way to sign in.";
    CODE_USED_OR_EXPIRED = User "code_used_or_expired":
        "The sign-in at {provider} took too long or was sent twice. Start again.";
    SIGN_IN_MIXED_UP = User "sign_in_mixed_up":
        "The answer from {provider} does not belong to this sign-in. Close other sign-in pages and start again.";
    // the person, interactively
    MORE_PROOF_REQUIRED = User "more_proof_required":
        "{provider} asks for a further proof, such as a code on your phone. Connect the account again and complete it.";
    DEVICE_NOT_MANAGED = User "device_not_managed":
        "Your organization allows mail only from devices that it manages. Connect the account again from such a device, or ask your administrator.";
    // the administrator of the person's organization
    ADMIN_APPROVAL_REQUIRED = Administrator "admin_approval_required":
        "An administrator of your organization must approve this application at {provider} first. Pass the approval link on.";
    BLOCKED_BY_POLICY = Administrator "blocked_by_policy":
        "A rule of your organization blocks this application at {provider}. Ask your administrator to allow it.";
    NOT_ASSIGNED = Administrator "not_assigned":
        "Your organization has not assigned this application to you at {provider}. Ask your administrator to do so.";
    ACCOUNT_DISABLED = Administrator "account_disabled":
        "The account is disabled at {provider}. Ask your administrator.";
    APPLICATION_UNKNOWN = Administrator "application_unknown":
        "This application is not known in your organization at {provider}. Ask your administrator to approve it.";
    // whoever operates this system
    CLIENT_SECRET_WRONG = Operator "client_secret_wrong":
        "{provider} refuses the client secret of this system. Check the secret in the OAuth registration.";
    CLIENT_SECRET_EXPIRED = Operator "client_secret_expired":
        "The client secret of this system has expired at {provider}. Make a new one there and put it into the OAuth registration.";
    CLIENT_ASSERTION_REFUSED = Operator "client_assertion_refused":
        "{provider} refuses the certificate of this system. Check the certificate in the OAuth registration.";
    CLIENT_REFUSED = Operator "client_refused":
        "{provider} does not accept this system as a client. Check client id, client secret and type of the OAuth registration.";
    REDIRECT_NOT_REGISTERED = Operator "redirect_not_registered":
        "The redirect URL of this system is not registered at {provider}. Add exactly this URL to the registration there.";
    SCOPE_REFUSED = Operator "scope_refused":
        "{provider} does not know the permissions that this system asks for. Check the scopes of the OAuth registration.";
    REQUEST_REFUSED = Operator "request_refused":
        "{provider} refused the request as malformed. Check the OAuth registration, and report this as a fault.";
    CERTIFICATE_UNTRUSTED = Operator "certificate_untrusted":
        "The certificate of {provider} is not trusted. Check the clock and configure the authority that signed it.";
    METADATA_UNUSABLE = Operator "metadata_unusable":
        "The description that {provider} publishes of itself cannot be used. Check the issuer URL of the OAuth registration.";
    ISSUER_MISMATCH = Operator "issuer_mismatch":
        "{provider} calls itself by another issuer URL than configured. Put exactly its own issuer URL into the OAuth registration.";
    ID_TOKEN_REFUSED = Operator "id_token_refused":
        "The proof of identity from {provider} is missing or not meant for this system. Check scopes and client id of the OAuth registration.";
    REQUEST_LOOP = Operator "request_loop":
        "{provider} reports that this system asks for the same token in a loop. It has stopped; report this as a fault.";
    // nobody: it passes
    PROVIDER_BUSY = Nobody "provider_busy":
        "{provider} is busy. It is tried again by itself.";
    PROVIDER_FAULT = Nobody "provider_fault":
        "{provider} has a fault of its own. It is tried again by itself.";
    PROVIDER_UNREACHABLE = Nobody "provider_unreachable":
        "{provider} cannot be reached. It is tried again by itself.";
    PROVIDER_TIMED_OUT = Nobody "provider_timed_out":
        "{provider} did not answer in time. It is tried again by itself.";
    ANSWER_NOT_UNDERSTOOD = Nobody "answer_not_understood":
        "The answer of {provider} was not that of a token endpoint; something may stand in between. It is tried again by itself.";
}

/// `error`: RFC 6749 sections 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6, RFC 8628 section 3.5, Microsoft.
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
    ("authorization_declined", &CONSENT_DECLINED),
    ("expired_token", &CODE_USED_OR_EXPIRED),
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
    ("protection_policy_required", &BLOCKED_BY_POLICY),
    ("invalid_rapt", &SIGN_IN_FREQUENCY),
];

/// Microsoft's AADSTS numbers.
pub(crate) const BY_AADSTS: &[(u32, &Cause)] = &[
    (65001, &CONSENT_REQUIRED),
    (65004, &CONSENT_DECLINED),
    (70000, &SIGN_IN_AGAIN),
    (70008, &GRANT_EXPIRED),
    (700082, &GRANT_EXPIRED),
    (700084, &GRANT_EXPIRED),
    (50173, &GRANT_REVOKED),
    (70043, &SIGN_IN_FREQUENCY),
    (50132, &GRANT_REVOKED),
    (50133, &GRANT_REVOKED),
    (54005, &CODE_USED_OR_EXPIRED),
    (50076, &MORE_PROOF_REQUIRED),
    (50078, &MORE_PROOF_REQUIRED),
    (50079, &MORE_PROOF_REQUIRED),
    (50074, &MORE_PROOF_REQUIRED),
    (50158, &MORE_PROOF_REQUIRED),
    (53000, &DEVICE_NOT_MANAGED),
    (53001, &DEVICE_NOT_MANAGED),
    (90094, &ADMIN_APPROVAL_REQUIRED),
    (90095, &ADMIN_APPROVAL_REQUIRED),
    (53003, &BLOCKED_BY_POLICY),
    (530032, &BLOCKED_BY_POLICY),
    (50105, &NOT_ASSIGNED),
    (50057, &ACCOUNT_DISABLED),
    (500011, &APPLICATION_UNKNOWN),
    (700016, &APPLICATION_UNKNOWN),
    (650052, &APPLICATION_UNKNOWN),
    (7000215, &CLIENT_SECRET_WRONG),
    (7000222, &CLIENT_SECRET_EXPIRED),
    (700027, &CLIENT_ASSERTION_REFUSED),
    (50011, &REDIRECT_NOT_REGISTERED),
    (70011, &SCOPE_REFUSED),
    (50196, &REQUEST_LOOP),
    (50033, &PROVIDER_BUSY),
    (50087, &PROVIDER_BUSY),
    (90006, &PROVIDER_BUSY),
    (90012, &PROVIDER_BUSY),
    (90024, &PROVIDER_BUSY),
    (90033, &PROVIDER_BUSY),
    (90055, &PROVIDER_BUSY),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_sentences_are_sentences() {
        let codes: HashSet<_> = ALL.iter().map(|cause| cause.code).collect();
        assert_eq!(codes.len(), ALL.len());
        for Cause {
            code,
            sentence,
            who_acts,
        } in ALL
        {
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{code}"
            );
            assert!(sentence.ends_with('.') && sentence.len() > 40, "{code}");
            assert_eq!(*who_acts == Nobody, sentence.contains("by itself"), "{code}");
        }
    }
}
