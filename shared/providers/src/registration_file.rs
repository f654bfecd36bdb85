//! The operator's file with OAuth registrations.
//!
//! ```toml
//! [[registration]]
//! id = "google"                       # short name, never changed: grants refer to it
//! provider = "google"                 # a provider's id, or the issuer URL of any OpenID provider
//! client_id = "1234.apps.example"
//! client_secret = "..."               # left out for a public client
//! scopes = ["openid", "email"]        # in the place of the provider's scopes
//! redirect_base = "https://mail.example.org"
//! tenant = "contoso.example"          # Microsoft
//! base_url = "https://login.microsoftonline.us"
//! ```
//! Only `id`, `provider` and `client_id` are needed.

use serde::Deserialize;
use url::Url;

use crate::error::ProviderDataError;
use crate::registration::{IdentitySource, OAuthRegistration};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    registration: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    provider: String,
    client_id: String,
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
    redirect_base: Option<Url>,
    tenant: Option<String>,
    base_url: Option<Url>,
}

impl OAuthRegistration {
    /// Reads the content of an operator's file with registrations.
    ///
    /// # Errors
    /// [`ProviderDataError::RegistrationFile`] with the line; nothing of the file's content is repeated.
    pub fn read_all(file: &str) -> Result<Vec<Self>, ProviderDataError> {
        let read: File = toml::from_str(file).map_err(|error| {
            // The display form would repeat the line, and that may hold a secret; so may the value in a message.
            let line = error.span().map_or(0, |span| {
                file[..span.start.min(file.len())].lines().count().max(1)
            });
            let message = error.message();
            let message = message.split(": ").next().unwrap_or(message);
            ProviderDataError::RegistrationFile(format!("line {line}: {message}"))
        })?;
        Ok(read.registration.into_iter().map(Self::from).collect())
    }
}

impl From<Entry> for OAuthRegistration {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            source: IdentitySource::parse(&entry.provider),
            client_id: entry.client_id,
            client_secret: entry.client_secret.map(Into::into),
            scopes: entry.scopes,
            redirect_base: entry.redirect_base,
            tenant: entry.tenant,
            base_url: entry.base_url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_are_read() {
        let file = r#"
            [[registration]]
            id = "google"
            provider = "google"
            client_id = "c"
            client_secret = "canary"

            [[registration]]
            id = "house"
            provider = "https://sso.house.example"
            client_id = "d"
            scopes = ["openid"]
        "#;
        let read = OAuthRegistration::read_all(file).unwrap();
        assert_eq!(read[0].source, IdentitySource::Preset("google".to_owned()));
        assert!(matches!(read[1].source, IdentitySource::Issuer(_)) && read[1].client_secret.is_none());
        assert!(!format!("{read:?}").contains("canary"));
        assert!(OAuthRegistration::read_all("").unwrap().is_empty());
    }

    #[test]
    fn a_fault_names_its_line_and_no_secret() {
        for (file, words) in [
            ("[[registration]]\nid = \"x\"\nclient_secret = \"canary", "line 3"),
            ("[[registration]]\nid = \"x\"\nclient_id = \"c\"", "provider"),
            ("[[registration]]\ncolour = \"canary\"", "colour"),
            ("client_secret = \"canary\"", "client_secret"),
            (
                "[[registration]]\nid=\"x\"\nprovider=\"google\"\nclient_id=[\"canary\"]",
                "line 4",
            ),
        ] {
            let error = OAuthRegistration::read_all(file).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("canary"), "{error}");
        }
    }
}
