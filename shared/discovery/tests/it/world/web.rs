//! A web server over TLS for all names of a world: it gives the pages that a test put there, some of them badly, and
//! keeps what it was asked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Authority;

/// What is answered for a path.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    status: u16,
    location: Option<String>,
    content: Vec<u8>,
    /// Waited before the answer, or between its bytes.
    delay: Duration,
    drip: bool,
}

impl Page {
    pub(crate) fn xml(content: &str) -> Self {
        Self::status(200).with(content)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            location: None,
            content: Vec::new(),
            delay: Duration::ZERO,
            drip: false,
        }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self {
            location: Some(to.to_owned()),
            ..Self::status(302)
        }
    }

    pub(crate) fn with(mut self, content: &str) -> Self {
        self.content = content.into();
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// One byte at a time.
    pub(crate) fn dripping(mut self, delay: Duration) -> Self {
        (self.delay, self.drip) = (delay, true);
        self
    }
}

#[derive(Clone)]
pub(crate) struct WebServer {
    address: Ipv4Addr,
    tls: TlsAcceptor,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    pages: Mutex<HashMap<(String, String), Page>>,
    asked: Mutex<Vec<String>>,
}

impl WebServer {
    pub(crate) async fn start(address: Ipv4Addr, authority: Arc<Authority>) -> Self {
        let server = Self {
            address,
            tls: TlsAcceptor::from(authority.server_config()),
            state: Arc::default(),
        };
        server.listen(443).await;
        server
    }

    /// Listens on another port too.
    pub(crate) async fn listen(&self, port: u16) {
        let at = SocketAddr::from((self.address, port));
        let listener = TcpListener::bind(at)
            .await
            .unwrap_or_else(|error| panic!("{at}: {error} (the tests run as root)"));
        let (tls, state) = (self.tls.clone(), Arc::clone(&self.state));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, state) = (tls.clone(), Arc::clone(&state));
                tokio::spawn(async move {
                    if let Ok(mut stream) = tls.accept(tcp).await {
                        while serve(&mut stream, &state).await.is_some() {}
                    }
                });
            }
        });
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Puts a page at `https://HOST/PATH`; the query is not looked at.
    pub(crate) fn page(&self, host: &str, path: &str, page: Page) {
        let mut pages = self.state.pages.lock().unwrap();
        pages.insert((host.to_owned(), path.to_owned()), page);
    }

    /// What was asked for, as `HOST/PATH?QUERY`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }
}

/// One request; `None` when the client is gone.
async fn serve(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), state: &State) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1)?.to_owned();
    let host = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
    })?;
    let host = host.split(':').next()?.to_owned();
    state.asked.lock().unwrap().push(format!("{host}{target}"));
    let path = target.split('?').next()?.to_owned();
    let page = state.pages.lock().unwrap().get(&(host, path)).cloned();
    let page = page.unwrap_or_else(|| Page::status(404));
    if !page.drip {
        tokio::time::sleep(page.delay).await;
    }
    let location = page
        .location
        .map(|to| format!("Location: {to}\r\n"))
        .unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 {} X\r\nContent-Type: text/xml\r\n{location}Content-Length: {}\r\n\r\n",
        page.status,
        page.content.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    if page.drip {
        for byte in page.content {
            stream.write_all(&[byte]).await.ok()?;
            stream.flush().await.ok()?;
            tokio::time::sleep(page.delay).await;
        }
    } else {
        stream.write_all(&page.content).await.ok()?;
    }
    stream.flush().await.ok()
}
