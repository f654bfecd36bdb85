//! The operator's file with OAuth registrations.
//!
//! ```toml
//! [[registration]]
//! id = "google"                       # short name, never changed: grants refer to it
//! provider = "google"                 # a provider's id, or the issuer URL of any OpenID provider
//! client_id = "1234.apps.example"
//! client_secret = "..."               # left out for a public client
//! ```
//! `docs/oauth.md` explains every key and shows a registration of each kind.

use serde::Deserialize;

use crate::error::ProviderDataError;
use crate::registration::OAuthRegistration;
use crate::registration_entry::Entry;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    registration: Vec<Entry>,
}

impl OAuthRegistration {
    /// Reads the content of an operator's file with registrations.
    ///
    /// # Errors
    /// [`ProviderDataError::RegistrationFile`] with the line, [`ProviderDataError::Registration`] with the id; nothing
    /// of what may be a secret is repeated.
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
        read.registration.into_iter().map(Entry::registration).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::IdentitySource;
    use crate::registration_kind::{ClientProof, RegistrationKind};

    fn read(file: &str) -> OAuthRegistration {
        OAuthRegistration::read_all(file).unwrap().remove(0)
    }

    fn refused(keys: &str) -> String {
        let file = format!("[[registration]]\nid = \"x\"\nprovider = \"google\"\n{keys}");
        OAuthRegistration::read_all(&file).unwrap_err().to_string()
    }

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
            name = "The house"
            client_id = "d"
            scopes = ["openid"]
        "#;
        let all = OAuthRegistration::read_all(file).unwrap();
        assert_eq!(all[0].source, IdentitySource::Preset("google".to_owned()));
        assert!(matches!(all[1].source, IdentitySource::Issuer(_)));
        assert_eq!(all[1].name.as_deref(), Some("The house"));
        let public =
            matches!(&all[1].kind, RegistrationKind::Delegated(c) if matches!(c.proof, ClientProof::None));
        assert!(public, "{:?}", all[1]);
        assert!(!format!("{all:?}").contains("canary"));
        assert!(OAuthRegistration::read_all("").unwrap().is_empty());
    }

    #[test]
    fn two_secrets_and_their_ends_are_read() {
        let registration = read(
            r#"
            [[registration]]
            id = "m"
            provider = "microsoft"
            client_id = "c"
            client_secret = "canary"
            client_secret_expires = 2027-03-01
            client_secret_next = "canary"
            client_secret_next_expires = "2028-03-01"
        "#,
        );
        let RegistrationKind::Delegated(client) = &registration.kind else {
            panic!("{registration:?}")
        };
        let ClientProof::Secrets(secrets) = &client.proof else {
            panic!("{registration:?}")
        };
        let ends: Vec<_> = secrets
            .iter()
            .map(|secret| secret.ends_at.unwrap().to_rfc3339())
            .collect();
        assert_eq!(ends, ["2027-03-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"]);
    }

    #[test]
    fn kinds_without_a_person_are_read() {
        let app_only = read(
            r#"
            [[registration]]
            id = "contoso"
            provider = "microsoft"
            kind = "app_only"
            tenant = "contoso.example"
            client_id = "c"
            client_certificate = "/etc/postroom/client.pem"
            client_key = "/etc/postroom/client.key"
            domains = ["Contoso.example"]
            used_by = ["0199f0a0-0000-7000-8000-000000000001"]
        "#,
        );
        assert_eq!(app_only.kind.name(), "app_only");
        assert_eq!(app_only.reach.domains.unwrap(), ["contoso.example"]);
        assert_eq!(app_only.reach.tenants.unwrap().len(), 1);
        let service_account = read(
            r#"
            [[registration]]
            id = "w"
            provider = "google"
            kind = "service_account"
            service_account_key = "/etc/postroom/google.json"
            domains = ["example.org"]
            used_by = ["*"]
        "#,
        );
        assert!(service_account.kind.asks_nobody() && service_account.reach.tenants.is_none());
        let token_service = read(
            r#"
            [[registration]]
            id = "crm"
            provider = "microsoft"
            kind = "token_service"
            token_service_url = "https://crm.example/tokens"
            token_service_secret = "canary"
        "#,
        );
        assert_eq!(token_service.kind.name(), "token_service");
        assert!(!format!("{token_service:?}").contains("canary"));
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
            (
                "[[registration]]\nid=\"x\"\nprovider=\"google\"\nkind=\"delegates\"",
                "line 4",
            ),
        ] {
            let error = OAuthRegistration::read_all(file).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn keys_that_do_not_belong_together_are_refused_by_name() {
        let client = "client_id = \"c\"\n";
        let cases = [
            (String::new(), "needs `client_id`"),
            (
                format!("{client}service_account_key = \"k\""),
                "`service_account_key` does not belong to kind `delegated`",
            ),
            (
                "kind = \"service_account\"".to_owned(),
                "needs `service_account_key`",
            ),
            (
                format!("kind = \"service_account\"\nservice_account_key = \"k\"\n{client}"),
                "`client_id` does not belong to kind `service_account`",
            ),
            (
                "kind = \"token_service\"\ntoken_service_url = \"https://x.example\"".to_owned(),
                "needs `token_service_secret`",
            ),
            (
                "kind = \"token_service\"\ntoken_service_url = \"file:///x\"\ntoken_service_secret = \"canary\""
                    .to_owned(),
                "`token_service_url` is not an https URL",
            ),
            (
                format!("{client}client_certificate = \"c\""),
                "`client_certificate` and `client_key` belong together",
            ),
            (
                format!("{client}client_secret = \"canary\"\nclient_certificate = \"c\"\nclient_key = \"k\""),
                "either `client_secret` or `client_certificate`",
            ),
            (
                format!("{client}client_secret_next = \"canary\""),
                "`client_secret_next` needs `client_secret`",
            ),
            (
                format!("{client}client_secret_expires = 2027-03-01"),
                "`client_secret_expires` needs `client_secret`",
            ),
            (
                format!("{client}client_secret = \"canary\"\nclient_secret_expires = \"canary\""),
                "`client_secret_expires` is not a date",
            ),
            (
                format!("{client}client_secret = \"\""),
                "`client_secret` is empty",
            ),
            (
                format!("{client}used_by = [\"canary\"]"),
                "`used_by` holds something that is not a tenant's id",
            ),
            (
                format!("kind = \"app_only\"\n{client}domains = [\"b.example\"]"),
                "needs `used_by`",
            ),
            (format!("{client}domains = [\"a@b.example\"]"), "not a domain"),
            (format!("{client}domains = []"), "`domains` is empty"),
        ];
        for (keys, words) in cases {
            let error = refused(&keys);
            assert!(
                error.contains("`x`") && error.contains(words) && !error.contains("canary"),
                "{words}: {error}"
            );
        }
    }
}
