//! `postroom keys`: keys that seal secrets at rest.

use std::process::ExitCode;

use clap::Subcommand;
use postroom_crypto::KeyRing;
use secrecy::ExposeSecret;

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key for POSTROOM_SECRET_KEYS and print it.
    New {
        /// Its id: 1 to 32 of a-z, 0-9, - and _. Take another one for each key.
        #[arg(long, default_value = "k1")]
        id: String,
    },
}

pub(crate) fn main(command: &KeysCommand) -> ExitCode {
    let KeysCommand::New { id } = command;
    match KeyRing::generate_entry(id) {
        Ok(entry) => {
            crate::say(entry.expose_secret());
            ExitCode::SUCCESS
        }
        Err(error) => {
            crate::say(&format!("postroom keys new: {error}"));
            ExitCode::FAILURE
        }
    }
}
