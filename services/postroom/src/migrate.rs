//! `postroom migrate`: bring the database to what this version expects. One process runs it, before the services start.

use std::{process::ExitCode, sync::Arc};

use postroom_retry::SystemClock;
use postroom_runtime::Settings;
use postroom_store::{EventDelivery, Store, StoreConfig};

pub(crate) fn main(settings: Settings) -> ExitCode {
    postroom_runtime::run_to_exit("postroom migrate", &settings.clone(), async move {
        if settings.database_url.is_none() {
            std::fs::create_dir_all(&settings.data_dir)?;
        }
        let config = StoreConfig {
            url: settings.database(),
            delivery: EventDelivery::Outbox,
            max_connections: 2,
        };
        let store = Store::open(&config, Arc::new(SystemClock)).await?;
        let steps = store.migrate().await?;
        match steps.len() {
            0 => crate::say("The database is up to date."),
            _ => crate::say(&format!(
                "The database is up to date; steps run: {}.",
                steps.join(", ")
            )),
        }
        Ok(())
    })
}
