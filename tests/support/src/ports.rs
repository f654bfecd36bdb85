//! Ports for servers that a test starts itself.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Context, Result};
use uuid::Uuid;

/// Above the testbed's own ports, and below those that the system takes for outgoing connections: no connection takes a
/// port away between now and the server's start.
const RANGE: Range<u16> = 24_100..32_700;
const MOST_TRIES: usize = 200;

/// What this process has given away: a server may take its time until it listens.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port of 127.0.0.1 that nothing listened on a moment ago. No two tests of one process get the same; it is picked at
/// random, because other processes pick, too.
///
/// # Errors
/// If the machine has no free port.
pub fn free_port() -> Result<u16> {
    (0..MOST_TRIES)
        .map(|_| random_port())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok() && give(*port))
        .context("there is no free port on 127.0.0.1")
}

fn random_port() -> u16 {
    let [.., high, low] = Uuid::new_v4().into_bytes();
    let size = RANGE.end - RANGE.start;
    RANGE.start + u16::from_be_bytes([high, low]) % size
}

/// Whether it was not given away before.
fn give(port: u16) -> bool {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port)
}
