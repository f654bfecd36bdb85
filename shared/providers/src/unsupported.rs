//! Providers that cannot be connected, so that a person hears why instead of "not found".

use serde::Deserialize;
use toml::{Table, Value};

use crate::check::is_host;
use crate::error::ProviderDataError;

/// A provider without IMAP that could be reached from a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsupported {
    /// As people know it.
    pub name: String,
    /// Domains, in lower case, whose addresses are certainly this provider's.
    pub domains: Vec<String>,
    /// Ends of MX host names that mean this provider.
    #[serde(default)]
    pub mx: Vec<String>,
    /// Why not, and what a person can do instead: sentences.
    pub reason: String,
}

pub(crate) fn read_all(tables: Vec<Table>) -> Result<Vec<Unsupported>, ProviderDataError> {
    tables.into_iter().map(read).collect()
}

fn read(table: Table) -> Result<Unsupported, ProviderDataError> {
    let name = table.get("name").and_then(Value::as_str).unwrap_or_default();
    let refuse = |problem: String| ProviderDataError::Provider {
        id: name.to_owned(),
        problem,
    };
    let entry =
        Unsupported::deserialize(table.clone()).map_err(|error| refuse(error.message().to_owned()))?;
    match entry.domains.iter().chain(&entry.mx).find(|name| !is_host(name)) {
        Some(wrong) => Err(refuse(format!("`{wrong}` is not a domain in lower case"))),
        None => Ok(entry),
    }
}
