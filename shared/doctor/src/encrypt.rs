//! From a server's name to an encrypted connection, in the steps DNS, TCP and TLS.

use std::{io, net::IpAddr, time::Duration};

use futures::future::BoxFuture;
use postroom_mail::net::{Connector, Endpoint, Lines, MailStream, Resolve, TlsMode};
use postroom_retry::Clock;
use tokio::io::AsyncWriteExt;

use crate::{
    certificate::Certificate,
    course::{Course, Failure, Finding, Stopped},
    report::StepName,
};

const MAX_LINE: usize = 4096;
const MAX_LINES: usize = 40;
const ANSWER: Duration = Duration::from_secs(20);

/// How a protocol asks for TLS.
pub(crate) struct StartTls {
    /// What the code of a failed attempt to hear this protocol is.
    pub(crate) not_it: &'static str,
    /// How the lines begin that the server greets with.
    pub(crate) greeting: &'static str,
    /// What is said, and how the line begins that ends a good answer.
    pub(crate) dialogue: Vec<(String, &'static str)>,
}

/// The addresses that were found and permitted: whoever connects later goes there, and asks no second time.
struct Pinned(Vec<IpAddr>);

impl Resolve for Pinned {
    fn resolve<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// Walks DNS, TCP and TLS, and closes the connection again. Gives the connector for those that follow.
pub(crate) async fn encrypt(
    course: &mut Course,
    connector: &Connector,
    clock: &dyn Clock,
    endpoint: &Endpoint,
    start_tls: StartTls,
) -> Result<Connector, Stopped> {
    let addresses = course
        .step(StepName::Dns, async {
            let found = connector.permitted_addresses(endpoint).await?;
            let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
            let sentence = format!("{} leads to {}.", endpoint.host, texts.join(", "));
            Ok(Finding::new(found, sentence).detail("addresses", texts))
        })
        .await?;
    let connector = connector.clone().with_resolver(Pinned(addresses));
    // In this mode the connector stops after TCP.
    let plain = Endpoint::start_tls(endpoint.host.clone(), endpoint.port);
    let tcp = course
        .step(StepName::Tcp, async {
            let stream = connector.connect(&plain).await?;
            Ok(Finding::new(stream, format!("{endpoint} accepts connections.")))
        })
        .await?;
    course
        .step(StepName::Tls, async {
            let (tcp, early) = match endpoint.tls {
                TlsMode::Implicit => (tcp, Vec::new()),
                TlsMode::StartTls => ask_for_tls(tcp, endpoint, start_tls).await?,
            };
            let encrypted = connector.start_tls(endpoint, tcp, &early).await?;
            Ok(secured(&encrypted, endpoint, clock))
        })
        .await?;
    Ok(connector)
}

fn secured(stream: &MailStream, endpoint: &Endpoint, clock: &dyn Clock) -> Finding<()> {
    let read = stream.certificate().and_then(Certificate::read);
    let Some(certificate) = read else {
        return Finding::new(
            (),
            format!("The connection to {endpoint} is encrypted, its certificate is good."),
        );
    };
    let sentence = format!(
        "The connection is encrypted; the certificate is for {}, from {}, and ends on {}.",
        certificate.names.join(", "),
        certificate.issuer,
        certificate.ends.format("%Y-%m-%d"),
    );
    let mut finding = Finding::new((), sentence).warning(certificate.warning(clock.now()));
    finding.details = certificate.details();
    finding
}

/// STARTTLS; gives what came behind the agreement, too, which must be nothing.
async fn ask_for_tls(
    stream: MailStream,
    endpoint: &Endpoint,
    start_tls: StartTls,
) -> Result<(MailStream, Vec<u8>), Failure> {
    let mut lines = Lines::new(stream);
    let greeting = next(&mut lines, endpoint).await?;
    if !greeting.to_ascii_uppercase().starts_with(start_tls.greeting) {
        let seen: String = greeting.chars().filter(|c| !c.is_control()).take(60).collect();
        let sentence = format!("What answers at {endpoint} is not the mail server (it says {seen:?}).");
        return Err(Failure::new(start_tls.not_it, sentence));
    }
    // A greeting of several lines goes on until the code is followed by a space.
    let mut last = greeting;
    for _ in 0..MAX_LINES {
        if last.as_bytes().get(3) != Some(&b'-') {
            break;
        }
        last = next(&mut lines, endpoint).await?;
    }
    for (command, good) in start_tls.dialogue {
        let said = lines.stream().write_all(command.as_bytes()).await;
        said.map_err(|_| lost(endpoint))?;
        heard(&mut lines, endpoint, good).await?;
    }
    Ok(lines.into_parts())
}

/// Reads on until the line that ends an answer.
async fn heard(lines: &mut Lines, endpoint: &Endpoint, good: &str) -> Result<(), Failure> {
    for _ in 0..MAX_LINES {
        let line = next(lines, endpoint).await?.to_ascii_uppercase();
        // What is not tagged (IMAP) or goes on (SMTP) is not the end.
        let goes_on = line.starts_with('*') || line.as_bytes().get(3) == Some(&b'-');
        if !goes_on {
            let sentence =
                format!("{endpoint} does not offer encryption (STARTTLS); nothing was sent to it.");
            return match line.starts_with(good) {
                true => Ok(()),
                false => Err(Failure::new("starttls_not_offered", sentence)),
            };
        }
    }
    let sentence = format!("{endpoint} answers without end before STARTTLS.");
    Err(Failure::new("protocol", sentence))
}

async fn next(lines: &mut Lines, endpoint: &Endpoint) -> Result<String, Failure> {
    let line = lines.next(MAX_LINE, ANSWER).await.map_err(|_| lost(endpoint))?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn lost(endpoint: &Endpoint) -> Failure {
    let sentence = format!("{endpoint} closed the connection, or said nothing, before encryption began.");
    Failure::new("connection_lost", sentence)
}
