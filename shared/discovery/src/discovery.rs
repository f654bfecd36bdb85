//! The door of the crate.

use std::sync::Arc;
use std::time::Duration;

use postroom_mail::net::{Connector, HostName};
use postroom_providers::ProviderCatalogue;
use postroom_retry::Clock;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::address::MailAddress;
use crate::cache::Cache;
use crate::discovered::Discovered;
use crate::dns::Dns;
use crate::error::DiscoveryError;
use crate::https::Https;
use crate::search::{self, Tools};
use crate::settings::{DiscoverySettings, SetupError};
use crate::sources::{Ispdb, Sources};

/// Finds the servers of mailboxes. One for a process: it remembers answers and bounds how many look at once.
#[derive(Debug)]
pub struct Discovery {
    tools: Tools,
    cache: Cache,
    slots: Semaphore,
    time_limit: Duration,
}

impl Discovery {
    /// Sets discovery up; nothing is asked yet. Mail servers and HTTPS servers are reached as `connector` reaches
    /// them: by its policy of addresses, and by its resolver unless the settings name a name server.
    ///
    /// # Errors
    /// [`SetupError`]
    pub fn new(
        settings: &DiscoverySettings,
        connector: Connector,
        catalogue: Arc<ProviderCatalogue>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let dns = Dns::new(settings.dns_server)?;
        let connector = match settings.dns_server {
            Some(_) => connector.with_resolver(dns.clone()),
            None => connector,
        };
        let https = Https::new(
            connector.clone(),
            settings.ca_file.as_deref(),
            settings.time_limit,
        )?;
        let database = settings
            .ispdb
            .as_ref()
            .map(|base| Ispdb::new(base, https.clone()));
        let ehlo_name = match &settings.ehlo_name {
            Some(name) => name.clone(),
            // An address literal that says nothing (RFC 5321 section 4.1.4 allows for machines without a name).
            None => {
                HostName::parse("127.0.0.1").unwrap_or_else(|_| unreachable!("an address is a host name"))
            }
        };
        Ok(Self {
            tools: Tools {
                sources: Sources {
                    catalogue,
                    dns,
                    https,
                    ispdb: database.transpose()?,
                },
                connector,
                ehlo_name,
            },
            cache: Cache::new(
                clock,
                settings.remembered,
                settings.keep_found,
                settings.keep_missing,
            ),
            slots: Semaphore::new(settings.at_once.max(1)),
            time_limit: settings.time_limit,
        })
    }

    /// The servers of the mailbox of `typed`, from memory if it was asked for a while ago.
    ///
    /// # Errors
    /// [`DiscoveryError`]: a sentence for the person who typed the address.
    #[tracing::instrument(name = "discovery", skip_all)]
    pub async fn discover(&self, typed: &str) -> Result<Discovered, DiscoveryError> {
        let address = MailAddress::parse(typed)?;
        if let Some(answer) = self.cache.get(address.as_str()) {
            return answer;
        }
        let begun = Instant::now();
        // No more than half the time is spent waiting, so that there is time to find something.
        let Ok(Ok(_slot)) = timeout(self.time_limit / 2, self.slots.acquire()).await else {
            return Err(DiscoveryError::Busy);
        };
        let time_left = self.time_limit.saturating_sub(begun.elapsed());
        let answer = Box::pin(search::search(&self.tools, &address, time_left)).await;
        match &answer {
            Ok(found) => tracing::info!(
                provider.id = found.provider,
                source = ?found.source,
                can_send = found.smtp.is_some(),
                "Servers found"
            ),
            Err(error) => tracing::info!(error.code = error.code(), "No servers found"),
        }
        self.cache.put(address.as_str(), &answer);
        answer
    }
}
