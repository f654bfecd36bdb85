//! Sending: what a submission server offers, and whether it lets us in. No mail is begun.

use postroom_mail::{
    net::{Connector, Endpoint},
    sasl::{Mechanism, SignIn},
    smtp::{SmtpCapabilities, SmtpSession},
};

use crate::{
    course::{Course, Failure, Finding, Stopped},
    doctor::Doctor,
    encrypt::{StartTls, encrypt},
    imap::helped,
    report::{Part, Step, StepName},
    subject::{Server, Subject},
};

pub(crate) const STEPS: &[StepName] = &[
    StepName::Dns,
    StepName::Tcp,
    StepName::Tls,
    StepName::Greeting,
    StepName::Capabilities,
    StepName::SignIn,
];

/// What is known of the secret by then.
pub(crate) enum Key<'s> {
    /// Sign in with it.
    Use(&'s SignIn),
    /// Do not, and why.
    Leave(&'static str),
}

/// All steps of sending.
pub(crate) async fn examine(doctor: &Doctor, subject: &Subject, server: &Server, key: Key<'_>) -> Vec<Step> {
    let at = Some(server.endpoint.to_string());
    let mut course = Course::new(doctor.clock(), Part::Smtp, at, STEPS);
    // Where it stopped stands in the steps.
    let _ = walk(&mut course, doctor, subject, &server.endpoint, key).await;
    course.finish()
}

async fn walk(
    course: &mut Course,
    doctor: &Doctor,
    subject: &Subject,
    endpoint: &Endpoint,
    key: Key<'_>,
) -> Result<(), Stopped> {
    let start_tls = StartTls {
        not_it: "not_smtp",
        greeting: "220",
        dialogue: vec![
            (format!("EHLO {}\r\n", doctor.literal_name()), "250"),
            ("STARTTLS\r\n".to_owned(), "220"),
        ],
    };
    let clock = doctor.clock();
    let connector = encrypt(course, &doctor.connector, &*clock, endpoint, start_tls).await?;
    let offered = course
        .step(StepName::Greeting, greet(&connector, endpoint, doctor))
        .await?;
    course
        .step(StepName::Capabilities, async { judge(&offered) })
        .await?;
    match key {
        Key::Leave(why) => course.skip(StepName::SignIn, why),
        Key::Use(sign_in) => {
            let entering = async {
                let session = SmtpSession::connect(&connector, endpoint, &doctor.ehlo_name, sign_in)
                    .await
                    .map_err(|error| helped(error.into(), subject))?;
                session.quit().await;
                Ok(Finding::new((), "The server let us in; mail can be sent."))
            };
            course.step(StepName::SignIn, entering).await?;
        }
    }
    Ok(())
}

async fn greet(
    connector: &Connector,
    endpoint: &Endpoint,
    doctor: &Doctor,
) -> Result<Finding<SmtpCapabilities>, Failure> {
    let session = SmtpSession::probe(connector, endpoint, &doctor.ehlo_name).await?;
    let offered = session.capabilities().clone();
    session.quit().await;
    Ok(Finding::new(offered, format!("{endpoint} is an SMTP server.")))
}

fn judge(offered: &SmtpCapabilities) -> Result<Finding<()>, Failure> {
    if offered.mechanisms.is_empty() {
        let sentence = match offered.offered.as_slice() {
            [] => "The server lets nobody sign in; this may be a server for incoming mail.".to_owned(),
            names => format!(
                "The server offers only {} to sign in, which is not usable from here.",
                names.join(", ")
            ),
        };
        return Err(Failure::new("auth_not_offered", sentence));
    }
    let ways: Vec<&str> = offered
        .mechanisms
        .iter()
        .map(|way| Mechanism::name(*way))
        .collect();
    let size = match offered.max_size {
        Some(bytes) => format!("takes mail of up to {} MB", bytes / 1_000_000),
        None => "names no largest size".to_owned(),
    };
    let sentence = format!(
        "The server lets people sign in by {} and {size}.",
        ways.join(", ")
    );
    Ok(Finding::new((), sentence)
        .detail("auth", offered.offered.clone())
        .detail("max_size", offered.max_size)
        .detail("pipelining", offered.pipelining)
        .detail("smtp_utf8", offered.smtp_utf8)
        .detail("dsn", offered.dsn))
}
