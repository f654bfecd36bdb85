//! Whose answer counts.

use postroom_providers::{Provider, ProviderCatalogue};

use crate::address::MailAddress;
use crate::discovered::{Discovered, DiscoveredServer, Source};
use crate::error::{Attempt, DiscoveryError};
use crate::outcome::{Outcome, Proved};

/// The provider of servers that are not known to provider data.
const UNKNOWN: &str = "custom";

/// What the outcomes so far, taken by rank, come to. The two servers may come from two sources.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    imap: Option<(Source, Proved)>,
    smtp: Option<Proved>,
    imap_denied: bool,
    smtp_denied: bool,
    tried: Vec<Attempt>,
    temporary: bool,
    no_such_domain: bool,
    unsupported: Option<(String, String)>,
}

impl Verdict {
    /// Takes the outcome of the next source in rank.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let Outcome { source, miss, .. } = outcome;
        if self.imap.is_none() && !self.imap_denied {
            self.imap = outcome.imap.map(|proved| (source, proved));
        }
        if self.smtp.is_none() && !self.smtp_denied {
            self.smtp = outcome.smtp;
        }
        self.imap_denied |= outcome.denies_imap;
        self.smtp_denied |= outcome.denies_smtp;
        self.temporary |= miss.temporary;
        self.no_such_domain |= miss.no_such_domain;
        self.unsupported = self.unsupported.take().or(miss.unsupported);
        let outcome = match (outcome.denies_imap, outcome.denies_smtp) {
            (true, _) => "the domain says that it offers no IMAP".to_owned(),
            (false, true) => "the domain says that it takes no mail for sending".to_owned(),
            (false, false) => miss.outcome,
        };
        if !outcome.is_empty() {
            self.tried.push(Attempt { source, outcome });
        }
    }

    pub(crate) fn knows_imap(&self) -> bool {
        self.imap.is_some()
    }

    /// Nobody of lower rank can change it.
    pub(crate) fn is_final(&self) -> bool {
        (self.imap.is_some() || self.imap_denied) && (self.smtp.is_some() || self.smtp_denied)
    }

    /// The answer. `owner` is the provider whose domain it is, where that is known.
    pub(crate) fn conclude(
        self,
        catalogue: &ProviderCatalogue,
        address: &MailAddress,
        owner: Option<&Provider>,
    ) -> Result<Discovered, DiscoveryError> {
        let Some((source, imap)) = self.imap else {
            return Err(match self.unsupported {
                Some((provider, reason)) => DiscoveryError::Unsupported { provider, reason },
                None => DiscoveryError::NotFound {
                    domain: address.domain().to_string(),
                    tried: self.tried,
                    no_such_domain: self.no_such_domain,
                    temporary: self.temporary,
                },
            });
        };
        let provider = owner.or_else(|| catalogue.by_id(imap.provider.as_deref().unwrap_or(UNKNOWN)));
        Ok(Discovered {
            address: address.as_str().to_owned(),
            provider: provider.map_or(UNKNOWN, |provider| &provider.id).to_owned(),
            imap: imap.into(),
            smtp: self.smtp.map(DiscoveredServer::from),
            source,
            app_password_help: provider.and_then(|provider| provider.app_password_help.clone()),
            notes: self.tried,
        })
    }
}
