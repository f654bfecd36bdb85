//! Which of the operator's OAuth registrations serves a mailbox.

use postroom_events::TenantId;
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
        .filter(|(registration, _)| {
            registration.kind.is_delegated() && matches!(registration.source, IdentitySource::Issuer(_))
        })
        .map(|(registration, name)| Choice {
            id: registration.id.clone(),
            name: name.to_owned(),
        })
        .collect()
}

/// As [`choose`], where a person signs in at the provider: by no other registration may a person open a mailbox.
pub(crate) fn choose_for_person<'i>(
    identity: &'i IdentityProviders,
    catalogue: &ProviderCatalogue,
    tenant_id: TenantId,
    draft: &ConnectDraft,
) -> Result<&'i OAuthRegistration, FieldProblem> {
    let chosen = choose(identity, catalogue, tenant_id, draft)?;
    match chosen.kind.is_delegated() {
        true => Ok(chosen),
        false => Err(problem(
            "unknown_registration",
            "People cannot sign in with this OAuth registration. Choose another way to sign in.".to_owned(),
        )),
    }
}

/// The registration for a draft: the one named, which may be one that asks no person; the one at the mailbox's provider; or
/// the only one there is to choose. One that is not for this tenant and address does not exist.
pub(crate) fn choose<'i>(
    identity: &'i IdentityProviders,
    catalogue: &ProviderCatalogue,
    tenant_id: TenantId,
    draft: &ConnectDraft,
) -> Result<&'i OAuthRegistration, FieldProblem> {
    let covers = |registration: &&OAuthRegistration| registration.reach.covers(tenant_id, &draft.address);
    if let Some(named) = &draft.registration {
        return identity.registration(named).filter(covers).ok_or_else(|| {
            let known: Vec<_> = identity
                .registrations()
                .map(|(known, _)| known)
                .filter(covers)
                .map(|known| known.id.as_str())
                .collect();
            problem(
                "unknown_registration",
                format!(
                    "There is no OAuth registration with that name for this mailbox. Choose one of: {}.",
                    known.join(", ")
                ),
            )
        });
    }
    let by_provider = catalogue.by_id(&draft.provider_id).and_then(|provider| {
        identity
            .registrations_for(provider)
            .find(|registration| registration.kind.is_delegated() && covers(registration))
    });
    if let Some(registration) = by_provider {
        return Ok(registration);
    }
    let fits = |choice: &Choice| identity.registration(&choice.id).filter(covers).is_some();
    let choices: Vec<_> = selectable(identity).into_iter().filter(fits).collect();
    match choices.as_slice() {
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
