//! States and causes in plain words: what is the matter, who can end it, and what to click.
//!
//! Causes are written by the services that observe them. One that is not in the table is explained by its state and by
//! who can act, so that a new cause never leaves a person without a sentence.

use postroom_events::{AccountState, AuthenticationMethod, SendCondition, WhoCanAct};
use postroom_oauth::Cause;
use postroom_store::Account;
use serde::Serialize;

/// What a person can do about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NextStep {
    /// Sign in again, with the same or another method.
    Reconnect,
    /// Resume the account.
    Resume,
    /// Pass the matter on to the administrator of the mailbox.
    AskAdministrator,
    /// Pass the matter on to whoever runs this Postroom.
    AskOperator,
}

/// A state in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// A plain sentence.
    pub(crate) sentence: String,
    /// What can be done, if somebody has to.
    pub(crate) next_step: Option<NextStep>,
}

/// Causes that are worth words of their own. `{address}` and `{provider}` are filled in.
const CAUSES: &[(&str, &str)] = &[
    (
        "password_refused",
        "The mail server no longer accepts the password of {address}. Connect the account again with the current one.",
    ),
    (
        "credentials_refused",
        "The mail server no longer accepts the sign-in of {address}. Connect the account again.",
    ),
    (
        "token_refused",
        "The mail server refuses the sign-in of {address} although it looks valid. Connect the account again.",
    ),
    (
        "rotation_lost",
        "The saved sign-in of {address} was replaced by the provider, and its answer got lost. Connect the account again.",
    ),
    (
        "token_not_renewed",
        "The saved sign-in of {address} has run out, and its provider does not renew it at the moment. It is tried again by \
         itself.",
    ),
    (
        "mailbox_unavailable",
        "Signing in works, but the mailbox behind {address} cannot be opened: it may be another account, IMAP may be \
         switched off, or a permission may be missing. Check these with the provider.",
    ),
    (
        "smtp_auth_disabled",
        "{address} receives mail but cannot send: sending by SMTP is switched off for this mailbox. Its administrator can \
         switch on authenticated SMTP.",
    ),
    (
        "name_not_found",
        "The server name of {address} was not found any more. It is tried again by itself; if the server moved, connect \
         the account again with its new name.",
    ),
    (
        "denied_by_policy",
        "The server of {address} now leads to a network that this Postroom may not connect to. The operator can allow it.",
    ),
    (
        "certificate_expired",
        "The certificate of the mail server has expired, so the connection would not be safe. It is tried again by \
         itself; the people who run that server must renew the certificate.",
    ),
    (
        "refused",
        "The mail server refuses connections at the moment. It is tried again by itself.",
    ),
    (
        "timed_out",
        "The mail server does not answer in time. It is tried again by itself.",
    ),
    (
        "certificate_wrong_name",
        "The certificate of the mail server is for another name. It is tried again by itself; if the server moved, connect \
         the account again with its new name.",
    ),
    (
        "certificate_unknown_issuer",
        "The certificate of the mail server was not issued by an authority that is trusted here. The operator can add it.",
    ),
    (
        "name_service_failed",
        "The server name could not be looked up. It is tried again by itself.",
    ),
    (
        "network",
        "The connection to the mail server failed. It is tried again by itself.",
    ),
    (
        "connection_lost",
        "The connection to the mail server broke. It is tried again by itself.",
    ),
    (
        "temporarily_unavailable",
        "The mail server asks to come back later. It is tried again by itself.",
    ),
    (
        "sign_in_not_offered",
        "The mail server no longer offers this way to sign in. Connect the account again in another way.",
    ),
    (
        "auth_not_offered",
        "The sending server no longer offers this way to sign in. Connect the account again in another way.",
    ),
    (
        "starttls_not_offered",
        "The mail server no longer offers encryption there, so nothing was sent to it. Connect the account again with TLS \
         from the start.",
    ),
    ("admin_approved", "Your administrator has approved. Connect now."),
    // A person's own decisions.
    (
        "paused_by_user",
        "Paused: nothing is fetched or sent until you resume it.",
    ),
    (
        "disconnected_by_user",
        "Disconnected: mail is no longer fetched or sent, and the saved sign-in is erased.",
    ),
];

/// A state in words.
pub(crate) fn explain(account: &Account, provider: &str) -> Explanation {
    let own = account
        .state_cause
        .as_deref()
        .and_then(|cause| sentence_of(cause, provider));
    let sentence = own.unwrap_or_else(|| general(account.state, account.state_who_can_act).to_owned());
    Explanation {
        sentence: sentence.replace("{address}", &account.address),
        next_step: next_step(account.state, account.state_who_can_act),
    }
}

/// Why an account cannot send, if it cannot.
pub(crate) fn explain_sending(account: &Account, provider: &str) -> Option<String> {
    if account.send_condition == SendCondition::Ok {
        return None;
    }
    let sentence = account
        .send_cause
        .as_deref()
        .and_then(|cause| sentence_of(cause, provider))
        .unwrap_or_else(|| {
            "{address} receives mail but cannot send. Connect the account again, or ask the mailbox's administrator."
                .to_owned()
        });
    Some(sentence.replace("{address}", &account.address))
}

fn sentence_of(cause: &str, provider: &str) -> Option<String> {
    let own = CAUSES
        .iter()
        .find(|(code, _)| *code == cause)
        .map(|(_, sentence)| (*sentence).to_owned());
    own.or_else(|| Cause::by_code(cause).map(|cause| cause.sentence(provider)))
}

fn general(state: AccountState, who: WhoCanAct) -> &'static str {
    use AccountState as S;
    match (state, who) {
        (S::Connecting, _) => "The sign-in is being checked.",
        (S::Syncing, _) => "The first sync is under way.",
        (S::Connected, _) => "Mail flows.",
        (S::NeedsReauthorization, WhoCanAct::Operator) => {
            "The sign-in of {address} stopped working because of this system's set-up. The operator has to mend it."
        }
        (S::NeedsReauthorization, WhoCanAct::Administrator) => {
            "The sign-in of {address} stopped working because of a rule of your organization. Ask your administrator."
        }
        (S::NeedsReauthorization, _) => {
            "The sign-in of {address} no longer works. Connect the account again."
        }
        (S::AwaitingAdmin, _) => {
            "The administrator of your organization must approve the connection of {address} first."
        }
        (S::Unreachable, WhoCanAct::Nobody) => {
            "The mail server cannot be reached at the moment. It is tried again by itself."
        }
        (S::Unreachable, _) => {
            "The mail server cannot be reached. Check its name and port, and connect the account again."
        }
        (S::Paused, _) => "Paused: nothing is fetched or sent until you resume it.",
        (S::Disconnected, _) => {
            "Disconnected: mail is no longer fetched or sent, and the saved sign-in is erased."
        }
    }
}

fn next_step(state: AccountState, who: WhoCanAct) -> Option<NextStep> {
    match (state, who) {
        (AccountState::Paused, _) => Some(NextStep::Resume),
        (AccountState::Disconnected, _) => None,
        (_, WhoCanAct::Operator) => Some(NextStep::AskOperator),
        (AccountState::AwaitingAdmin, _) | (_, WhoCanAct::Administrator) => Some(NextStep::AskAdministrator),
        (AccountState::NeedsReauthorization, _) | (_, WhoCanAct::User) => Some(NextStep::Reconnect),
        _ => None,
    }
}

/// A state, a party and a method as people read them.
pub(crate) mod ways_to_say {
    use super::{AccountState, AuthenticationMethod, WhoCanAct};

    pub(crate) const fn state(state: AccountState) -> &'static str {
        match state {
            AccountState::Connecting => "Connecting",
            AccountState::Syncing => "First sync",
            AccountState::Connected => "Connected",
            AccountState::NeedsReauthorization => "Sign-in needed",
            AccountState::AwaitingAdmin => "Waits for approval",
            AccountState::Unreachable => "Unreachable",
            AccountState::Paused => "Paused",
            AccountState::Disconnected => "Disconnected",
        }
    }

    pub(crate) const fn who(who: WhoCanAct) -> &'static str {
        match who {
            WhoCanAct::User => "You can fix this",
            WhoCanAct::Administrator => "Your administrator can fix this",
            WhoCanAct::Operator => "The operator of this Postroom can fix this",
            WhoCanAct::Nobody => "Nothing to do",
        }
    }

    pub(crate) const fn method(method: AuthenticationMethod) -> &'static str {
        match method {
            AuthenticationMethod::Password => "Password",
            AuthenticationMethod::AppPassword => "App password",
            AuthenticationMethod::OAuth2 => "OAuth 2.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_sentence_for_everybody_who_can_act() {
        for state in AccountState::ALL {
            for who in WhoCanAct::ALL {
                let sentence = general(*state, *who);
                assert!(
                    sentence.ends_with('.') && sentence.len() > 10,
                    "{state} {who}: {sentence}"
                );
            }
        }
    }

    #[test]
    fn causes_are_unique_and_end_as_sentences() {
        let mut codes: Vec<_> = CAUSES.iter().map(|(code, _)| code).collect();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), CAUSES.len());
        for (code, sentence) in CAUSES {
            assert!(sentence.ends_with('.'), "{code}");
        }
    }

    #[test]
    fn who_must_act_gets_a_button_or_a_name() {
        use AccountState::{Connected, NeedsReauthorization, Paused, Unreachable};
        assert_eq!(
            next_step(NeedsReauthorization, WhoCanAct::User),
            Some(NextStep::Reconnect)
        );
        assert_eq!(next_step(Unreachable, WhoCanAct::Nobody), None);
        assert_eq!(
            next_step(NeedsReauthorization, WhoCanAct::Operator),
            Some(NextStep::AskOperator)
        );
        assert_eq!(next_step(Paused, WhoCanAct::User), Some(NextStep::Resume));
        assert_eq!(next_step(Connected, WhoCanAct::Nobody), None);
    }
}
