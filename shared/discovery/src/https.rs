//! Files over HTTPS from servers that nobody vouches for.
//!
//! The client looks names up through the [`Connector`], so that every connection goes to an address that its policy
//! permits, whatever the name says the next time. It follows no redirect by itself: each one is judged here first. A
//! proxy of the environment is not used: it would resolve names by itself.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use postroom_mail::net::{ConnectError, ConnectErrorKind, Connector, Endpoint, HostName};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use url::{Host, Url};

use crate::candidate::Miss;
use crate::probe::is_temporary;
use crate::settings::SetupError;

/// The longest file, in bytes. The longest of the ISPDB has 10 KB.
const MAX_FILE: usize = 256 * 1024;
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;
const HTTPS: u16 = 443;

#[derive(Clone, Debug)]
pub(crate) struct Https {
    client: Client,
    connector: Connector,
}

/// A file that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotFetched {
    /// The server has no such file.
    NotThere,
    /// The server answered something else.
    Status(StatusCode),
    /// No connection, with the reason.
    Unreached { sentence: String, temporary: bool },
    /// The URL, or one that it redirects to, leads where we do not go.
    Refused(String),
    /// Longer than any such file.
    TooLong,
}

impl Https {
    pub(crate) fn new(
        connector: Connector,
        ca_file: Option<&Path>,
        time_limit: Duration,
    ) -> Result<Self, SetupError> {
        let mut builder = Client::builder()
            .dns_resolver(Arc::new(PermittedOnly(connector.clone())))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .https_only(true)
            .referer(false)
            .timeout(time_limit)
            .pool_max_idle_per_host(1)
            .user_agent(concat!("Postroom/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca_file {
            builder = builder.tls_certs_merge(authorities(path)?);
        }
        let client = builder
            .build()
            .map_err(|error| SetupError::Https(error.to_string()))?;
        Ok(Self { client, connector })
    }

    /// The file at `url`, as text. A redirect is followed to the same port or to that of https.
    pub(crate) async fn get(&self, url: Url) -> Result<String, NotFetched> {
        let first_port = url.port_or_known_default();
        let mut url = url;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url, first_port).await?;
            let request = self
                .client
                .get(url.clone())
                .header(ACCEPT, "text/xml, application/xml");
            let response = request.send().await.map_err(|error| unreached(&url, &error))?;
            let status = response.status();
            if status.is_success() {
                return read(&url, response).await;
            }
            url = match redirect_target(&url, &response) {
                Some(target) => target?,
                None if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) => {
                    return Err(NotFetched::NotThere);
                }
                None => return Err(NotFetched::Status(status)),
            };
        }
        Err(NotFetched::Refused("it redirects again and again".to_owned()))
    }

    /// Whether a request may go to `url`. Names are judged again, with their addresses, when they are looked up;
    /// numbers are judged here, because they are not looked up.
    async fn check(&self, url: &Url, first_port: Option<u16>) -> Result<(), NotFetched> {
        let refuse = |why: &str| Err(NotFetched::Refused(format!("{} {why}", shown(url))));
        if url.scheme() != "https" {
            return refuse("is not https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("holds a user name");
        }
        let port = url.port_or_known_default();
        if port != Some(HTTPS) && port != first_port {
            return refuse("names another port");
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if HostName::parse(name).is_ok() => return Ok(()),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return refuse("names no host"),
        };
        let Ok(host) = HostName::parse(&host) else {
            return refuse("names no host");
        };
        let endpoint = Endpoint::implicit(host, port.unwrap_or(HTTPS));
        match self.connector.permitted_addresses(&endpoint).await {
            Ok(_) => Ok(()),
            Err(error) => Err(NotFetched::Refused(error.to_string())),
        }
    }
}

/// Where a redirect leads; `None` if the answer is none.
fn redirect_target(url: &Url, response: &Response) -> Option<Result<Url, NotFetched>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok();
    let target = location.and_then(|location| url.join(location).ok());
    Some(target.ok_or_else(|| NotFetched::Refused(format!("{} redirects to no URL", shown(url)))))
}

async fn read(url: &Url, mut response: Response) -> Result<String, NotFetched> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreached(url, &error))? {
        if body.len() + chunk.len() > MAX_FILE {
            return Err(NotFetched::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn unreached(url: &Url, error: &reqwest::Error) -> NotFetched {
    let host = shown(url);
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if let Some(connect) = inner.downcast_ref::<ConnectError>() {
            let temporary = is_temporary(connect);
            return match connect.kind {
                ConnectErrorKind::DeniedByPolicy { .. } => NotFetched::Refused(connect.to_string()),
                ConnectErrorKind::NameNotFound => NotFetched::Unreached {
                    sentence: format!("{host} does not exist"),
                    temporary,
                },
                _ => NotFetched::Unreached {
                    sentence: format!("{host} could not be looked up"),
                    temporary,
                },
            };
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        return NotFetched::Unreached {
            sentence: format!("{host} did not answer in time"),
            temporary: true,
        };
    }
    NotFetched::Unreached {
        sentence: format!("{host} could not be reached over https"),
        temporary: false,
    }
}

/// The host of a URL, fit for a sentence.
fn shown(url: &Url) -> String {
    url.host_str().unwrap_or("the URL").chars().take(253).collect()
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, SetupError> {
    let refuse = |cause: String| SetupError::CaFile {
        path: path.into(),
        cause,
    };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| refuse(error.to_string()))?;
    if found.is_empty() {
        return Err(refuse("it holds no certificate".to_owned()));
    }
    Ok(found)
}

/// Looks names up for the HTTP client: the addresses that the connector would go to, and no others.
#[derive(Debug)]
struct PermittedOnly(Connector);

impl Resolve for PermittedOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let connector = self.0.clone();
        async move {
            let host = HostName::parse(name.as_str())?;
            let addresses = connector
                .permitted_addresses(&Endpoint::implicit(host, HTTPS))
                .await?;
            // The port is that of the URL: 0 stands for it.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        }
        .boxed()
    }
}

impl NotFetched {
    /// What to say of a source that has only this.
    pub(crate) fn miss(self, nothing: &str) -> Miss {
        match self {
            Self::NotThere => Miss::new(nothing),
            Self::Status(status) => {
                let outcome = format!("it answered with the HTTP status {}", status.as_u16());
                if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                    Miss::temporary(outcome)
                } else {
                    Miss::new(outcome)
                }
            }
            Self::Unreached {
                sentence,
                temporary: true,
            } => Miss::temporary(sentence),
            Self::Unreached { sentence, .. } | Self::Refused(sentence) => Miss::new(sentence),
            Self::TooLong => Miss::new("its file is longer than any such file"),
        }
    }
}
