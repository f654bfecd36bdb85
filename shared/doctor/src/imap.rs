//! Receiving: what an IMAP server offers, whether it lets us in, which folders it lists.

use postroom_mail::{
    imap::{Capabilities, ImapConnection, ImapLimits, ImapSession, ListedFolder},
    net::Connector,
    sasl::{Mechanism, SignIn},
};

use crate::{
    course::{Course, Failure, Finding, Stopped},
    doctor::Doctor,
    encrypt::{StartTls, encrypt},
    report::{Part, Step, StepName},
    subject::Subject,
};

pub(crate) const STEPS: &[StepName] = &[
    StepName::Dns,
    StepName::Tcp,
    StepName::Tls,
    StepName::Greeting,
    StepName::Capabilities,
    StepName::SignIn,
    StepName::Folders,
];
const NO_SECRET: &str = "Not tried, because no password or token was given.";

/// All steps of receiving.
pub(crate) async fn examine(doctor: &Doctor, subject: &Subject, sign_in: Option<&SignIn>) -> Vec<Step> {
    let server = Some(subject.imap.endpoint.to_string());
    let mut course = Course::new(doctor.clock(), Part::Imap, server, STEPS);
    // Where it stopped stands in the steps.
    let _ = walk(&mut course, doctor, subject, sign_in).await;
    course.finish()
}

async fn walk(
    course: &mut Course,
    doctor: &Doctor,
    subject: &Subject,
    sign_in: Option<&SignIn>,
) -> Result<(), Stopped> {
    let endpoint = &subject.imap.endpoint;
    let start_tls = StartTls {
        not_it: "not_imap",
        greeting: "* OK",
        dialogue: vec![("a STARTTLS\r\n".to_owned(), "A OK")],
    };
    let clock = doctor.clock();
    let connector = encrypt(course, &doctor.connector, &*clock, endpoint, start_tls).await?;
    let connection = course
        .step(StepName::Greeting, greet(&connector, subject))
        .await?;
    let offered = connection.capabilities().clone();
    course
        .step(StepName::Capabilities, async { judge(&offered) })
        .await?;
    let Some(sign_in) = sign_in else {
        course.skip(StepName::SignIn, NO_SECRET);
        course.skip(StepName::Folders, NO_SECRET);
        connection.close().await;
        return Ok(());
    };
    let mut session = course
        .step(StepName::SignIn, enter(connection, sign_in, subject))
        .await?;
    course
        .step(StepName::Folders, async {
            let folders = session.list_folders().await?;
            Ok(listed(&folders))
        })
        .await?;
    session.logout().await;
    Ok(())
}

async fn greet(connector: &Connector, subject: &Subject) -> Result<Finding<ImapConnection>, Failure> {
    let limits = ImapLimits {
        literal: 64 * 1024,
        answer: 4 * 1024 * 1024,
        ..ImapLimits::default()
    };
    let endpoint = &subject.imap.endpoint;
    let connection = ImapConnection::open(connector, endpoint, limits).await?;
    Ok(Finding::new(connection, format!("{endpoint} is an IMAP server.")))
}

fn judge(offered: &Capabilities) -> Result<Finding<()>, Failure> {
    let ours = [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::XOAuth2,
        Mechanism::OAuthBearer,
    ];
    let ways: Vec<&str> = ours
        .into_iter()
        .filter(|way| offered.offers(*way))
        .map(Mechanism::name)
        .collect();
    if ways.is_empty() && offered.has("LOGINDISABLED") {
        let names = offered.sign_in_names();
        let sentence = match names.as_slice() {
            [] => "The server lets nobody sign in.".to_owned(),
            names => format!(
                "The server offers only {} to sign in, which is not usable from here.",
                names.join(", ")
            ),
        };
        return Err(Failure::new("sign_in_not_offered", sentence));
    }
    let all: Vec<&str> = offered.iter().take(60).collect();
    let missing = (!offered.has("IDLE")).then(|| {
        "The server does not offer IDLE before sign-in. If it does not afterwards either, new mail is seen at the next \
         look and not at once."
            .to_owned()
    });
    let ways = if ways.is_empty() {
        vec!["the LOGIN command"]
    } else {
        ways
    };
    let sentence = format!("The server lets people sign in by {}.", ways.join(", "));
    Ok(Finding::new((), sentence)
        .warning(missing)
        .detail("capabilities", all))
}

async fn enter(
    connection: ImapConnection,
    sign_in: &SignIn,
    subject: &Subject,
) -> Result<Finding<ImapSession>, Failure> {
    let entered = connection.sign_in(sign_in).await;
    let session = entered.map_err(|error| helped(error.into(), subject))?;
    let offered: Vec<String> = session
        .capabilities()
        .iter()
        .take(60)
        .map(str::to_owned)
        .collect();
    Ok(Finding::new(session, "The server let us in.").detail("capabilities", offered))
}

/// Adds what the provider says to those whom it does not let in.
pub(crate) fn helped(mut failure: Failure, subject: &Subject) -> Failure {
    if let (Some(help), "credentials_refused") = (&subject.help, failure.code) {
        failure.advice = format!("{} {help}", failure.advice);
    }
    failure
}

/// How many there are and what they are for. Their names are nobody's business.
fn listed(folders: &[ListedFolder]) -> Finding<()> {
    let mut roles: Vec<&str> = folders
        .iter()
        .filter_map(|folder| Some(folder.role?.name()))
        .collect();
    roles.sort_unstable();
    roles.dedup();
    let warning = (!roles.contains(&"inbox")).then(|| {
        "The server lists no inbox: ask whoever runs it whether the mailbox is complete.".to_owned()
    });
    let sentence = format!(
        "The mailbox has {} folders ({}).",
        folders.len(),
        roles.join(", ")
    );
    Finding::new((), sentence)
        .warning(warning)
        .detail("folders", folders.len())
        .detail("roles", roles)
}
