//! The servers of an address, for the walk: those that were named, else those that discovery finds, else those that
//! provider data name although nobody answers there, because then it is the walk that shows why.

use std::sync::Arc;

use postroom_discovery::{Discovered, DiscoveredServer, Discovery, DiscoveryError, MailAddress, to_json};
use postroom_mail::net::{Endpoint, HostName, TlsMode};
use postroom_providers::{MailServer, Provider, ProviderCatalogue, UsernameForm};
use postroom_retry::Clock;
use serde_json::json;

use crate::{
    course::{Course, Failure, Finding},
    imap,
    report::{Part, Report, Step, StepName},
    smtp,
    subject::{Secret, Server, Subject},
};

/// What the person says besides the address.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The IMAP server.
    pub imap: Option<Endpoint>,
    /// The submission server.
    pub smtp: Option<Endpoint>,
    /// The user name, where it is not what the provider's data say, or the address.
    pub login: Option<String>,
    /// What to sign in with.
    pub secret: Option<Secret>,
}

/// The step that names the servers, and whom to examine.
///
/// # Errors
/// When there is no server to look at: a report in which all that follows is skipped.
pub async fn look_for(
    discovery: &Discovery,
    catalogue: &ProviderCatalogue,
    clock: Arc<dyn Clock>,
    address: &str,
    given: Given,
) -> Result<(Step, Subject), Report> {
    let mut course = Course::new(clock, Part::Account, None, &[StepName::Servers]);
    let found = course
        .step(StepName::Servers, servers(discovery, catalogue, address, given))
        .await;
    let mut steps = course.finish();
    match found {
        Ok(subject) => Ok((steps.swap_remove(0), subject)),
        Err(_) => {
            let why = "Not tried, because no server is known.";
            for (part, names) in [(Part::Imap, imap::STEPS), (Part::Smtp, smtp::STEPS)] {
                let skipped = names.iter().map(|name| Step::skipped(part, *name, None, why));
                steps.extend(skipped);
            }
            Err(Report {
                address: address.to_owned(),
                steps,
            })
        }
    }
}

async fn servers(
    discovery: &Discovery,
    catalogue: &ProviderCatalogue,
    typed: &str,
    given: Given,
) -> Result<Finding<Subject>, Failure> {
    let address = MailAddress::parse(typed).map_err(|error| refused(&error.into()))?;
    let by_domain = catalogue.by_domain(address.domain().as_str());
    if let Some(imap) = given.imap.clone() {
        let sentence = format!("The server is named: {imap}.");
        return Ok(Finding::new(named(&address, by_domain, given, imap), sentence));
    }
    match discovery.discover(typed).await {
        Ok(found) => {
            let provider = catalogue.by_id(&found.provider);
            let source = found.source;
            let sentence = format!("By {source}: {} is for receiving.", found.imap.endpoint());
            let details = to_json(typed, &Ok(found.clone()));
            let subject = discovered(&address, provider, given, &found);
            Ok(Finding::new(subject, sentence).detail("discovery", details))
        }
        Err(error) => {
            let known = by_domain.and_then(|provider| Some((provider, first(&provider.imap)?)));
            let Some((provider, imap)) = known else {
                return Err(refused(&error));
            };
            let sentence = format!("Provider data name {imap} for receiving, but it could not be used.");
            let advice = "The steps below say where it fails.".to_owned();
            let subject = named(&address, Some(provider), given, imap);
            Ok(Finding::new(subject, sentence)
                .warning(Some(advice))
                .detail("tried", json!(error.tried())))
        }
    }
}

fn refused(error: &DiscoveryError) -> Failure {
    Failure::new(error.code(), error.to_string())
}

/// The servers that the person names; what is not named comes from provider data.
fn named(address: &MailAddress, provider: Option<&Provider>, given: Given, imap: Endpoint) -> Subject {
    let login = |form: UsernameForm| form.of(address.as_str()).to_owned();
    let imap = Server {
        endpoint: imap,
        login: login(provider.map(|provider| provider.username).unwrap_or_default()),
    };
    let smtp = provider
        .and_then(|provider| first(&provider.smtp))
        .map(|endpoint| Server {
            endpoint,
            login: login(provider.map(Provider::smtp_username).unwrap_or_default()),
        });
    subject(address, provider, given, imap, smtp)
}

fn discovered(
    address: &MailAddress,
    provider: Option<&Provider>,
    given: Given,
    found: &Discovered,
) -> Subject {
    let server = |server: &DiscoveredServer| Server {
        endpoint: server.endpoint(),
        login: server.username.login(address),
    };
    let (imap, smtp) = (server(&found.imap), found.smtp.as_ref().map(server));
    subject(address, provider, given, imap, smtp)
}

/// What the person says goes before what was found.
fn subject(
    address: &MailAddress,
    provider: Option<&Provider>,
    given: Given,
    mut imap: Server,
    mut smtp: Option<Server>,
) -> Subject {
    if let Some(endpoint) = given.smtp {
        let login = smtp.map_or_else(|| imap.login.clone(), |server| server.login);
        smtp = Some(Server { endpoint, login });
    }
    if let Some(login) = given.login {
        if let Some(server) = &mut smtp {
            server.login.clone_from(&login);
        }
        imap.login = login;
    }
    Subject {
        address: address.as_str().to_owned(),
        imap,
        smtp,
        secret: given.secret,
        scopes: provider
            .and_then(|provider| provider.oauth.as_ref())
            .map_or_else(Vec::new, |oauth| oauth.scopes.clone()),
        help: provider.and_then(help),
    }
}

fn help(provider: &Provider) -> Option<String> {
    let page = provider
        .app_password_help
        .as_ref()
        .or(provider.enable_imap_help.as_ref());
    let page = page.map(|page| format!("See {page}."));
    let words: Vec<String> = provider.sign_in_hint.clone().into_iter().chain(page).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn first(servers: &[MailServer]) -> Option<Endpoint> {
    let server = servers.first()?;
    Some(Endpoint {
        host: HostName::parse(&server.host).ok()?,
        port: server.port,
        tls: match server.tls {
            postroom_providers::TlsMode::Implicit => TlsMode::Implicit,
            postroom_providers::TlsMode::StartTls => TlsMode::StartTls,
        },
    })
}
