//! Opening connections: resolve, judge, connect, TLS.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::read_ahead::ReadAhead;
use super::tls::{self, TrustError};
use super::{
    AddressPolicy, ConnectError, ConnectErrorKind, ConnectStep, Endpoint, MailStream, Resolve,
    SystemResolver, TlsFailure, TlsMode,
};

/// How long an attempt may be ahead of the next address before that one is tried too (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);
/// How many addresses of one name are tried.
const MAX_ADDRESSES: usize = 8;

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct NetTimeOuts {
    /// Asking the name servers.
    pub resolve: Duration,
    /// Opening the TCP connection, over all addresses of the name.
    pub connect: Duration,
    /// Setting up TLS.
    pub handshake: Duration,
    /// Waiting for one answer of the server.
    pub read: Duration,
}

impl Default for NetTimeOuts {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(20),
            handshake: Duration::from_secs(20),
            read: Duration::from_secs(60),
        }
    }
}

/// What an operator may decide about connections. There is no setting that skips a certificate check.
#[derive(Clone, Debug, Default)]
pub struct ConnectorSettings {
    /// A PEM file with authorities that are trusted besides the system's.
    pub extra_ca_file: Option<PathBuf>,
    /// Which addresses may be reached.
    pub addresses: AddressPolicy,
    /// How long each step may take.
    pub time_outs: NetTimeOuts,
}

/// Opens connections to mail servers. Cheap to clone: all clones share one trust store and one TLS session cache.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    addresses: Arc<AddressPolicy>,
    resolver: Arc<dyn Resolve>,
    time_outs: NetTimeOuts,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("addresses", &self.addresses)
            .field("time_outs", &self.time_outs)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector that trusts the system's authorities and those of the settings.
    ///
    /// # Errors
    /// When the CA file cannot be read or there is nobody to trust at all.
    pub fn new(settings: ConnectorSettings) -> Result<Self, TrustError> {
        Ok(Self {
            tls: TlsConnector::from(tls::client_config(settings.extra_ca_file.as_deref())?),
            addresses: Arc::new(settings.addresses),
            resolver: Arc::new(SystemResolver),
            time_outs: settings.time_outs,
        })
    }

    /// The same connector with another way to find addresses.
    pub fn with_resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// How long one answer of a server may take.
    pub fn read_time_out(&self) -> Duration {
        self.time_outs.read
    }

    /// Connects to `endpoint`: encrypted when its mode is [`TlsMode::Implicit`]; in plain text when it is
    /// [`TlsMode::StartTls`], for the protocol to agree on TLS and then call [`Connector::start_tls`].
    ///
    /// # Errors
    /// Says which step failed and what to do.
    pub async fn connect(&self, endpoint: &Endpoint) -> Result<MailStream, ConnectError> {
        let addresses = self.permitted_addresses(endpoint).await?;
        let tcp = self.open(endpoint, &addresses).await?;
        match endpoint.tls {
            TlsMode::Implicit => self.handshake(endpoint, tcp).await,
            TlsMode::StartTls => Ok(MailStream::plain(tcp)),
        }
    }

    /// Turns a plain connection into an encrypted one after the server has agreed to STARTTLS. `early` is what was
    /// read beyond the server's agreement: a single byte of it is a failure, because anybody on the way may have
    /// put it there (CVE-2011-0411 and its family).
    ///
    /// # Errors
    /// Early bytes, a stream that is encrypted already, or a failed handshake.
    pub async fn start_tls(
        &self,
        endpoint: &Endpoint,
        stream: MailStream,
        early: &[u8],
    ) -> Result<MailStream, ConnectError> {
        if !early.is_empty() {
            let injected = ConnectErrorKind::Tls(TlsFailure::InjectedBeforeTls);
            return Err(ConnectError::new(endpoint, injected));
        }
        match stream.into_plain() {
            Some(tcp) => self.handshake(endpoint, tcp).await,
            None => {
                let twice = TlsFailure::Other("the connection is encrypted already".into());
                Err(ConnectError::new(endpoint, ConnectErrorKind::Tls(twice)))
            }
        }
    }

    /// The addresses of the host that may be reached, IPv6 and IPv4 in turn. Whoever connects by other means (an HTTP
    /// client) must connect to one of these and not look the name up again: the second answer may be another one.
    ///
    /// # Errors
    /// When the name cannot be found, or leads only where this installation may not go.
    pub async fn permitted_addresses(&self, endpoint: &Endpoint) -> Result<Vec<IpAddr>, ConnectError> {
        let fail = |kind| ConnectError::new(endpoint, kind);
        let found = match endpoint.host.ip() {
            Some(address) => vec![address],
            None => {
                let lookup = self.resolver.resolve(endpoint.host.as_str());
                match timeout(self.time_outs.resolve, lookup).await {
                    Ok(Ok(addresses)) => addresses,
                    Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(fail(ConnectErrorKind::NameNotFound));
                    }
                    Ok(Err(_)) => return Err(fail(ConnectErrorKind::NameServiceFailed)),
                    Err(_) => {
                        return Err(fail(ConnectErrorKind::TimedOut {
                            step: ConnectStep::Resolve,
                            after: self.time_outs.resolve,
                        }));
                    }
                }
            }
        };
        let Some(first) = found.first().copied() else {
            return Err(fail(ConnectErrorKind::NameNotFound));
        };
        let permitted: Vec<IpAddr> = found
            .into_iter()
            .filter(|address| self.addresses.permits(*address))
            .collect();
        if permitted.is_empty() {
            return Err(fail(ConnectErrorKind::DeniedByPolicy { address: first }));
        }
        Ok(in_turn(permitted))
    }

    /// Opens a TCP connection to the first address that answers; each address gets a head start over the next, so
    /// that a dead IPv6 route costs a moment and not a time-out.
    async fn open(&self, endpoint: &Endpoint, addresses: &[IpAddr]) -> Result<TcpStream, ConnectError> {
        let race = async {
            let mut waiting = addresses.iter().copied();
            let mut attempts = FuturesUnordered::new();
            let mut last = None;
            loop {
                if let Some(address) = waiting.next() {
                    attempts.push(TcpStream::connect(SocketAddr::new(address, endpoint.port)));
                }
                let outcome = if waiting.len() == 0 {
                    attempts.next().await
                } else {
                    match timeout(HEAD_START, attempts.next()).await {
                        Ok(outcome) => outcome,
                        Err(_) => continue,
                    }
                };
                match outcome {
                    Some(Ok(tcp)) => return Ok(tcp),
                    Some(Err(error)) => last = Some(error),
                    None => return Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into())),
                }
            }
        };
        let tcp = match timeout(self.time_outs.connect, race).await {
            Ok(outcome) => outcome.map_err(|error| ConnectError::from_io(endpoint, &error))?,
            Err(_) => {
                let after = self.time_outs.connect;
                let kind = ConnectErrorKind::TimedOut {
                    step: ConnectStep::Connect,
                    after,
                };
                return Err(ConnectError::new(endpoint, kind));
            }
        };
        // Without it a command waits for the answer to the packet before it (40 ms and more each).
        tcp.set_nodelay(true)
            .map_err(|error| ConnectError::from_io(endpoint, &error))?;
        Ok(tcp)
    }

    async fn handshake(&self, endpoint: &Endpoint, tcp: TcpStream) -> Result<MailStream, ConnectError> {
        let fail = |kind| ConnectError::new(endpoint, kind);
        let name = ServerName::try_from(endpoint.host.as_str().to_owned()).map_err(|_| {
            fail(ConnectErrorKind::Tls(TlsFailure::Other(
                "the name cannot be in a certificate".into(),
            )))
        })?;
        let handshake = self.tls.connect(name, ReadAhead::new(tcp));
        match timeout(self.time_outs.handshake, handshake).await {
            Ok(Ok(tls)) => Ok(MailStream::tls(tls)),
            Ok(Err(error)) => Err(match tls::failure(&error) {
                Some(failure) => fail(ConnectErrorKind::Tls(failure)),
                None => ConnectError::from_io(endpoint, &error),
            }),
            Err(_) => {
                let after = self.time_outs.handshake;
                Err(fail(ConnectErrorKind::TimedOut {
                    step: ConnectStep::Handshake,
                    after,
                }))
            }
        }
    }
}

/// Takes addresses of the two families in turn, beginning with the family of the first (RFC 8305 section 4).
fn in_turn(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (mut first, mut second) = addresses
        .into_iter()
        .partition::<std::collections::VecDeque<_>, _>(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = Vec::new();
    while mixed.len() < MAX_ADDRESSES {
        let before = mixed.len();
        mixed.extend(first.pop_front());
        mixed.extend(second.pop_front());
        if mixed.len() == before {
            break;
        }
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::HostName;
    use futures::future::BoxFuture;
    use tokio::net::TcpListener;

    /// Answers each question with the next of its answers.
    struct Answers(std::sync::Mutex<Vec<Vec<IpAddr>>>);

    impl Resolve for Answers {
        fn resolve<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let answer = self
                .0
                .lock()
                .unwrap()
                .pop()
                .ok_or_else(|| io::ErrorKind::NotFound.into());
            Box::pin(std::future::ready(answer))
        }
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn connector(answers: Vec<Vec<IpAddr>>) -> Connector {
        let addresses = AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap()]);
        let time_outs = NetTimeOuts {
            connect: Duration::from_secs(2),
            ..NetTimeOuts::default()
        };
        let settings = ConnectorSettings {
            addresses,
            time_outs,
            ..ConnectorSettings::default()
        };
        Connector::new(settings)
            .unwrap()
            .with_resolver(Answers(std::sync::Mutex::new(answers)))
    }

    fn endpoint(port: u16) -> Endpoint {
        Endpoint::start_tls(HostName::parse("imap.example.test").unwrap(), port)
    }

    #[tokio::test]
    async fn only_permitted_addresses_of_a_name_are_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = endpoint(listener.local_addr().unwrap().port());
        let mixed = connector(vec![ips(&["10.0.0.1", "::1", "127.0.0.1"])]);
        assert!(!mixed.connect(&at).await.unwrap().is_encrypted());
        let denied = connector(vec![ips(&["169.254.169.254", "::ffff:10.0.0.1"])])
            .connect(&at)
            .await
            .unwrap_err();
        let address = "169.254.169.254".parse().unwrap();
        assert_eq!(denied.kind, ConnectErrorKind::DeniedByPolicy { address });
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_so_that_it_cannot_change_its_mind() {
        let at = endpoint(1);
        let rebinding = connector(vec![ips(&["127.0.0.1"]), ips(&["10.0.0.1"])]);
        let denied = rebinding.connect(&at).await.unwrap_err();
        assert!(matches!(denied.kind, ConnectErrorKind::DeniedByPolicy { .. }));
        assert_eq!(
            rebinding.connect(&at).await.unwrap_err().kind,
            ConnectErrorKind::Refused
        );
        assert_eq!(
            rebinding.connect(&at).await.unwrap_err().kind,
            ConnectErrorKind::NameNotFound
        );
    }

    #[test]
    fn the_two_families_are_tried_in_turn() {
        let order = in_turn(ips(&[
            "2001:db8::1",
            "2001:db8::2",
            "192.0.2.1",
            "192.0.2.2",
            "192.0.2.3",
        ]));
        assert_eq!(
            order,
            ips(&[
                "2001:db8::1",
                "192.0.2.1",
                "2001:db8::2",
                "192.0.2.2",
                "192.0.2.3"
            ])
        );
        assert_eq!(in_turn(vec![ips(&["192.0.2.1"])[0]; 20]).len(), MAX_ADDRESSES);
    }
}
