//! A stand-in for a hoster's IMAP and submission servers: it greets, says what it offers, and changes to TLS. Gmail
//! and its like cannot be had for a test; the real servers of `real_servers.rs` can do the rest.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Authority;

/// How a mail server behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    /// IMAP capabilities for signing in.
    pub(crate) imap: &'static str,
    /// Mechanisms behind SMTP's AUTH.
    pub(crate) smtp: &'static str,
    /// Ports it listens on: 993 and 465 with TLS from the start, 143 and 587 with STARTTLS.
    pub(crate) ports: &'static [u16],
    /// Ports with TLS from the start whatever their number.
    pub(crate) always_tls: &'static [u16],
    /// Whether STARTTLS is offered where it should be.
    pub(crate) start_tls: bool,
    /// It takes connections and says nothing.
    pub(crate) silent: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            imap: "AUTH=PLAIN AUTH=LOGIN",
            smtp: "PLAIN LOGIN",
            ports: &[993, 143, 465, 587],
            always_tls: &[],
            start_tls: true,
            silent: false,
        }
    }
}

impl Offer {
    /// Passwords and OAuth 2.0.
    pub(crate) fn with_oauth() -> Self {
        Self {
            imap: "AUTH=XOAUTH2 AUTH=PLAIN AUTH=OAUTHBEARER",
            smtp: "LOGIN PLAIN XOAUTH2",
            ..Self::default()
        }
    }

    pub(crate) fn on(ports: &'static [u16]) -> Self {
        Self {
            ports,
            ..Self::default()
        }
    }
}

#[derive(Debug)]
pub(crate) struct MailServer {
    connections: Arc<AtomicUsize>,
}

impl MailServer {
    pub(super) async fn start(at: Ipv4Addr, authority: Arc<Authority>, offer: Offer) -> Self {
        let connections = Arc::new(AtomicUsize::new(0));
        let tls = TlsAcceptor::from(authority.server_config());
        for port in offer.ports {
            let at = SocketAddr::from((at, *port));
            let listener = TcpListener::bind(at)
                .await
                .unwrap_or_else(|error| panic!("{at}: {error} (the tests run as root)"));
            let (tls, connections) = (tls.clone(), Arc::clone(&connections));
            let port = *port;
            tokio::spawn(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::Relaxed);
                    let tls = tls.clone();
                    tokio::spawn(async move { talk(tcp, port, tls, offer).await });
                }
            });
        }
        Self { connections }
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn talk(tcp: TcpStream, port: u16, tls: TlsAcceptor, offer: Offer) -> Option<()> {
    if offer.silent {
        std::future::pending::<()>().await;
    }
    let imap = matches!(port, 143 | 993) || (port > 1024 && port % 2 == 1);
    let from_start = matches!(port, 993 | 465) || offer.always_tls.contains(&port);
    if from_start {
        let stream = tls.accept(tcp).await.ok()?;
        return dialogue(stream, imap, true, false, offer).await.map(drop);
    }
    let tcp = dialogue(tcp, imap, true, offer.start_tls, offer).await?;
    let stream = tls.accept(tcp).await.ok()?;
    dialogue(stream, imap, false, false, offer).await.map(drop)
}

/// Answers until the client leaves, or gives the stream back when it asks for TLS.
async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    imap: bool,
    greets: bool,
    start_tls: bool,
    offer: Offer,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let greeting = if imap {
        "* OK ready\r\n"
    } else {
        "220 mail.test ESMTP\r\n"
    };
    if greets {
        stream.write_all(greeting.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_uppercase();
        let asks_for_tls = line.ends_with("STARTTLS");
        let answer = if imap {
            imap_answer(&line, start_tls, offer)
        } else {
            smtp_answer(&line, start_tls, offer)
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if asks_for_tls && start_tls {
            return Some(stream.into_inner());
        }
    }
}

fn imap_answer(line: &str, start_tls: bool, offer: Offer) -> String {
    let tag = line.split(' ').next().unwrap_or("*");
    if line.ends_with("CAPABILITY") {
        let more = if start_tls { "STARTTLS" } else { offer.imap };
        return format!("* CAPABILITY IMAP4rev1 {more}\r\n{tag} OK done\r\n");
    }
    match (line.ends_with("STARTTLS"), start_tls) {
        (true, false) => format!("{tag} BAD what\r\n"),
        _ => format!("{tag} OK go ahead\r\n"),
    }
}

fn smtp_answer(line: &str, start_tls: bool, offer: Offer) -> String {
    if line.starts_with("EHLO") {
        return match (start_tls, offer.smtp) {
            (true, _) => "250-mail.test\r\n250 STARTTLS\r\n".to_owned(),
            (false, "") => "250 mail.test\r\n".to_owned(),
            (false, mechanisms) => format!("250-mail.test\r\n250 AUTH {mechanisms}\r\n"),
        };
    }
    match (line, start_tls) {
        ("STARTTLS", true) => "220 go ahead\r\n".to_owned(),
        ("QUIT", _) => "221 bye\r\n".to_owned(),
        _ => "502 what\r\n".to_owned(),
    }
}
