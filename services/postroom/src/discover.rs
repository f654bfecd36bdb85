//! `postroom discover`: the servers of an address, found from this machine.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use postroom_discovery::{Discovered, DiscoveredServer, DiscoveryError, MailAddress, to_json};
use postroom_mail::net::TlsMode;
use postroom_retry::SystemClock;
use postroom_runtime::Settings;
use serde_json::json;

use crate::say;

#[derive(Args)]
pub(crate) struct DiscoverArgs {
    /// Address of the mailbox.
    address: String,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Box<Settings>,
}

pub(crate) async fn run(args: DiscoverArgs) -> Result<()> {
    let catalogue = Arc::new(args.settings.provider_catalogue()?);
    let discovery = args.settings.discovery(catalogue, Arc::new(SystemClock))?;
    let answer = Box::pin(discovery.discover(&args.address)).await;
    if args.json {
        say(&serde_json::to_string_pretty(&to_json(&args.address, &answer))?);
    }
    match answer {
        Ok(found) if !args.json => tell(&found),
        Ok(_) => {}
        Err(error) => bail!("{}", sentence(&error)),
    }
    Ok(())
}

fn tell(found: &Discovered) {
    say(&format!(
        "{} by {} (provider {})",
        found.address, found.source, found.provider
    ));
    say(&format!("receive  {}", line(&found.imap, &found.address)));
    match &found.smtp {
        Some(smtp) => say(&format!("send     {}", line(smtp, &found.address))),
        None => say("send     no server was found: the mailbox could only receive"),
    }
    if let Some(help) = &found.app_password_help {
        say(&format!("An app password is made at {help}"));
    }
}

/// A server in one line: where it is, and as whom and how to sign in.
fn line(server: &DiscoveredServer, address: &str) -> String {
    let tls = match server.socket {
        TlsMode::Implicit => "TLS",
        TlsMode::StartTls => "STARTTLS",
    };
    let ways: Vec<String> = server
        .auth
        .iter()
        .filter_map(|way| json!(way).as_str().map(|name| name.replace('_', " ")))
        .collect();
    let login = MailAddress::parse(address)
        .map_or_else(|_| address.to_owned(), |address| server.username.login(&address));
    format!(
        "{} {tls}, as {login}, by {}",
        server.endpoint(),
        ways.join(" or ")
    )
}

/// The sentence, and what each source said.
fn sentence(error: &DiscoveryError) -> String {
    let tried = error.tried().iter().map(|attempt| format!("\n  {attempt}"));
    format!("{error}{}", tried.collect::<String>())
}
