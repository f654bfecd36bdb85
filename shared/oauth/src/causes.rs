//! Why there is no token: every cause, who can end it, what it does to an account, and in which words it is said.
//! Which answer of a provider means which cause stands in `meanings`.

use postroom_events::AccountState;
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

/// What a page offers to the person whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// A button: sign in again.
    SignInAgain,
    /// A link to approve this application, to be passed on to the administrator
    /// ([`admin_consent_request`](crate::IdentityProvider::admin_consent_request)).
    PassApprovalLinkOn,
    /// Nothing to click: the administrator has to change a rule.
    AskAdministrator,
    /// Nothing to click: whoever operates this system has to act.
    AskOperator,
    /// Nothing: it is tried again by itself.
    Wait,
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

    /// The state that an account enters; `None`: it stays as it is, and getting a token is tried again. That is so of
    /// what passes and of what the operator repairs: the grant is as good as before then.
    #[must_use]
    pub fn account_state(&self) -> Option<AccountState> {
        match self.who_acts {
            Administrator if self.awaits_approval() => Some(AccountState::AwaitingAdmin),
            User | Administrator => Some(AccountState::NeedsReauthorization),
            Operator | Nobody => None,
        }
    }

    /// What the person whose account it is can do.
    #[must_use]
    pub fn next_step(&self) -> NextStep {
        match self.who_acts {
            User => NextStep::SignInAgain,
            Administrator if self.awaits_approval() && *self != DELEGATION_MISSING => {
                NextStep::PassApprovalLinkOn
            }
            Administrator => NextStep::AskAdministrator,
            Operator => NextStep::AskOperator,
            Nobody => NextStep::Wait,
        }
    }

    /// Whether all that lacks is that an administrator says yes.
    fn awaits_approval(&self) -> bool {
        [
            ADMIN_APPROVAL_REQUIRED,
            ADMIN_APPROVAL_DECLINED,
            APPLICATION_UNKNOWN,
            DELEGATION_MISSING,
        ]
        .contains(self)
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
    WRONG_ACCOUNT = User "wrong_account":
        "The account chosen at {provider} does not belong to the organization there. Start again and choose the account of this mailbox.";
    MAILBOX_UNKNOWN = User "mailbox_unknown":
        "{provider} knows no mailbox of this address. Check the address and connect it again.";
    NOT_CONNECTED_THERE = User "not_connected_there":
        "{provider} holds no permission for this mailbox. Connect the mailbox there first, then here again.";
    // the person, interactively
    MORE_PROOF_REQUIRED = User "more_proof_required":
        "{provider} asks for a further proof, such as a code on your phone. Connect the account again and complete it.";
    DEVICE_NOT_MANAGED = User "device_not_managed":
        "Your organization allows mail only from devices that it manages. Connect the account again from such a device, or ask your administrator.";
    // the administrator of the person's organization
    ADMIN_APPROVAL_REQUIRED = Administrator "admin_approval_required":
        "An administrator of your organization must approve this application at {provider} first. Pass the approval link on.";
    ADMIN_APPROVAL_DECLINED = Administrator "admin_approval_declined":
        "The administrator has not approved this application at {provider}. Ask them, and pass the approval link on again.";
    APPLICATION_UNKNOWN = Administrator "application_unknown":
        "This application is not known in your organization at {provider}. Ask your administrator to approve it.";
    DELEGATION_MISSING = Administrator "delegation_missing":
        "Your organization has not allowed this system to act for its mailboxes at {provider}. Ask your administrator to add its client id and scopes to domain-wide delegation.";
    BLOCKED_BY_POLICY = Administrator "blocked_by_policy":
        "A rule of your organization blocks this application at {provider}. Ask your administrator to allow it.";
    NOT_ASSIGNED = Administrator "not_assigned":
        "Your organization has not assigned this application to you at {provider}. Ask your administrator to do so.";
    ACCOUNT_DISABLED = Administrator "account_disabled":
        "The account is disabled at {provider}. Ask your administrator.";
    // whoever operates this system
    CLIENT_SECRET_WRONG = Operator "client_secret_wrong":
        "{provider} refuses the client secret of this system. Check the secret in the OAuth registration.";
    CLIENT_SECRET_EXPIRED = Operator "client_secret_expired":
        "The client secret of this system has expired at {provider}. Make a new one there and put it into the OAuth registration.";
    CLIENT_ASSERTION_REFUSED = Operator "client_assertion_refused":
        "{provider} refuses the certificate of this system. Check that it is uploaded there, valid, and the one in the OAuth registration.";
    CLIENT_REFUSED = Operator "client_refused":
        "{provider} does not accept this system as a client. Check client id, client secret and type of the OAuth registration.";
    SERVICE_KEY_REFUSED = Operator "service_key_refused":
        "{provider} refuses the key of this system's service account. Make a new key there and name its file in the OAuth registration.";
    CLOCK_WRONG = Operator "clock_wrong":
        "{provider} refuses what this system signs, as too old or from the future. Set the clock of this system right.";
    TENANT_REFUSED = Operator "tenant_refused":
        "{provider} does not accept the tenant of the OAuth registration. Check `tenant`, and for which accounts the application is registered there.";
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
    KIND_UNFIT = Operator "kind_unfit":
        "The OAuth registration for {provider} is of a kind that cannot do this. Check `kind` of the OAuth registration.";
    MAILBOX_NOT_COVERED = Operator "mailbox_not_covered":
        "The OAuth registration for {provider} does not cover this mailbox. Add its domain to `domains`, and its tenant to `used_by`.";
    TOKEN_SERVICE_REFUSES = Operator "token_service_refuses":
        "The token service {provider} refuses this system. Check `token_service_secret` of the OAuth registration.";
    TOKEN_SERVICE_UNFIT = Operator "token_service_unfit":
        "The token service {provider} answers otherwise than agreed. Check `token_service_url` of the OAuth registration, and that service's log.";
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

    #[test]
    fn only_who_is_asked_to_act_sees_the_state_change() {
        for cause in ALL {
            let asked = matches!(cause.who_acts, User | Administrator);
            assert_eq!(cause.account_state().is_some(), asked, "{}", cause.code);
            let passes_on = cause.next_step() == NextStep::PassApprovalLinkOn;
            assert_eq!(
                passes_on,
                cause.sentence.contains("approv") && cause.who_acts == Administrator,
                "{}: where there is a link to pass on, the sentence speaks of approval",
                cause.code
            );
            assert_eq!(
                cause.next_step() == NextStep::SignInAgain,
                cause.who_acts == User,
                "{}",
                cause.code
            );
        }
    }
}
