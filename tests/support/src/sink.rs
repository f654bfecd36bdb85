//! Mail that left the testbed's domain.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::Testbed;

/// A message that was sent to another domain.
#[derive(Clone, Debug)]
pub struct SinkMessage {
    /// The envelope's sender; empty for a bounce.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The message as it came in.
    pub raw: Vec<u8>,
}

#[derive(Deserialize)]
struct Envelope {
    from: String,
    to: Vec<String>,
}

impl Testbed {
    /// The messages that went to `recipient` in another domain, oldest first. Use a unique recipient: the sink is
    /// everybody's.
    ///
    /// # Errors
    /// If the sink's directory cannot be read.
    pub async fn sink_messages(&self, recipient: &str) -> Result<Vec<SinkMessage>> {
        let (directory, recipient) = (self.sink_dir.clone(), recipient.to_owned());
        tokio::task::spawn_blocking(move || read_sink(&directory, &recipient)).await?
    }
}

fn read_sink(directory: &Path, recipient: &str) -> Result<Vec<SinkMessage>> {
    let mut files = std::fs::read_dir(directory)
        .with_context(|| format!("reading {}", directory.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    // The envelope comes last: where it stands, the message is whole.
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut messages = Vec::new();
    for file in files {
        let Envelope { from, to } = serde_json::from_slice(&std::fs::read(&file)?)?;
        if to.iter().any(|address| address.eq_ignore_ascii_case(recipient)) {
            messages.push(SinkMessage {
                from,
                to,
                raw: std::fs::read(file.with_extension("eml"))?,
            });
        }
    }
    Ok(messages)
}
