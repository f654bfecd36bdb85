//! What makes provider data unusable.

use std::collections::HashMap;

use postroom_events::AuthenticationMethod;
use serde::Deserialize as _;
use toml::{Table, Value};

use crate::error::ProviderDataError;
use crate::provider::{MailServer, Provider};

/// Reads one merged entry.
pub(crate) fn read(table: Table) -> Result<Provider, ProviderDataError> {
    let id = table
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let refuse = |problem: String| ProviderDataError::Provider {
        id: id.clone(),
        problem,
    };
    let provider = Provider::deserialize(table).map_err(|error| refuse(error.message().to_owned()))?;
    match problem(&provider) {
        Some(problem) => Err(refuse(problem)),
        None => Ok(provider),
    }
}

/// What the form of the file cannot say.
fn problem(provider: &Provider) -> Option<String> {
    let id_fits = |id: &str| {
        !id.is_empty()
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let bad_server = |server: &&MailServer| server.port == 0 || !is_host(&server.host);
    if !id_fits(&provider.id) {
        return Some("its id is not made of a-z, 0-9 and hyphens".to_owned());
    }
    if provider.sign_in.is_empty() {
        return Some("it has no way to sign in".to_owned());
    }
    if provider.sign_in.contains(&AuthenticationMethod::OAuth2) != provider.oauth.is_some() {
        return Some("`oauth2` in sign_in and the oauth part belong together".to_owned());
    }
    if let Some(server) = provider.imap.iter().chain(&provider.smtp).find(bad_server) {
        return Some(format!("`{}:{}` is not a server", server.host, server.port));
    }
    if let Some(name) = provider
        .domains
        .iter()
        .chain(&provider.mx)
        .chain(&provider.mx_shared)
        .find(|name| !is_host(name))
    {
        return Some(format!("`{name}` is not a domain in lower case"));
    }
    if !(60..29 * 60).contains(&provider.idle_renew().as_secs()) {
        return Some("idle_renew_secs is not between 60 and 1739".to_owned());
    }
    let links = [&provider.app_password_help, &provider.enable_imap_help];
    if links.into_iter().flatten().any(|link| link.scheme() != "https") {
        return Some("a help link is not https".to_owned());
    }
    provider.oauth.as_ref().and_then(|oauth| oauth.problem())
}

/// A name or address in lower case, as far as data need checking; who connects checks again.
pub(crate) fn is_host(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b':');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(allowed) && !name.starts_with('.')
}

/// Which provider owns which domain; two cannot own the same.
pub(crate) fn index_domains(providers: &[Provider]) -> Result<HashMap<String, usize>, ProviderDataError> {
    let mut by_domain: HashMap<String, usize> = HashMap::new();
    for (index, provider) in providers.iter().enumerate() {
        for domain in &provider.domains {
            if let Some(other) = by_domain.insert(domain.clone(), index) {
                let problem = format!("its domain {domain} belongs to `{}` too", providers[other].id);
                return Err(ProviderDataError::Provider {
                    id: provider.id.clone(),
                    problem,
                });
            }
        }
    }
    Ok(by_domain)
}

/// An end of MX host names cannot mean two providers, nor one and nobody.
pub(crate) fn mx_is_unambiguous(providers: &[Provider]) -> Result<(), ProviderDataError> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for provider in providers {
        for end in &provider.mx {
            let other = owners.insert(end, &provider.id).map(str::to_owned);
            let shared = providers.iter().find(|other| other.mx_shared.contains(end));
            if let Some(other) = other.or_else(|| shared.map(|other| other.id.clone())) {
                return Err(ProviderDataError::Provider {
                    id: provider.id.clone(),
                    problem: format!("its MX hosts {end} are `{other}`'s too"),
                });
            }
        }
    }
    Ok(())
}
