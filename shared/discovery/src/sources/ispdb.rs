//! The Mozilla ISPDB: one file for each domain of addresses, and for each domain of MX hosts.

use url::Url;

use crate::address::MailAddress;
use crate::autoconfig_servers;
use crate::candidate::{Lookup, Miss};
use crate::https::Https;
use crate::settings::SetupError;

/// The database. It learns the domain that somebody asks about, never the address.
#[derive(Clone, Debug)]
pub(crate) struct Ispdb {
    base: Url,
    https: Https,
}

impl Ispdb {
    pub(crate) fn new(base: &Url, https: Https) -> Result<Self, SetupError> {
        let mut base = base.clone();
        let clean = base.username().is_empty() && base.password().is_none();
        if base.scheme() != "https" || !base.has_host() || !clean {
            return Err(SetupError::Ispdb(base));
        }
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { base, https })
    }

    /// The entry of `domain`, which need not be that of `address`.
    pub(super) async fn entry(&self, domain: &str, address: &MailAddress) -> Lookup {
        let nothing = || format!("it has no entry for {domain}");
        let url = self.base.join(domain).map_err(|_| Miss::new(nothing()))?;
        let document = self
            .https
            .get(url)
            .await
            .map_err(|error| error.miss(&nothing()))?;
        autoconfig_servers::candidates(&document, address)
    }
}

pub(super) async fn look_up(ispdb: Option<&Ispdb>, address: &MailAddress) -> Lookup {
    match ispdb {
        Some(ispdb) => ispdb.entry(address.domain().as_str(), address).await,
        None => Err(Miss::new("it is not asked here")),
    }
}
