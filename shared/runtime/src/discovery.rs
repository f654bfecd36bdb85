//! What the settings say of looking for mail servers.

use std::sync::Arc;

use postroom_discovery::{Discovery, DiscoverySettings};
use postroom_providers::ProviderCatalogue;
use postroom_retry::Clock;
use url::Url;

use crate::{Settings, StartError};

impl Settings {
    /// What finds the servers of an address. It reaches what [`Settings::connector`] reaches, and nothing else. One for
    /// a process: it remembers its answers.
    ///
    /// # Errors
    /// When the ISPDB's URL, a network or the operator's authorities do not fit.
    pub fn discovery(
        &self,
        catalogue: Arc<ProviderCatalogue>,
        clock: Arc<dyn Clock>,
    ) -> Result<Discovery, StartError> {
        let settings = self.discovery_settings()?;
        Discovery::new(&settings, self.connector()?, catalogue, clock)
            .map_err(|error| StartError::Configuration(error.to_string()))
    }

    fn discovery_settings(&self) -> Result<DiscoverySettings, StartError> {
        Ok(DiscoverySettings {
            ispdb: self.ispdb()?,
            dns_server: self.dns_server,
            ca_file: self.ca_file.clone(),
            ehlo_name: self.ehlo_name(),
            ..DiscoverySettings::default()
        })
    }

    fn ispdb(&self) -> Result<Option<Url>, StartError> {
        let text = self.ispdb_url.trim();
        if text.eq_ignore_ascii_case("off") {
            return Ok(None);
        }
        Url::parse(text).map(Some).map_err(|error| {
            StartError::Configuration(format!(
                "--ispdb-url (POSTROOM_ISPDB_URL) does not fit: {text:?} is no URL ({error}). Name an https URL, or off."
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use postroom_discovery::MOZILLA_ISPDB;
    use postroom_retry::SystemClock;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(arguments: &[&str]) -> Settings {
        Command::parse_from(std::iter::once(&"test").chain(arguments)).settings
    }

    #[test]
    fn the_database_is_mozillas_unless_it_is_named_or_switched_off() {
        let ispdb = |arguments: &[&str]| {
            let url = parse(arguments).discovery_settings().unwrap().ispdb;
            url.map(|url| url.to_string())
        };
        assert_eq!(ispdb(&[]).as_deref(), Some(MOZILLA_ISPDB));
        assert_eq!(ispdb(&["--ispdb-url", "off"]), None);
        assert_eq!(
            ispdb(&["--ispdb-url", "https://ispdb.house.example/v1.1/"]).as_deref(),
            Some("https://ispdb.house.example/v1.1/")
        );
        let wrong = parse(&["--ispdb-url", "ispdb"]).discovery_settings().unwrap_err();
        assert!(wrong.to_string().contains("POSTROOM_ISPDB_URL"), "{wrong}");
        let catalogue = Arc::new(ProviderCatalogue::load(None).unwrap());
        let plain = parse(&["--ispdb-url", "http://ispdb.house.example/"]);
        let refused = plain.discovery(catalogue, Arc::new(SystemClock)).unwrap_err();
        assert!(refused.to_string().contains("https://"), "{refused}");
    }

    #[test]
    fn a_name_server_has_port_53_unless_it_is_given() {
        let server = |text| parse(&["--dns-server", text]).dns_server.unwrap().to_string();
        assert_eq!(server("192.0.2.53"), "192.0.2.53:53");
        assert_eq!(server("192.0.2.53:5353"), "192.0.2.53:5353");
        assert_eq!(server("2001:db8::53"), "[2001:db8::53]:53");
        assert!(Command::try_parse_from(["test", "--dns-server", "dns.example"]).is_err());
    }
}
