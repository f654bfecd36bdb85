//! The door of the crate.

use std::{net::IpAddr, sync::Arc};

use postroom_mail::net::{Connector, HostName};
use postroom_retry::Clock;

use crate::{
    imap,
    report::{Outcome, Part, Report, Step, StepName},
    smtp::{self, Key},
    subject::{Secret, Subject},
    token,
};

/// Walks the servers of mailboxes.
#[derive(Clone, Debug)]
pub struct Doctor {
    pub(crate) connector: Connector,
    pub(crate) ehlo_name: HostName,
    clock: Arc<dyn Clock>,
}

impl Doctor {
    /// A doctor that reaches servers as `connector` does and introduces itself to submission servers by `ehlo_name`.
    #[must_use]
    pub fn new(connector: Connector, ehlo_name: HostName, clock: Arc<dyn Clock>) -> Self {
        Self {
            connector,
            ehlo_name,
            clock,
        }
    }

    /// Walks all steps: those of receiving, then those of sending. Never fails; what does stands in the report. At most
    /// one connection is open at a time.
    pub async fn examine(&self, subject: &Subject) -> Report {
        let mut steps = Vec::new();
        let mut secret = subject.secret.as_ref();
        if let Some(Secret::AccessToken(access_token)) = secret {
            let step = token::examine(self.clock(), access_token, &subject.scopes).await;
            if step.result == Outcome::Failed {
                secret = None;
            }
            steps.push(step);
        }
        let sign_in = secret.map(|secret| secret.sign_in(&subject.imap.login));
        steps.extend(Box::pin(imap::examine(self, subject, sign_in.as_ref())).await);
        if let Some(server) = &subject.smtp {
            let sign_in = secret.map(|secret| secret.sign_in(&server.login));
            let key = match &sign_in {
                None => Key::Leave("Not tried, because there is no password or token that could be used."),
                Some(_) if was_refused(&steps) => Key::Leave(
                    "Not tried, because the other server refused this sign-in: a second wrong attempt could lock the \
                     mailbox.",
                ),
                Some(sign_in) => Key::Use(sign_in),
            };
            steps.extend(Box::pin(smtp::examine(self, subject, server, key)).await);
        } else {
            let why = "No server for sending is known.";
            let skipped = smtp::STEPS
                .iter()
                .map(|name| Step::skipped(Part::Smtp, *name, None, why));
            steps.extend(skipped);
        }
        Report {
            address: subject.address.clone(),
            steps,
        }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The name for EHLO, an address as a literal (RFC 5321 section 4.1.3).
    pub(crate) fn literal_name(&self) -> String {
        match self.ehlo_name.ip() {
            Some(IpAddr::V4(ip)) => format!("[{ip}]"),
            Some(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            None => self.ehlo_name.to_string(),
        }
    }
}

fn was_refused(steps: &[Step]) -> bool {
    steps
        .iter()
        .any(|step| step.step == StepName::SignIn && step.code == Some("credentials_refused"))
}
