//! `postroom tenant`: the tenants of a database that no API key exists for yet. Works on the database itself, because
//! every other way in needs a key.

use std::{process::ExitCode, sync::Arc};

use clap::Subcommand;
use postroom_crypto::new_token;
use postroom_retry::SystemClock;
use postroom_runtime::Settings;
use postroom_store::{EventDelivery, Store, StoreConfig, tenants};
use secrecy::ExposeSecret;

#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant and print its first API key, once.
    New {
        /// Name of the CRM.
        name: String,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

pub(crate) fn main(command: TenantCommand) -> ExitCode {
    let TenantCommand::New { name, settings } = command;
    postroom_runtime::run_to_exit("postroom tenant new", &settings.clone(), async move {
        let name = name.trim();
        anyhow::ensure!(
            !name.is_empty() && name.len() <= 200,
            "The name of a tenant has 1 to 200 characters."
        );
        let config = StoreConfig {
            url: settings.database(),
            delivery: EventDelivery::Outbox,
            max_connections: 2,
        };
        let store = Store::open(&config, Arc::new(SystemClock)).await?;
        let (key, digest) = new_token("postroom_key")?;
        let tx = store.begin("tenant.new").await?;
        let tenant = tenants::create(&tx, name).await?;
        tenants::add_api_key(&tx, tenant.id, "first key", digest).await?;
        tx.commit().await?;
        tracing::info!(tenant.id = %tenant.id, "Made a tenant");
        crate::say(key.expose_secret());
        Ok(())
    })
}
