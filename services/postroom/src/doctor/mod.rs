//! `postroom doctor`: whether everything works, and what to do where it does not. Without an address it looks at the
//! installation, by its API; with one at that mailbox, from this machine.

mod installation;
mod mailbox;
mod server;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use postroom_mail::net::Endpoint;
use postroom_runtime::Settings;
use secrecy::SecretString;
use url::Url;

use crate::client::{ClientArgs, secret};

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Mailbox to look at, step by step: DNS, TCP, TLS, greeting, capabilities, sign-in, folders. Without it: the
    /// installation.
    address: Option<String>,
    /// IMAP server, as HOST, HOST:PORT or starttls://HOST:PORT. Without it: the one that is found.
    #[arg(long, requires = "address", value_parser = server::imap)]
    imap: Option<Endpoint>,
    /// Server for sending, in the same form.
    #[arg(long, requires = "address", value_parser = server::smtp)]
    smtp: Option<Endpoint>,
    /// User name, where it is not the usual one.
    #[arg(long, requires = "address")]
    login: Option<String>,
    /// Write a support file (JSON) without secrets, with addresses masked.
    #[arg(long, requires = "address", value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Address of account-manager or `postroom run`.
    #[arg(long, env = "POSTROOM_URL", default_value = "http://localhost:8080")]
    url: Url,
    /// API key of the tenant. Without it: the key file in the data directory.
    #[arg(long, env = "POSTROOM_KEY", hide_env_values = true, value_parser = secret)]
    key: Option<SecretString>,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Box<Settings>,
}

pub(crate) async fn run(args: DoctorArgs) -> Result<()> {
    match args.address.clone() {
        Some(address) => Box::pin(mailbox::run(&address, args)).await,
        None => {
            installation::run(&ClientArgs {
                url: args.url,
                key: args.key,
                data_dir: args.settings.data_dir,
                json: args.json,
            })
            .await
        }
    }
}
