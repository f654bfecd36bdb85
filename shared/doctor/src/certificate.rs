//! What a server's certificate says: for whom, from whom, until when.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

/// The most names that are told.
const MAX_NAMES: usize = 10;
/// Who has fewer days than this left should know.
const SOON_DAYS: i64 = 14;

/// What is told of a certificate.
pub(crate) struct Certificate {
    pub(crate) names: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) ends: DateTime<Utc>,
}

impl Certificate {
    /// Reads a certificate that has been checked already; `None` where it holds what cannot be told.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let names = alternatives.map_or_else(Vec::new, |extension| {
            let names = extension.value.general_names.iter();
            names.filter_map(name).take(MAX_NAMES).collect()
        });
        let issuer = certificate.issuer();
        let organisation = issuer.iter_organization().chain(issuer.iter_common_name());
        let issuer: Vec<String> = organisation
            .filter_map(|attribute| attribute.as_str().ok())
            .map(printable)
            .collect();
        Some(Self {
            names,
            issuer: issuer.join(", "),
            ends: DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?,
        })
    }

    /// What to do where it ends soon.
    pub(crate) fn warning(&self, now: DateTime<Utc>) -> Option<String> {
        let days = (self.ends - now).num_days();
        (days < SOON_DAYS).then(|| {
            format!("The certificate ends in {days} days: whoever runs the server must renew it before.")
        })
    }

    pub(crate) fn details(&self) -> Map<String, Value> {
        let details = json!({ "names": self.names, "issuer": self.issuer, "ends": self.ends.to_rfc3339() });
        details.as_object().cloned().unwrap_or_default()
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
        _ => None,
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
