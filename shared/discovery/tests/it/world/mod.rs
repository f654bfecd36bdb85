//! A world for discovery: the names, web servers and mail servers of the internet, as far as a test needs them, on
//! loopback addresses that no other test has. They listen on the ports of the real ones (443, 993, 465, ...), because
//! discovery knows no others; the tests run as root (see CONTRIBUTING.md).
//!
//! The web and mail servers are stand-ins: Gmail and the ISPDB cannot be had for a test, and no real server misbehaves
//! on command. What can be had is in `real_servers.rs`.

mod authority;
mod dns;
mod mail;
mod web;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use postroom_discovery::{Discovered, Discovery, DiscoveryError, DiscoverySettings};
use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, IpNetwork, NetTimeOuts};
use postroom_providers::ProviderCatalogue;
use postroom_retry::ManualClock;
use rand::RngExt;

pub(crate) use authority::Authority;
pub(crate) use dns::DnsServer;
pub(crate) use mail::{MailServer, Offer};
pub(crate) use web::{Page, WebServer};

/// Everything that discovery can ask.
pub(crate) struct World {
    pub(crate) dns: DnsServer,
    pub(crate) authority: Arc<Authority>,
    /// The ISPDB and every domain's own web server.
    pub(crate) web: WebServer,
    pub(crate) clock: ManualClock,
    network: (u8, u8),
    next_host: AtomicU8,
}

impl World {
    pub(crate) async fn new() -> Self {
        let network = (
            rand::rng().random_range(64..128),
            rand::rng().random_range(0..=255),
        );
        let authority = Arc::new(Authority::new());
        let dns = DnsServer::start().await;
        let at = Ipv4Addr::new(127, network.0, network.1, 1);
        let web = WebServer::start(at, Arc::clone(&authority)).await;
        dns.address("ispdb.test", at);
        Self {
            dns,
            authority,
            web,
            clock: ManualClock::new(chrono::DateTime::UNIX_EPOCH),
            network,
            next_host: AtomicU8::new(2),
        }
    }

    /// A world whose ISPDB has the entries of `tests/fixtures/ispdb`, each under all of its domains, as the real one.
    pub(crate) async fn with_ispdb() -> Self {
        let world = Self::new().await;
        for (_, document) in ispdb_entries() {
            for domain in domains_of(&document) {
                let path = format!("/v1.1/{domain}");
                world.web.page("ispdb.test", &path, Page::xml(&document));
            }
        }
        world
    }

    /// An address of this world that nobody has yet.
    pub(crate) fn free_address(&self) -> Ipv4Addr {
        let host = self.next_host.fetch_add(1, Ordering::Relaxed);
        Ipv4Addr::new(127, self.network.0, self.network.1, host)
    }

    /// A mail server under all of these names.
    pub(crate) async fn mail_server(&self, names: &[&str], offer: Offer) -> MailServer {
        let at = self.free_address();
        for name in names {
            self.dns.address(name, at);
        }
        MailServer::start(at, Arc::clone(&self.authority), offer).await
    }

    /// A configuration file that `domain` publishes at `autoconfig.DOMAIN`.
    pub(crate) fn autoconfig(&self, domain: &str, document: &str) {
        let host = format!("autoconfig.{domain}");
        self.dns.address(&host, self.web.address());
        self.web.page(&host, "/mail/config-v1.1.xml", Page::xml(document));
    }

    /// The network of this world.
    pub(crate) fn network(&self) -> IpNetwork {
        format!("127.{}.{}.0/24", self.network.0, self.network.1)
            .parse()
            .unwrap()
    }

    pub(crate) fn settings(&self) -> DiscoverySettings {
        DiscoverySettings {
            ispdb: Some("https://ispdb.test/v1.1/".parse().unwrap()),
            dns_server: Some(self.dns.at()),
            ca_file: Some(self.authority.file()),
            ..DiscoverySettings::default()
        }
    }

    pub(crate) fn discovery(&self) -> Discovery {
        self.discovery_with(&self.settings(), None, &[self.network()])
    }

    pub(crate) fn discovery_with(
        &self,
        settings: &DiscoverySettings,
        operator_file: Option<&str>,
        networks: &[IpNetwork],
    ) -> Discovery {
        let connector = Connector::new(ConnectorSettings {
            extra_ca_file: settings.ca_file.clone(),
            addresses: AddressPolicy::with_networks(networks.iter().copied()),
            time_outs: NetTimeOuts::default(),
        })
        .unwrap();
        let catalogue = Arc::new(ProviderCatalogue::load(operator_file).unwrap());
        Discovery::new(settings, connector, catalogue, Arc::new(self.clock.clone())).unwrap()
    }

    pub(crate) async fn discover(&self, address: &str) -> Result<Discovered, DiscoveryError> {
        self.discovery().discover(address).await
    }

    /// What is found with three seconds in all, for cases in which somebody stays silent.
    pub(crate) async fn discover_quickly(&self, address: &str) -> Result<Discovered, DiscoveryError> {
        let settings = DiscoverySettings {
            time_limit: Duration::from_secs(3),
            ..self.settings()
        };
        let discovery = self.discovery_with(&settings, None, &[self.network()]);
        discovery.discover(address).await
    }
}

/// A configuration file with one server for each protocol.
pub(crate) fn config(imap: &str, smtp: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"test\">{imap}{smtp}</emailProvider>\
         </clientConfig>"
    )
}

/// `<incomingServer>` or `<outgoingServer>` for a host.
pub(crate) fn server(kind: &str, host: &str, port: u16, socket: &str) -> String {
    let element = if kind == "imap" {
        "incomingServer"
    } else {
        "outgoingServer"
    };
    format!(
        "<{element} type=\"{kind}\"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>\
         <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></{element}>"
    )
}

/// The servers of `host` on the usual ports.
pub(crate) fn usual_config(host: &str) -> String {
    config(
        &server("imap", host, 993, "SSL"),
        &server("smtp", host, 465, "SSL"),
    )
}

/// The entries of the ISPDB that tests have: in its format, with what the real ones say.
pub(crate) fn ispdb_entries() -> Vec<(String, String)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ispdb");
    let mut entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    entries.sort();
    entries
}

fn domains_of(document: &str) -> Vec<&str> {
    let after = document.split("<domain>").skip(1);
    after
        .map(|rest| rest.split("</domain>").next().unwrap().trim())
        .collect()
}

pub(crate) fn loopback() -> [IpNetwork; 2] {
    ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
