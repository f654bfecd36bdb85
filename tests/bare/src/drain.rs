//! The bare drain: one FETCH for everything, thrown away as it comes. No client that downloads a mailbox over one connection
//! can be faster than this.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::Server;
use crate::connection::Connection;

/// Drains the INBOX and says how many messages and bytes of them came, and how long it took from the first packet on.
pub(crate) async fn drain(server: &Server) -> Result<Value> {
    let begun = Instant::now();
    let mut connection = Connection::sign_in(server).await?;
    let mut exists = 0_u64;
    connection
        .command("SELECT INBOX", |line, _| {
            if let Some(count) = line
                .strip_prefix(b"* ")
                .and_then(|line| line.strip_suffix(b" EXISTS"))
            {
                exists = String::from_utf8_lossy(count).parse().unwrap_or_default();
            }
        })
        .await?;
    let (mut messages, mut bytes) = (0_u64, 0_u64);
    connection
        .command("UID FETCH 1:* BODY.PEEK[]", |_, literal| {
            if let Some(length) = literal {
                messages += 1;
                bytes += length as u64;
            }
        })
        .await?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        messages == exists,
        "the INBOX holds {exists} messages, but {messages} came"
    );
    Ok(json!({ "messages": messages, "bytes": bytes, "received": connection.received, "seconds": seconds }))
}
