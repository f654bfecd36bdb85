//! Who we are at an identity provider.

use secrecy::SecretString;
use url::Url;

use crate::catalogue::ProviderCatalogue;
use crate::error::ProviderDataError;
use crate::oauth_endpoints::OAuthEndpoints;

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

/// A client that the operator has registered at an identity provider.
#[derive(Clone, Debug)]
pub struct OAuthRegistration {
    /// Short name, unique, that never changes: grants refer to it.
    pub id: String,
    /// Where it is registered.
    pub source: IdentitySource,
    /// Our `client_id` there.
    pub client_id: String,
    /// Our secret there; `None` for a public client.
    pub client_secret: Option<SecretString>,
    /// In the place of the provider's scopes.
    pub scopes: Option<Vec<String>>,
    /// Base of the redirect URL that is registered there; `None`: this system's own public URL.
    pub redirect_base: Option<Url>,
    /// In the place of the provider's tenant (Microsoft: `common`, `organizations`, `consumers`, a tenant's id).
    pub tenant: Option<String>,
    /// In the place of the provider's base URL (Microsoft's national clouds).
    pub base_url: Option<Url>,
}

impl OAuthRegistration {
    /// The OAuth side of the provider that it is registered at; `custom`'s for an issuer URL.
    ///
    /// # Errors
    /// [`ProviderDataError::Registration`] if there is no such provider, it has no OAuth, or its endpoints cannot
    /// be filled in with this registration's tenant and base.
    pub fn oauth<'c>(
        &self,
        catalogue: &'c ProviderCatalogue,
    ) -> Result<&'c OAuthEndpoints, ProviderDataError> {
        let refuse = |problem: String| ProviderDataError::Registration {
            id: self.id.clone(),
            problem,
        };
        let preset = match &self.source {
            IdentitySource::Preset(preset) => preset,
            IdentitySource::Issuer(_) => "custom",
        };
        let provider = catalogue
            .by_id(preset)
            .ok_or_else(|| refuse(format!("`{preset}` is neither a provider's id nor an issuer URL")))?;
        let oauth = provider
            .oauth
            .as_ref()
            .ok_or_else(|| refuse(format!("{} has no OAuth", provider.name)))?;
        oauth
            .endpoints(self.base_url.as_ref(), self.tenant.as_deref())
            .map_err(refuse)?;
        Ok(oauth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(source: &str) -> OAuthRegistration {
        OAuthRegistration {
            id: "r".to_owned(),
            source: IdentitySource::parse(source),
            client_id: "client".to_owned(),
            client_secret: Some("canary".into()),
            scopes: None,
            redirect_base: None,
            tenant: None,
            base_url: None,
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
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let catalogue = ProviderCatalogue::load(None).unwrap();
        let cases = [
            (registration("nowhere"), "neither a provider's id"),
            (registration("strato"), "Strato has no OAuth"),
            (
                OAuthRegistration {
                    tenant: Some("../evil".to_owned()),
                    ..registration("microsoft")
                },
                "not a tenant",
            ),
            (
                OAuthRegistration {
                    tenant: Some("a/b".to_owned()),
                    ..registration("microsoft")
                },
                "not a tenant",
            ),
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
