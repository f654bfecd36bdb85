//! What the settings say of mail providers and identity providers: read once, at the start of a service.

use std::{path::Path, sync::Arc};

use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, HostName, IpNetwork};
use postroom_oauth::{HttpSettings, IdentityHttp, IdentityProviders};
use postroom_providers::{OAuthRegistration, ProviderCatalogue};
use postroom_retry::Clock;

use crate::{Settings, StartError};

impl Settings {
    /// What is known of mail providers: the built-in data and the operator's.
    ///
    /// # Errors
    /// When the operator's file cannot be read, or holds something that does not fit.
    pub fn provider_catalogue(&self) -> Result<ProviderCatalogue, StartError> {
        let own = read(self.providers_file.as_deref(), "--providers-file")?;
        ProviderCatalogue::load(own.as_deref()).map_err(unfit)
    }

    /// Networks that servers may lie in although they are not public.
    ///
    /// # Errors
    /// When one of them is no network.
    pub fn networks(&self) -> Result<Vec<IpNetwork>, StartError> {
        let parse = |text: &String| {
            text.trim().parse().map_err(|error| {
                StartError::Configuration(format!(
                    "--allow-networks (POSTROOM_ALLOW_NETWORKS) does not fit: {error}"
                ))
            })
        };
        self.allow_networks.iter().map(parse).collect()
    }

    /// What reaches mail servers: the machine's and the operator's certificate authorities, and no network that the
    /// operator has not allowed.
    ///
    /// # Errors
    /// When the operator's authorities cannot be read, or a network does not fit.
    pub fn connector(&self) -> Result<Connector, StartError> {
        Connector::new(ConnectorSettings {
            extra_ca_file: self.ca_file.clone(),
            addresses: AddressPolicy::with_networks(self.networks()?),
            ..ConnectorSettings::default()
        })
        .map_err(unfit)
    }

    /// How this machine introduces itself to submission servers (RFC 5321, section 4.1.1.1): by the name under which
    /// people reach it.
    pub fn ehlo_name(&self) -> Option<HostName> {
        self.public_url()
            .host_str()
            .and_then(|host| HostName::parse(host).ok())
    }

    /// The identity providers that this Postroom is registered at. Nothing is connected yet. Without TLS they are
    /// reached on this machine only, and only if its loopback network is allowed.
    ///
    /// # Errors
    /// When a file that the settings name cannot be read, or holds something that does not fit.
    pub fn identity_providers(
        &self,
        catalogue: &ProviderCatalogue,
        clock: Arc<dyn Clock>,
    ) -> Result<IdentityProviders, StartError> {
        let file = read(self.oauth_file.as_deref(), "--oauth-file")?;
        let registrations =
            OAuthRegistration::read_all(file.as_deref().unwrap_or_default()).map_err(unfit)?;
        let networks = self.networks()?;
        let http = HttpSettings {
            extra_ca: self.ca_file.clone(),
            allow_http_on_loopback: networks
                .iter()
                .any(|network| network.contains([127, 0, 0, 1].into())),
            ..HttpSettings::default()
        };
        let http = IdentityHttp::new(&http, clock).map_err(unfit)?;
        IdentityProviders::new(http, catalogue, registrations).map_err(unfit)
    }
}

fn read(file: Option<&Path>, flag: &str) -> Result<Option<String>, StartError> {
    let Some(file) = file else { return Ok(None) };
    std::fs::read_to_string(file).map(Some).map_err(|error| {
        StartError::Configuration(format!(
            "The file {} cannot be read: {error}. Check {flag}.",
            file.display()
        ))
    })
}

fn unfit(error: impl std::fmt::Display) -> StartError {
    StartError::Configuration(error.to_string())
}
