//! `postroom run`: every service in one process.

use std::{process::ExitCode, sync::Arc, time::Duration};

use postroom_runtime::{Background, Parts, Settings, run_to_exit, stop_signal, until_stopped};

use crate::first_run;

/// What the loops beside the services get to end in.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn main(settings: Settings) -> ExitCode {
    run_to_exit("postroom", &settings.clone(), async move {
        let parts = Parts::assemble(settings, stop_signal()?).await?;
        first_run::welcome(&parts).await?;
        let background = Background::start(&parts);
        let result = until_stopped(&parts, account_manager::run(Arc::clone(&parts))).await;
        background.stop(GRACE).await;
        result
    })
}
