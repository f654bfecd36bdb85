//! The bare limits: the least that any client can do, for the benches to measure the product against. Each command is a process
//! of its own, prints one JSON object in a line and knows nothing of the product. It then stays until its standard input ends, so that
//! who started it can read from the system what it used.

mod connection;
mod drain;

use std::io::{Write, copy, sink, stdin, stdout};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about = "The least that any mail client can do, measured")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fetch every message of the INBOX with one command and throw it away
    Drain(Server),
}

/// An IMAP server over TLS and an account on it.
#[derive(Args)]
struct Server {
    /// Host name, which the certificate must bear
    #[arg(long)]
    host: String,
    /// Port, TLS from the first byte
    #[arg(long)]
    port: u16,
    /// PEM file of the authority that signed the certificate
    #[arg(long)]
    ca: PathBuf,
    /// User name
    #[arg(long)]
    user: String,
    /// Password, from the environment so that no list of processes shows it
    #[arg(env = "POSTROOM_BARE_PASSWORD", hide_env_values = true, hide = true)]
    password: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let outcome = match Cli::parse().command {
        Command::Drain(server) => drain::drain(&server).await?,
    };
    writeln!(stdout(), "{outcome}")?;
    copy(&mut stdin(), &mut sink())?;
    Ok(())
}
