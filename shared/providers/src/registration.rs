//! Who we are at an identity provider.

use url::Url;

use crate::catalogue::ProviderCatalogue;
use crate::error::ProviderDataError;
use crate::oauth_endpoints::OAuthEndpoints;
use crate::reach::Reach;
use crate::registration_kind::{ClientProof, RegisteredClient, RegistrationKind};

/// The identity provider of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A provider of the catalogue, by id.
    Preset(String),
    /// Any OpenID provider, by issuer URL; its endpoints are discovered.
    Issuer(Url),
}

impl IdentitySource {
    /// Reads what an operator writes: an issuer URL or a provider's id.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match Url::parse(text) {
            Ok(url) if url.has_host() => Self::Issuer(url),
            _ => Self::Preset(text.to_owned()),
        }
    }
}

/// What the operator has agreed upon with an identity provider.
#[derive(Clone, Debug)]
pub struct OAuthRegistration {
    /// Short name, unique, that never changes: grants refer to it.
    pub id: String,
    /// Where it is registered.
    pub source: IdentitySource,
    /// How tokens are got with it.
    pub kind: RegistrationKind,
    /// What people see in the place of the provider's name.
    pub name: Option<String>,
    /// In the place of the provider's scopes.
    pub scopes: Option<Vec<String>>,
    /// Base of the redirect URL that is registered there; `None`: this system's own public URL.
    pub redirect_base: Option<Url>,
    /// In the place of the provider's tenant (Microsoft: `common`, `organizations`, `consumers`, a tenant's id).
    pub tenant: Option<String>,
    /// In the place of the provider's base URL (Microsoft's national clouds).
    pub base_url: Option<Url>,
    /// Who may use it, and for which mailboxes.
    pub reach: Reach,
}

impl OAuthRegistration {
    /// A registration without anything that can be left out.
    #[must_use]
    pub fn new(id: impl Into<String>, source: IdentitySource, kind: RegistrationKind) -> Self {
        Self {
            id: id.into(),
            source,
            kind,
            name: None,
            scopes: None,
            redirect_base: None,
            tenant: None,
            base_url: None,
            reach: Reach::default(),
        }
    }

    /// The OAuth side of the provider that it is registered at; `custom`'s for an issuer URL.
    ///
    /// # Errors
    /// [`ProviderDataError::Registration`] if there is no such provider, it has no OAuth or none of this kind, or its
    /// endpoints cannot be filled in with this registration's tenant and base.
    pub fn oauth<'c>(
        &self,
        catalogue: &'c ProviderCatalogue,
    ) -> Result<&'c OAuthEndpoints, ProviderDataError> {
        let preset = match &self.source {
            IdentitySource::Preset(preset) => preset,
            IdentitySource::Issuer(_) => "custom",
        };
        let provider = catalogue
            .by_id(preset)
            .ok_or_else(|| self.refuse(format!("`{preset}` is neither a provider's id nor an issuer URL")))?;
        let oauth = provider
            .oauth
            .as_ref()
            .ok_or_else(|| self.refuse(format!("{} has no OAuth", provider.name)))?;
        oauth
            .endpoints(self.base_url.as_ref(), self.tenant.as_deref())
            .map_err(|problem| self.refuse(problem))?;
        match self.problem_of_kind(oauth) {
            Some(problem) => Err(self.refuse(problem)),
            None => Ok(oauth),
        }
    }

    /// What is asked for: the operator's own scopes, or the provider's for this kind.
    #[must_use]
    pub fn scopes<'r>(&'r self, oauth: &'r OAuthEndpoints) -> &'r [String] {
        match &self.scopes {
            Some(scopes) => scopes,
            None if self.kind.asks_nobody() => &oauth.app_scopes,
            None => &oauth.scopes,
        }
    }

    /// What the kind asks of the provider and of the rest of the registration.
    fn problem_of_kind(&self, oauth: &OAuthEndpoints) -> Option<String> {
        let kind = self.kind.name();
        if self.kind.asks_nobody() && self.scopes(oauth).is_empty() {
            return Some(format!(
                "this provider has no scopes for kind `{kind}`; name them with `scopes`, or choose another kind"
            ));
        }
        if self.kind.asks_nobody() && self.reach.domains.is_none() {
            return Some(format!(
                "kind `{kind}` opens mailboxes without asking anybody, so `domains` must say which"
            ));
        }
        match &self.kind {
            RegistrationKind::AppOnly(RegisteredClient {
                proof: ClientProof::None,
                ..
            }) => Some(format!(
                "kind `{kind}` needs `client_secret`, or `client_certificate` and `client_key`"
            )),
            RegistrationKind::AppOnly(_) if oauth.is_tenanted() && !self.has_one_tenant() => Some(format!(
                "kind `{kind}` needs `tenant`: the id or a domain of one organization there"
            )),
            RegistrationKind::Delegated(_) | RegistrationKind::AppOnly(_)
                if matches!(self.source, IdentitySource::Preset(_)) && oauth.leads_nowhere() =>
            {
                Some(
                    "this provider has no endpoints of its own; write the issuer URL in its place".to_owned(),
                )
            }
            _ => None,
        }
    }

    /// Microsoft's collective names stand for many organizations, or for none.
    fn has_one_tenant(&self) -> bool {
        self.tenant
            .as_deref()
            .is_some_and(|tenant| !matches!(tenant, "" | "common" | "organizations" | "consumers"))
    }

    pub(crate) fn refuse(&self, problem: String) -> ProviderDataError {
        ProviderDataError::Registration {
            id: self.id.clone(),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use postroom_events::TenantId;

    use super::*;

    fn client(proof: ClientProof) -> RegisteredClient {
        RegisteredClient {
            id: "client".to_owned(),
            proof,
        }
    }

    fn secret() -> ClientProof {
        ClientProof::secret(Some("canary".into()))
    }

    fn registration(source: &str) -> OAuthRegistration {
        let kind = RegistrationKind::Delegated(client(secret()));
        OAuthRegistration::new("r", IdentitySource::parse(source), kind)
    }

    fn app_only(source: &str, tenant: Option<&str>) -> OAuthRegistration {
        OAuthRegistration {
            kind: RegistrationKind::AppOnly(client(secret())),
            tenant: tenant.map(str::to_owned),
            reach: Reach {
                tenants: Some(vec![TenantId::generate()]),
                domains: Some(vec!["contoso.example".to_owned()]),
            },
            ..registration(source)
        }
    }

    #[test]
    fn a_source_is_a_preset_or_an_issuer() {
        assert_eq!(
            IdentitySource::parse("google"),
            IdentitySource::Preset("google".to_owned())
        );
        let issuer = IdentitySource::parse("https://sso.example.org/realms/x");
        assert!(matches!(issuer, IdentitySource::Issuer(url) if url.path() == "/realms/x"));
    }

    #[test]
    fn a_national_cloud_and_a_tenant_are_filled_in() {
        let catalogue = ProviderCatalogue::load(None).unwrap();
        let registration = OAuthRegistration {
            tenant: Some("contoso.example".to_owned()),
            base_url: Some("https://login.microsoftonline.us/".parse().unwrap()),
            ..registration("microsoft")
        };
        let oauth = registration.oauth(&catalogue).unwrap();
        let endpoints = oauth
            .endpoints(registration.base_url.as_ref(), registration.tenant.as_deref())
            .unwrap()
            .unwrap();
        let expected = "https://login.microsoftonline.us/contoso.example/oauth2/v2.0/token";
        assert_eq!(endpoints.token.as_str(), expected);
        assert_eq!(
            endpoints.issuer.unwrap(),
            "https://login.microsoftonline.us/{tid}/v2.0"
        );
        assert_eq!(
            endpoints.admin_consent.unwrap(),
            "https://login.microsoftonline.us/{tenant}/v2.0/adminconsent",
            "its tenant is that of whoever approves"
        );
    }

    #[test]
    fn each_kind_asks_for_its_own_scopes() {
        let catalogue = ProviderCatalogue::load(None).unwrap();
        let scopes = |registration: &OAuthRegistration| {
            let oauth = registration.oauth(&catalogue).unwrap();
            registration.scopes(oauth).to_vec()
        };
        assert!(scopes(&registration("microsoft")).contains(&"offline_access".to_owned()));
        let app_only = app_only("microsoft", Some("contoso.example"));
        assert_eq!(scopes(&app_only), ["https://outlook.office365.com/.default"]);
        let own = OAuthRegistration {
            scopes: Some(vec!["https://partner.outlook.cn/.default".to_owned()]),
            ..app_only
        };
        assert_eq!(scopes(&own), ["https://partner.outlook.cn/.default"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let catalogue = ProviderCatalogue::load(None).unwrap();
        let for_all = |registration| OAuthRegistration {
            reach: Reach::default(),
            ..registration
        };
        let with_tenant = |tenant: &str| OAuthRegistration {
            tenant: Some(tenant.to_owned()),
            ..registration("microsoft")
        };
        let unproved = OAuthRegistration {
            kind: RegistrationKind::AppOnly(client(ClientProof::None)),
            ..app_only("microsoft", Some("contoso.example"))
        };
        let cases = [
            (registration("nowhere"), "neither a provider's id"),
            (registration("strato"), "Strato has no OAuth"),
            (registration("custom"), "write the issuer URL"),
            (with_tenant("../evil"), "not a tenant"),
            (with_tenant("a/b"), "not a tenant"),
            (app_only("microsoft", None), "needs `tenant`"),
            (app_only("microsoft", Some("common")), "needs `tenant`"),
            (app_only("yahoo", None), "no scopes for kind `app_only`"),
            (
                for_all(app_only("microsoft", Some("contoso.example"))),
                "`domains` must say which",
            ),
            (unproved, "needs `client_secret`"),
        ];
        for (registration, words) in cases {
            let error = registration.oauth(&catalogue).unwrap_err().to_string();
            assert!(error.contains("`r`") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_client_secret_does_not_print() {
        assert!(!format!("{:?}", registration("google")).contains("canary"));
    }
}
