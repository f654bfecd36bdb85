//! Whether an identity provider gave what was asked for: the right person's permission, for reading and sending, to last.

use postroom_oauth::{IdentityProvider, Tokens};

use super::Refusal;
use crate::connect::draft::ConnectDraft;

/// Who signed in must be who was expected: it is easily somebody else in a browser that knows several people.
pub(super) fn check_identity(
    provider: &IdentityProvider,
    tokens: &Tokens,
    draft: &ConnectDraft,
) -> Result<(), Refusal> {
    let Some(identity) = &tokens.identity else {
        return Ok(());
    };
    if identity.addresses.is_empty() || identity.has_address(draft.person()) {
        return Ok(());
    }
    let signed_in: Vec<_> = identity
        .addresses
        .iter()
        .map(|address| printable(address))
        .collect();
    Err(Refusal::new(
        "wrong_person",
        format!(
            "You signed in at {} as {}, but {} was to be connected. Start again and choose that account there.",
            provider.name(),
            signed_in.join(", "),
            draft.person()
        ),
    ))
}

fn printable(address: &str) -> String {
    address.chars().filter(|c| !c.is_control()).take(100).collect()
}

pub(super) fn check_completeness(provider: &IdentityProvider, tokens: &Tokens) -> Result<(), Refusal> {
    if !tokens.missing_scopes.is_empty() {
        return Err(Refusal::new(
            "permission_incomplete",
            format!(
                "Not every permission was given at {}: reading and sending mail are both needed. Start again and leave \
                 all boxes ticked.",
                provider.name()
            ),
        ));
    }
    if tokens.refresh_token.is_none() {
        return Err(Refusal::new(
            "no_lasting_permission",
            format!(
                "{} gave permission for a short time only. The operator must add lasting access (offline_access) to the \
                 OAuth registration.",
                provider.name()
            ),
        ));
    }
    Ok(())
}
