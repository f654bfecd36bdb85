//! A TCP proxy that breaks connections on command: for servers that a test must not touch, because others use them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How bytes travel at the moment.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    hold_requests: bool,
    hold_answers: bool,
    delay: Duration,
    /// Counts the cuts: a connection ends when the number is no longer the one it began with.
    cuts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

/// A proxy on a port of 127.0.0.1 in front of one server. It ends when dropped, with all its connections.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    target: Arc<str>,
    traffic: watch::Sender<Traffic>,
    counts: Arc<Counts>,
    accepting: Option<JoinHandle<()>>,
}

/// What has gone through.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicUsize,
    sent: AtomicU64,
}

impl TcpProxy {
    /// Starts a proxy in front of `target`, a `HOST:PORT`.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("a port for the proxy")?;
        let mut proxy = Self {
            address: listener.local_addr()?,
            target: target.into(),
            traffic: watch::Sender::default(),
            counts: Arc::default(),
            accepting: None,
        };
        proxy.accept_on(listener);
        Ok(proxy)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections have come in so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.counts.accepted.load(Ordering::SeqCst)
    }

    /// How many bytes clients have sent to the server so far, over all connections: a large message on its way shows here.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::SeqCst)
    }

    /// Ends all connections now. New ones are served.
    pub fn cut(&self) {
        self.traffic.send_modify(|traffic| traffic.cuts += 1);
    }

    /// Holds all bytes back, both ways, until [`TcpProxy::release`]: a network that has gone silent.
    pub fn hold(&self) {
        self.traffic
            .send_modify(|traffic| (traffic.hold_requests, traffic.hold_answers) = (true, true));
    }

    /// Lets the client's bytes through and holds the server's back: the server acts, and nobody hears of it. Followed
    /// by [`TcpProxy::cut`], its answers are lost.
    pub fn hold_answers(&self) {
        self.traffic.send_modify(|traffic| traffic.hold_answers = true);
    }

    /// Lets everything through again, also what was held back.
    pub fn release(&self) {
        self.traffic
            .send_modify(|traffic| (traffic.hold_requests, traffic.hold_answers) = (false, false));
    }

    /// Delays each piece of data so long from now on, each way.
    pub fn delay(&self, delay: Duration) {
        self.traffic.send_modify(|traffic| traffic.delay = delay);
    }

    /// Ends all connections and refuses new ones until [`TcpProxy::bring_up`]: a server that is down.
    pub fn take_down(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        self.cut();
    }

    /// Accepts connections again, on the same port.
    ///
    /// # Errors
    /// If somebody else has taken the port in the meantime.
    pub async fn bring_up(&mut self) -> Result<()> {
        if self.accepting.is_none() {
            let listener = TcpListener::bind(self.address)
                .await
                .context("the proxy's port")?;
            self.accept_on(listener);
        }
        Ok(())
    }

    fn accept_on(&mut self, listener: TcpListener) {
        let (target, traffic, counts) = (
            Arc::clone(&self.target),
            self.traffic.subscribe(),
            Arc::clone(&self.counts),
        );
        self.accepting = Some(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counts.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(
                    client,
                    Arc::clone(&target),
                    traffic.clone(),
                    Arc::clone(&counts),
                ));
            }
        }));
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.take_down();
    }
}

/// Serves one connection until either side ends it or the proxy cuts it.
async fn serve(client: TcpStream, target: Arc<str>, traffic: watch::Receiver<Traffic>, counts: Arc<Counts>) {
    let Ok(server) = TcpStream::connect(&*target).await else {
        return;
    };
    // Small commands must not wait for each other's acknowledgement.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let cuts = traffic.borrow().cuts;
    let mut cut = traffic.clone();
    let both = async {
        tokio::join!(
            carry(
                client_in,
                server_out,
                Direction::ToServer,
                traffic.clone(),
                &counts
            ),
            carry(
                server_in,
                client_out,
                Direction::ToClient,
                traffic.clone(),
                &counts
            ),
        )
    };
    // wait_for also ends when the proxy is gone
    tokio::select! {
        _ = both => {}
        _ = cut.wait_for(|traffic| traffic.cuts != cuts) => {}
    }
}

/// Carries bytes one way until the sender ends, and passes that end on.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    mut traffic: watch::Receiver<Traffic>,
    counts: &Counts,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let flows = |traffic: &Traffic| match direction {
            Direction::ToServer => !traffic.hold_requests,
            Direction::ToClient => !traffic.hold_answers,
        };
        let Ok(delay) = traffic.wait_for(flows).await.map(|traffic| traffic.delay) else {
            return;
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        if direction == Direction::ToServer {
            counts.sent.fetch_add(count as u64, Ordering::SeqCst);
        }
    }
    let _ = to.shutdown().await;
}
