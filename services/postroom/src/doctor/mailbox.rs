//! One mailbox, looked at from this machine.

use std::{io::IsTerminal, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use postroom_doctor::{Doctor, Given, Report, Secret, Step, Subject, bundle, look_for};
use postroom_mail::net::HostName;
use postroom_retry::{Clock, SystemClock};
use secrecy::SecretString;

use super::DoctorArgs;
use crate::say;

const PASSWORD: &str = "POSTROOM_DOCTOR_PASSWORD";
const TOKEN: &str = "POSTROOM_DOCTOR_TOKEN";

pub(super) async fn run(address: &str, args: DoctorArgs) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let catalogue = Arc::new(args.settings.provider_catalogue()?);
    let discovery = args
        .settings
        .discovery(Arc::clone(&catalogue), Arc::clone(&clock))?;
    let ehlo_name = match args.settings.ehlo_name() {
        Some(name) => name,
        None => HostName::parse("localhost")?,
    };
    let given = Given {
        imap: args.imap,
        smtp: args.smtp,
        login: args.login,
        secret: secret()?,
    };
    let found = Box::pin(look_for(
        &discovery,
        &catalogue,
        Arc::clone(&clock),
        address,
        given,
    ))
    .await;
    let (report, subject) = match found {
        Ok((step, subject)) => {
            let doctor = Doctor::new(args.settings.connector()?, ehlo_name, Arc::clone(&clock));
            let mut report = Box::pin(doctor.examine(&subject)).await;
            report.steps.insert(0, step);
            (report, Some(subject))
        }
        Err(report) => (report, None),
    };
    match args.json {
        true => say(&serde_json::to_string_pretty(&report)?),
        false => report.steps.iter().for_each(tell),
    }
    if let Some(file) = &args.bundle {
        write(file, &report, subject.as_ref(), &*clock)?;
    }
    if !report.is_well() {
        bail!("Not everything is well.")
    }
    Ok(())
}

/// A password or token from the environment, or a password from who sits at the terminal; `None`: nobody signs in.
fn secret() -> Result<Option<Secret>> {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(token) = variable(TOKEN) {
        return Ok(Some(Secret::AccessToken(token.into())));
    }
    if let Some(password) = variable(PASSWORD) {
        return Ok(Some(Secret::Password(password.into())));
    }
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password("Password (Enter: do not sign in): ")
        .context("the password cannot be read from the terminal")?;
    let typed = SecretString::from(typed);
    Ok((!secrecy::ExposeSecret::expose_secret(&typed).is_empty()).then_some(Secret::Password(typed)))
}

fn tell(step: &Step) {
    say(&format!(
        "{:<8} {:<8} {:<13} {:>6} ms  {}",
        step.result.label(),
        step.part.label(),
        step.step.label(),
        step.ms,
        step.sentence
    ));
    if let Some(advice) = &step.advice {
        say(&format!("         -> {advice}"));
    }
}

fn write(file: &Path, report: &Report, subject: Option<&Subject>, clock: &dyn Clock) -> Result<()> {
    let made_at = clock.now().to_rfc3339();
    let bundle = bundle(report, subject, env!("CARGO_PKG_VERSION"), &made_at);
    std::fs::write(file, serde_json::to_string_pretty(&bundle)?).with_context(|| {
        format!(
            "the support file {} cannot be written; name another one with --bundle",
            file.display()
        )
    })
}
