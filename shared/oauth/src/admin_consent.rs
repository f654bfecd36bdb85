//! Approval by an administrator, for everybody in an organization
//! (<https://learn.microsoft.com/entra/identity-platform/v2-admin-consent>).
//!
//! The person who waits passes the link on; the administrator opens it in another browser. So `state` can only say which
//! account waits, and the answer proves nothing: anybody can send a browser to that URL. What proves the approval is
//! that tokens are given afterwards.

use oauth2::CsrfToken;
use postroom_events::WhoCanAct;
use postroom_providers::is_tenant;
use secrecy::SecretString;
use url::Url;

use crate::causes::{ADMIN_APPROVAL_DECLINED, ADMIN_APPROVAL_REQUIRED};
use crate::identity_provider::{IdentityProvider, TokenSource};
use crate::token_error::{RedirectError, TokenError};

/// The link for an administrator.
#[derive(Clone, Debug)]
pub struct AdminConsentRequest {
    /// Where the administrator goes.
    pub url: Url,
    /// What `state` is when it comes back: names the account that waits. Keep it as a digest.
    pub csrf_state: SecretString,
}

/// What came back with the administrator's browser. All of it is untrusted.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdminConsentAnswer<'a> {
    /// The `admin_consent` parameter. It is `True` beside an error too.
    pub admin_consent: Option<&'a str>,
    /// The `tenant` parameter.
    pub tenant: Option<&'a str>,
    /// The `error` parameter and what belongs to it.
    pub error: Option<RedirectError<'a>>,
}

/// An administrator says yes. Try to get tokens now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConsent {
    /// The organization that is said to have approved, to be shown or searched for. **It authorizes nothing**: whoever
    /// sent the browser has written it.
    pub claimed_tenant: Option<String>,
}

/// Longer than any id or domain.
const MAX_TENANT: usize = 255;

impl IdentityProvider {
    /// The link by which an administrator approves this application for `tenant`: the organization of the person who
    /// waits, if it is known, else that of the registration, else the administrator's own. `None` if the provider has
    /// no such page, or `tenant` cannot be one.
    #[must_use]
    pub fn admin_consent_request(
        &self,
        redirect_url: &Url,
        tenant: Option<&str>,
    ) -> Option<AdminConsentRequest> {
        let (TokenSource::Delegated(client) | TokenSource::AppOnly(client)) = &self.source else {
            return None;
        };
        let tenant = tenant.or(self.tenant.as_deref()).filter(|tenant| {
            // Those who own a mailbox alone have nobody to approve for them.
            !matches!(*tenant, "" | "common" | "consumers")
        });
        let tenant = tenant.unwrap_or("organizations");
        if !is_tenant(tenant) {
            return None;
        }
        let template = self.endpoints.admin_consent.as_ref()?;
        let mut url = Url::parse(&template.replace("{tenant}", tenant)).ok()?;
        let state = CsrfToken::new_random_len(32);
        url.query_pairs_mut()
            .append_pair("client_id", &client.id)
            .append_pair("redirect_uri", redirect_url.as_str())
            .append_pair("state", state.secret())
            .append_pair("scope", &self.scopes.join(" "));
        Some(AdminConsentRequest {
            url,
            csrf_state: state.into_secret().into(),
        })
    }

    /// What the administrator answered. Look `state` up first.
    ///
    /// # Errors
    /// [`TokenError`]: [`ADMIN_APPROVAL_DECLINED`] if they said no, [`ADMIN_APPROVAL_REQUIRED`] if they said nothing.
    pub fn admin_consent_answer(&self, answer: &AdminConsentAnswer<'_>) -> Result<AdminConsent, TokenError> {
        if let Some(error) = &answer.error {
            let mut error = self.redirect_error(error);
            if error.who_acts() == WhoCanAct::User {
                error.cause = ADMIN_APPROVAL_DECLINED;
            }
            return Err(error);
        }
        if !answer
            .admin_consent
            .is_some_and(|said| said.eq_ignore_ascii_case("true"))
        {
            return Err(self.error(ADMIN_APPROVAL_REQUIRED));
        }
        let tenant = answer
            .tenant
            .filter(|tenant| !tenant.is_empty() && tenant.len() <= MAX_TENANT && is_tenant(tenant));
        Ok(AdminConsent {
            claimed_tenant: tenant.map(str::to_owned),
        })
    }
}
