//! One registration as it stands in the operator's file, and what has to fit together in it.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use postroom_events::TenantId;
use serde::Deserialize;
use url::Url;

use crate::error::ProviderDataError;
use crate::reach::Reach;
use crate::registration::{IdentitySource, OAuthRegistration};
use crate::registration_kind::{ClientProof, ClientSecret, RegisteredClient, RegistrationKind};

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Delegated,
    AppOnly,
    ServiceAccount,
    TokenService,
}

/// The keys of a `[[registration]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    id: String,
    provider: String,
    #[serde(default)]
    kind: Kind,
    name: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_secret_expires: Option<toml::Value>,
    client_secret_next: Option<String>,
    client_secret_next_expires: Option<toml::Value>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
    service_account_key: Option<PathBuf>,
    token_service_url: Option<Url>,
    token_service_secret: Option<String>,
    scopes: Option<Vec<String>>,
    redirect_base: Option<Url>,
    tenant: Option<String>,
    base_url: Option<Url>,
    used_by: Option<Vec<String>>,
    domains: Option<Vec<String>>,
}

/// Stands in `used_by` for every tenant.
const EVERYBODY: &str = "*";

impl Entry {
    /// The registration that it describes.
    pub(crate) fn registration(mut self) -> Result<OAuthRegistration, ProviderDataError> {
        let id = self.id.clone();
        let refuse = |problem: String| ProviderDataError::Registration {
            id: id.clone(),
            problem,
        };
        let kind = self.registration_kind().map_err(refuse)?;
        let reach = self.reach(kind.asks_nobody()).map_err(refuse)?;
        Ok(OAuthRegistration {
            name: self.name,
            scopes: self.scopes,
            redirect_base: self.redirect_base,
            tenant: self.tenant,
            base_url: self.base_url,
            reach,
            ..OAuthRegistration::new(self.id, IdentitySource::parse(&self.provider), kind)
        })
    }

    fn registration_kind(&mut self) -> Result<RegistrationKind, String> {
        if let Some(stranger) = self.stranger() {
            return Err(stranger);
        }
        Ok(match self.kind {
            Kind::Delegated => RegistrationKind::Delegated(self.client()?),
            Kind::AppOnly => RegistrationKind::AppOnly(self.client()?),
            Kind::ServiceAccount => RegistrationKind::ServiceAccount {
                key: needed("service_account_key", self.service_account_key.take())?,
            },
            Kind::TokenService => {
                let url = needed("token_service_url", self.token_service_url.take())?;
                if !is_http(&url) {
                    return Err("`token_service_url` is not an https URL".to_owned());
                }
                let secret = needed("token_service_secret", self.token_service_secret.take())?;
                RegistrationKind::TokenService {
                    url,
                    secret: filled("token_service_secret", secret)?.into(),
                }
            }
        })
    }

    /// A key that belongs to another kind: what was meant is not what would happen.
    fn stranger(&self) -> Option<String> {
        let client = [
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("client_secret_expires", self.client_secret_expires.is_some()),
            ("client_secret_next", self.client_secret_next.is_some()),
            (
                "client_secret_next_expires",
                self.client_secret_next_expires.is_some(),
            ),
            ("client_certificate", self.client_certificate.is_some()),
            ("client_key", self.client_key.is_some()),
        ];
        let service_account = [("service_account_key", self.service_account_key.is_some())];
        let token_service = [
            ("token_service_url", self.token_service_url.is_some()),
            ("token_service_secret", self.token_service_secret.is_some()),
        ];
        let (name, strangers): (_, [&[(&str, bool)]; 2]) = match self.kind {
            Kind::Delegated => ("delegated", [&service_account, &token_service]),
            Kind::AppOnly => ("app_only", [&service_account, &token_service]),
            Kind::ServiceAccount => ("service_account", [&client, &token_service]),
            Kind::TokenService => ("token_service", [&client, &service_account]),
        };
        let (key, _) = strangers.into_iter().flatten().find(|(_, present)| *present)?;
        Some(format!("`{key}` does not belong to kind `{name}`"))
    }

    fn client(&mut self) -> Result<RegisteredClient, String> {
        let id = needed("client_id", self.client_id.take())?;
        Ok(RegisteredClient {
            id: filled("client_id", id)?,
            proof: self.proof()?,
        })
    }

    fn proof(&mut self) -> Result<ClientProof, String> {
        let certificate = match (self.client_certificate.take(), self.client_key.take()) {
            (Some(certificate), Some(key)) => Some(ClientProof::Certificate { certificate, key }),
            (None, None) => None,
            _ => return Err("`client_certificate` and `client_key` belong together".to_owned()),
        };
        let secrets = self.secrets()?;
        match (certificate, secrets.is_empty()) {
            (Some(certificate), true) => Ok(certificate),
            (Some(_), false) => {
                Err("it is either `client_secret` or `client_certificate` that proves who we are".to_owned())
            }
            (None, true) => Ok(ClientProof::None),
            (None, false) => Ok(ClientProof::Secrets(secrets)),
        }
    }

    fn secrets(&mut self) -> Result<Vec<ClientSecret>, String> {
        let first = secret(
            "client_secret",
            self.client_secret.take(),
            "client_secret_expires",
            self.client_secret_expires.take(),
        )?;
        let next = secret(
            "client_secret_next",
            self.client_secret_next.take(),
            "client_secret_next_expires",
            self.client_secret_next_expires.take(),
        )?;
        if first.is_none() && next.is_some() {
            return Err("`client_secret_next` needs `client_secret`, which it takes over from".to_owned());
        }
        Ok(first.into_iter().chain(next).collect())
    }

    fn reach(&mut self, asks_nobody: bool) -> Result<Reach, String> {
        let mut reach = Reach::default();
        if let Some(domains) = self.domains.take() {
            reach.domains = Some(
                several("domains", domains)?
                    .map(domain)
                    .collect::<Result<_, _>>()?,
            );
        }
        match self.used_by.take() {
            // Everybody stands there in so many words; left out, it might be forgotten.
            Some(all) if all == [EVERYBODY] => reach.tenants = None,
            Some(tenants) => {
                reach.tenants = Some(
                    several("used_by", tenants)?
                        .map(tenant)
                        .collect::<Result<_, _>>()?,
                );
            }
            None if asks_nobody => {
                return Err(format!(
                    "it needs `used_by`: the ids of the tenants that may use it, or [\"{EVERYBODY}\"]"
                ));
            }
            None => {}
        }
        Ok(reach)
    }
}

/// A `http` URL is left to the HTTP client to judge, which knows whether loopback is allowed.
fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "http") && url.has_host()
}

fn secret(
    key: &str,
    value: Option<String>,
    end_key: &str,
    end: Option<toml::Value>,
) -> Result<Option<ClientSecret>, String> {
    let Some(value) = value else {
        return match end {
            Some(_) => Err(format!("`{end_key}` needs `{key}`")),
            None => Ok(None),
        };
    };
    Ok(Some(ClientSecret {
        value: filled(key, value)?.into(),
        ends_at: end.map(|end| midnight(end_key, &end)).transpose()?,
    }))
}

/// The beginning of a day, in UTC. A date may stand in quotes or not.
fn midnight(key: &str, value: &toml::Value) -> Result<DateTime<Utc>, String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    NaiveDate::parse_from_str(&text, "%Y-%m-%d")
        .map(|day| day.and_time(NaiveTime::MIN).and_utc())
        .map_err(|_| format!("`{key}` is not a date like 2027-03-01"))
}

fn needed<T>(key: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("it needs `{key}`"))
}

fn filled(key: &str, text: String) -> Result<String, String> {
    if text.trim().is_empty() {
        Err(format!("`{key}` is empty"))
    } else {
        Ok(text)
    }
}

fn several(key: &str, values: Vec<String>) -> Result<impl Iterator<Item = String>, String> {
    if values.is_empty() {
        Err(format!("`{key}` is empty"))
    } else {
        Ok(values.into_iter())
    }
}

fn domain(text: String) -> Result<String, String> {
    let fits = !text.is_empty() && !text.contains(['@', '*', '/']) && !text.contains(char::is_whitespace);
    if fits {
        Ok(text.to_lowercase())
    } else {
        Err(format!("`{text}` in `domains` is not a domain like example.org"))
    }
}

fn tenant(text: String) -> Result<TenantId, String> {
    text.parse()
        .map_err(|_| "`used_by` holds something that is not a tenant's id".to_owned())
}
