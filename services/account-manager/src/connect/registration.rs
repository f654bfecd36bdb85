//! Which of the operator's OAuth registrations serves a mailbox.

use postroom_oauth::IdentityProviders;
use postroom_providers::{IdentitySource, OAuthRegistration, ProviderCatalogue};

use super::draft::ConnectDraft;
use crate::http::problem::FieldProblem;

/// A registration that a person can choose by hand: one at an OpenID provider that no provider data stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Id of the registration.
    pub(crate) id: String,
    /// The provider's name.
    pub(crate) name: String,
}

/// What can be chosen by hand.
pub(crate) fn selectable(identity: &IdentityProviders) -> Vec<Choice> {
    identity
        .registrations()
        .filter(|(registration, _)| matches!(registration.source, IdentitySource::Issuer(_)))
        .map(|(registration, name)| Choice {
            id: registration.id.clone(),
            name: name.to_owned(),
        })
        .collect()
}

/// The registration for a draft: the one named, the one at the mailbox's provider, or the only one there is to choose.
pub(crate) fn choose<'i>(
    identity: &'i IdentityProviders,
    catalogue: &ProviderCatalogue,
    draft: &ConnectDraft,
) -> Result<&'i OAuthRegistration, FieldProblem> {
    if let Some(named) = &draft.registration {
        return identity.registration(named).ok_or_else(|| {
            let known: Vec<_> = identity
                .registrations()
                .map(|(known, _)| known.id.as_str())
                .collect();
            problem(
                "unknown_registration",
                format!(
                    "There is no OAuth registration with that name. Choose one of: {}.",
                    known.join(", ")
                ),
            )
        });
    }
    let by_provider = catalogue
        .by_id(&draft.provider_id)
        .and_then(|provider| identity.registration_for(provider));
    if let Some(registration) = by_provider {
        return Ok(registration);
    }
    match selectable(identity).as_slice() {
        [] => Err(problem(
            "oauth_not_configured",
            "This Postroom is not registered with the identity provider of this mailbox, so OAuth 2.0 cannot be used. \
             Choose another way to sign in, or ask the operator to add an OAuth registration."
                .to_owned(),
        )),
        [only] => identity
            .registration(&only.id)
            .ok_or_else(|| problem("oauth_not_configured", "The OAuth registration is gone.".to_owned())),
        several => {
            let names: Vec<_> = several.iter().map(|choice| choice.id.as_str()).collect();
            Err(problem(
                "registration_missing",
                format!("Several identity providers can be meant. Name one of: {}.", names.join(", ")),
            ))
        }
    }
}

fn problem(code: &'static str, detail: String) -> FieldProblem {
    FieldProblem::new("registration", code, detail)
}
