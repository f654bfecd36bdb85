//! How a grant is got from an identity provider.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

/// The OAuth side of a provider; the fields are explained at the top of `providers.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuthEndpoints {
    #[serde(default)]
    base: Option<Url>,
    #[serde(default)]
    tenant: Option<String>,
    #[serde(default)]
    authorize: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    revoke: Option<String>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    admin_consent: Option<String>,
    /// Asked for when connecting.
    pub scopes: Vec<String>,
    /// Asked for where no person signs in; empty if there is no such way.
    #[serde(default)]
    pub app_scopes: Vec<String>,
    /// Added to the authorize URL.
    #[serde(default)]
    pub authorize_params: BTreeMap<String, String>,
    /// Claims of the `id_token` that hold an address of the person; empty if there is no `id_token`.
    pub identity_claims: Vec<String>,
    /// How the client secret is sent.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Whether a refresh token still works after it was replaced.
    #[serde(default)]
    pub old_refresh_token: OldRefreshToken,
}

/// How the client secret is sent (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// In the form, as `client_secret_post` of OpenID Connect.
    #[default]
    Body,
    /// In the `Authorization` header, as `client_secret_basic` of OpenID Connect.
    Basic,
}

/// What becomes of a refresh token once a new one has been given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldRefreshToken {
    /// It still works: an answer that was lost can be asked for again.
    Works,
    /// It is dead, and using it may end the grant.
    #[default]
    Revoked,
}

/// Endpoints with everything filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where the person is sent.
    pub authorize: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token: Url,
    /// Where a device code is asked for.
    pub device: Option<Url>,
    /// Where tokens are revoked.
    pub revoke: Option<Url>,
    /// What `iss` of an `id_token` must be; may hold `{tid}`, the claim of that name.
    pub issuer: Option<String>,
    /// Where an administrator approves us for everybody; `{tenant}` stands for the administrator's tenant.
    pub admin_consent: Option<String>,
}

/// Whether a text can be a tenant of a provider. It becomes a part of a URL's path.
#[must_use]
pub fn is_tenant(text: &str) -> bool {
    !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

impl OAuthEndpoints {
    /// The endpoints, with `base` (a national cloud) and `tenant` in the place of the provider's own; `None` if
    /// this provider's are to be discovered from its issuer.
    ///
    /// # Errors
    /// A text that says which part does not fit.
    pub fn endpoints(&self, base: Option<&Url>, tenant: Option<&str>) -> Result<Option<Endpoints>, String> {
        let (Some(authorize), Some(token)) = (&self.authorize, &self.token) else {
            return Ok(None);
        };
        let tenant = tenant.or(self.tenant.as_deref()).unwrap_or_default();
        if !is_tenant(tenant) {
            return Err(format!(
                "`{tenant}` is not a tenant; use letters, digits, hyphens and dots"
            ));
        }
        let base = base
            .or(self.base.as_ref())
            .map(|url| url.as_str().trim_end_matches('/'))
            .unwrap_or_default();
        let with_base = |template: &String| template.replace("{base}", base);
        let fill = |template: &String| with_base(template).replace("{tenant}", tenant);
        let url = |template: &String| {
            let filled = fill(template);
            Url::parse(&filled).map_err(|error| format!("`{filled}` is not a URL ({error})"))
        };
        Ok(Some(Endpoints {
            authorize: url(authorize)?,
            token: url(token)?,
            device: self.device.as_ref().map(url).transpose()?,
            revoke: self.revoke.as_ref().map(url).transpose()?,
            issuer: self.issuer.as_ref().map(fill),
            admin_consent: self.admin_consent.as_ref().map(with_base),
        }))
    }

    /// Whether organizations have endpoints of their own there.
    #[must_use]
    pub fn is_tenanted(&self) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| token.contains("{tenant}"))
    }

    /// The issuer from which endpoints are discovered, when the data name one and no endpoints.
    #[must_use]
    pub fn issuer_to_discover(&self) -> Option<Url> {
        if self.authorize.is_some() {
            return None;
        }
        self.issuer.as_deref().and_then(|issuer| Url::parse(issuer).ok())
    }

    /// Whether neither endpoints nor an issuer to discover them from are known.
    pub(crate) fn leads_nowhere(&self) -> bool {
        self.authorize.is_none() && self.issuer_to_discover().is_none()
    }

    /// What is wrong with the data by themselves.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.authorize.is_some() != self.token.is_some() {
            return Some("its oauth part has only one of authorize and token".to_owned());
        }
        match self.endpoints(None, None) {
            Err(problem) => Some(problem),
            Ok(Some(Endpoints { authorize, token, .. }))
                if [&authorize, &token].iter().any(|u| u.scheme() != "https") =>
            {
                Some("its oauth endpoints are not https".to_owned())
            }
            Ok(_) => None,
        }
    }
}
