//! Questions to name servers. Names are always asked for in full: never with the search list of the machine.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use postroom_mail::net::{HostName, Resolve};

use crate::settings::SetupError;

/// How many records of one answer are looked at.
const MAX_RECORDS: usize = 20;

/// The resolver of discovery.
#[derive(Clone, Debug)]
pub(crate) struct Dns(TokioResolver);

/// An SRV record; a target of `None` says that the service is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: Option<HostName>,
}

/// Why there is no answer at all. An answer without records is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The name does not exist, nor anything below it.
    NoSuchName,
    /// The name servers did not answer.
    Silence,
}

impl Dns {
    /// Asks `server`, or those of the system.
    pub(crate) fn new(server: Option<SocketAddr>) -> Result<Self, SetupError> {
        let failed = |error: NetError| SetupError::NameServers(error.to_string());
        let mut builder = match server {
            None => TokioResolver::builder_tokio().map_err(failed)?,
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut config.connections {
                    connection.port = server.port();
                }
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![config]);
                let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
                builder.options_mut().use_hosts_file = ResolveHosts::Never;
                builder
            }
        };
        let options = builder.options_mut();
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        options.cache_size = 512;
        options.positive_max_ttl = Some(Duration::from_secs(300));
        options.negative_max_ttl = Some(Duration::from_secs(60));
        Ok(Self(builder.build().map_err(failed)?))
    }

    /// The SRV records of `service` (`_imaps._tcp`) of a domain, best first.
    pub(crate) async fn srv(&self, service: &str, domain: &HostName) -> Result<Vec<Srv>, NoAnswer> {
        let records = self
            .records(&format!("{service}.{domain}."), RecordType::SRV)
            .await?;
        let mut found: Vec<Srv> = records
            .into_iter()
            .filter_map(|record| match record {
                RData::SRV(srv) => {
                    let target = if srv.target.is_root() {
                        None
                    } else {
                        Some(host(&srv.target)?)
                    };
                    Some(Srv {
                        priority: srv.priority,
                        weight: srv.weight,
                        port: srv.port,
                        target,
                    })
                }
                _ => None,
            })
            .collect();
        // RFC 2782 lets chance decide among equals; here the heavier goes first, so that answers repeat.
        found.sort_by_key(|srv| (srv.priority, u16::MAX - srv.weight));
        Ok(found)
    }

    /// The MX hosts of a domain, best first.
    pub(crate) async fn mx(&self, domain: &HostName) -> Result<Vec<HostName>, NoAnswer> {
        let records = self.records(&format!("{domain}."), RecordType::MX).await?;
        let mut found: Vec<(u16, HostName)> = records
            .into_iter()
            .filter_map(|record| match record {
                RData::MX(mx) => Some((mx.preference, host(&mx.exchange)?)),
                _ => None,
            })
            .collect();
        found.sort();
        Ok(found.into_iter().map(|(_, host)| host).collect())
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NoAnswer> {
        match self.0.lookup(name, kind).await {
            Ok(lookup) => Ok(lookup
                .answers()
                .iter()
                .take(MAX_RECORDS)
                .map(|record| record.data.clone())
                .collect()),
            Err(error) if error.is_nx_domain() => Err(NoAnswer::NoSuchName),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(_) => Err(NoAnswer::Silence),
        }
    }

    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self.0.lookup_ip(format!("{name}.")).await {
            Ok(lookup) => Ok(lookup.iter().take(MAX_RECORDS).collect()),
            Err(error) if error.is_nx_domain() || error.is_no_records_found() => {
                Err(io::Error::new(io::ErrorKind::NotFound, error))
            }
            Err(error) => Err(io::Error::new(io::ErrorKind::TimedOut, error)),
        }
    }
}

impl Resolve for Dns {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.addresses(name).boxed()
    }
}

fn host(name: &Name) -> Option<HostName> {
    HostName::parse(name.to_ascii().trim_end_matches('.')).ok()
}
