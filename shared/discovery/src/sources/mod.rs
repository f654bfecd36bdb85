//! The sources of servers besides provider data, one file each.

mod autoconfig;
mod guess;
mod ispdb;
mod mx;
mod srv;

use std::sync::Arc;

use postroom_providers::ProviderCatalogue;

use crate::address::MailAddress;
use crate::candidate::{Candidates, Lookup, Miss};
use crate::discovered::Source;
use crate::dns::Dns;
use crate::https::Https;
pub(crate) use ispdb::Ispdb;

/// Everything that sources ask.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) catalogue: Arc<ProviderCatalogue>,
    pub(crate) dns: Dns,
    pub(crate) https: Https,
    pub(crate) ispdb: Option<Ispdb>,
}

impl Sources {
    /// What `source` names for `address`.
    pub(crate) async fn look_up(&self, source: Source, address: &MailAddress) -> Lookup {
        match source {
            Source::ProviderData => self.provider_data(address),
            Source::Ispdb => ispdb::look_up(self.ispdb.as_ref(), address).await,
            Source::Autoconfig => autoconfig::look_up(&self.https, address).await,
            Source::Srv => srv::look_up(&self.dns, address).await,
            Source::Mx => mx::look_up(self, address).await,
            Source::Guess => Ok(guess::candidates(address)),
        }
    }

    fn provider_data(&self, address: &MailAddress) -> Lookup {
        let provider = self.catalogue.by_domain(address.domain().as_str());
        let provider = provider.ok_or_else(|| Miss::new("the domain is not known to them"))?;
        Ok(Candidates::of_provider(provider))
    }
}
