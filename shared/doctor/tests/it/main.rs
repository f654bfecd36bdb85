//! The walk against the testbed's real Dovecot and Postfix, and against what is wrong on purpose there.
#![allow(clippy::unwrap_used)] // a test that cannot go on should say where

use std::sync::Arc;

use postroom_discovery::{Discovery, DiscoverySettings};
use postroom_doctor::{
    Doctor, Given, Outcome, Part, Report, Secret, Server, Step, StepName, Subject, bundle, look_for,
};
use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, Endpoint, HostName, TlsMode};
use postroom_providers::ProviderCatalogue;
use postroom_retry::SystemClock;
use postroom_test_support::{TestUser, Testbed, free_port};

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

fn connector(testbed: &Testbed) -> Connector {
    Connector::new(ConnectorSettings {
        extra_ca_file: Some(testbed.ca_file.clone()),
        addresses: AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]),
        ..ConnectorSettings::default()
    })
    .unwrap()
}

fn subject(testbed: &Testbed, user: &TestUser, tls: TlsMode) -> Subject {
    let server = |server: &postroom_test_support::MailServer| Server {
        endpoint: Endpoint {
            host: host(&server.host),
            port: match tls {
                TlsMode::Implicit => server.tls_port,
                TlsMode::StartTls => server.starttls_port,
            },
            tls,
        },
        login: user.address.clone(),
    };
    Subject {
        address: user.address.clone(),
        imap: server(&testbed.imap),
        smtp: Some(server(&testbed.submission)),
        secret: Some(Secret::Password(user.password.clone().into())),
        scopes: Vec::new(),
        help: None,
    }
}

async fn examine(testbed: &Testbed, subject: &Subject) -> Report {
    let doctor = Doctor::new(connector(testbed), host("localhost"), Arc::new(SystemClock));
    Box::pin(doctor.examine(subject)).await
}

fn results(report: &Report, part: Part) -> Vec<(StepName, Outcome)> {
    let steps = report.steps.iter().filter(|step| step.part == part);
    steps.map(|step| (step.step, step.result)).collect()
}

/// Asserts that exactly this step of receiving failed, that what is before it is well and what is behind it skipped.
fn fails_at(report: &Report, name: StepName, code: &str) -> Step {
    let steps: Vec<&Step> = report
        .steps
        .iter()
        .filter(|step| step.part == Part::Imap)
        .collect();
    assert_eq!(steps.len(), 7, "{report:#?}");
    let at = steps.iter().position(|step| step.step == name).unwrap();
    for (place, step) in steps.iter().enumerate() {
        let expected: &[Outcome] = match place.cmp(&at) {
            std::cmp::Ordering::Less => &[Outcome::Ok, Outcome::Warning],
            std::cmp::Ordering::Equal => &[Outcome::Failed],
            std::cmp::Ordering::Greater => &[Outcome::Skipped],
        };
        assert!(expected.contains(&step.result), "{step:#?}");
    }
    assert_eq!(steps[at].code, Some(code), "{:#?}", steps[at]);
    assert!(steps[at].advice.is_some());
    assert!(!report.is_well());
    steps[at].clone()
}

const ALL_OK: [(StepName, Outcome); 7] = [
    (StepName::Dns, Outcome::Ok),
    (StepName::Tcp, Outcome::Ok),
    (StepName::Tls, Outcome::Ok),
    (StepName::Greeting, Outcome::Ok),
    (StepName::Capabilities, Outcome::Ok),
    (StepName::SignIn, Outcome::Ok),
    (StepName::Folders, Outcome::Ok),
];

#[tokio::test]
async fn a_good_mailbox_is_well_by_tls_and_by_starttls() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("doctor").unwrap();
    for tls in [TlsMode::Implicit, TlsMode::StartTls] {
        let report = examine(&testbed, &subject(&testbed, &user, tls)).await;
        assert!(report.is_well(), "{report:#?}");
        assert_eq!(results(&report, Part::Imap), ALL_OK, "{report:#?}");
        assert_eq!(results(&report, Part::Smtp), ALL_OK[..6], "{report:#?}");
        let certificate = &report.step(Part::Imap, StepName::Tls).unwrap().details;
        assert!(
            certificate["names"].to_string().contains("localhost"),
            "{certificate:?}"
        );
        assert!(!certificate["issuer"].as_str().unwrap().is_empty());
        let smtp = report.step(Part::Smtp, StepName::Capabilities).unwrap();
        assert!(smtp.details["auth"].to_string().contains("PLAIN"), "{smtp:?}");
    }
}

#[tokio::test]
async fn without_a_secret_nobody_signs_in() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("doctor").unwrap();
    let mut subject = subject(&testbed, &user, TlsMode::Implicit);
    subject.secret = None;
    let report = examine(&testbed, &subject).await;
    assert!(report.is_well(), "{report:#?}");
    for (part, name) in [
        (Part::Imap, StepName::SignIn),
        (Part::Imap, StepName::Folders),
        (Part::Smtp, StepName::SignIn),
    ] {
        assert_eq!(report.step(part, name).unwrap().result, Outcome::Skipped);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_at_its_step() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("doctor").unwrap();
    let good = subject(&testbed, &user, TlsMode::Implicit);
    let at = |name: &str, port: u16, tls: TlsMode| {
        let mut subject = good.clone();
        subject.imap.endpoint = Endpoint {
            host: host(name),
            port,
            tls,
        };
        subject
    };
    let (tls, starttls) = (testbed.imap.tls_port, testbed.imap.starttls_port);
    let faulty = &testbed.faulty_hosts;
    let cases = [
        // RFC 6761: a name under "invalid" never exists.
        (
            at("imap.invalid", 993, TlsMode::Implicit),
            StepName::Dns,
            "name_not_found",
        ),
        (
            at("10.0.0.1", 993, TlsMode::Implicit),
            StepName::Dns,
            "denied_by_policy",
        ),
        (
            at("127.0.0.1", free_port().unwrap(), TlsMode::Implicit),
            StepName::Tcp,
            "refused",
        ),
        (
            at(&faulty.foreign, tls, TlsMode::Implicit),
            StepName::Tls,
            "certificate_unknown_issuer",
        ),
        (
            at(&faulty.foreign, starttls, TlsMode::StartTls),
            StepName::Tls,
            "certificate_unknown_issuer",
        ),
        (
            at(&faulty.expired, tls, TlsMode::Implicit),
            StepName::Tls,
            "certificate_expired",
        ),
        (
            at(&faulty.misnamed, tls, TlsMode::Implicit),
            StepName::Tls,
            "certificate_wrong_name",
        ),
        (
            at(&faulty.plain, starttls, TlsMode::StartTls),
            StepName::Tls,
            "starttls_not_offered",
        ),
        (
            at("127.0.0.1", starttls, TlsMode::Implicit),
            StepName::Tls,
            "not_tls",
        ),
        (
            at("127.0.0.1", testbed.submission.starttls_port, TlsMode::StartTls),
            StepName::Tls,
            "not_imap",
        ),
        (
            at("127.0.0.1", testbed.submission.tls_port, TlsMode::Implicit),
            StepName::Greeting,
            "not_imap",
        ),
    ];
    for (subject, step, code) in cases {
        let report = examine(&testbed, &subject).await;
        let failed = fails_at(&report, step, code);
        let skipped = report.step(Part::Imap, StepName::Folders).unwrap();
        assert_eq!(
            skipped.sentence,
            format!("Not tried, because {} failed.", failed.step.label())
        );
        assert_eq!(
            results(&report, Part::Smtp),
            ALL_OK[..6],
            "sending is looked at all the same"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_only() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("doctor").unwrap();
    let mut subject = subject(&testbed, &user, TlsMode::Implicit);
    subject.secret = Some(Secret::Password("wrong-canary".into()));
    subject.help = Some("See https://help.example/app-password.".to_owned());
    let report = examine(&testbed, &subject).await;
    let failed = fails_at(&report, StepName::SignIn, "credentials_refused");
    assert!(failed.advice.unwrap().contains("help.example"));
    let smtp = report.step(Part::Smtp, StepName::SignIn).unwrap();
    assert_eq!(smtp.result, Outcome::Skipped);
    assert!(smtp.sentence.contains("could lock"), "{}", smtp.sentence);
    let file = bundle(&report, Some(&subject), "0", "now").to_string();
    assert!(
        !file.contains("wrong-canary") && !file.contains(user.address.split('@').next().unwrap()),
        "{file}"
    );
}

#[tokio::test]
async fn an_access_token_that_has_ended_is_not_sent() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("doctor").unwrap();
    let mut subject = subject(&testbed, &user, TlsMode::Implicit);
    // {"alg":"none"} . {"exp":1000} . signature
    subject.secret = Some(Secret::AccessToken(
        "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDB9.c2ln".into(),
    ));
    let report = examine(&testbed, &subject).await;
    assert_eq!(
        report.step(Part::Account, StepName::Token).unwrap().code,
        Some("token_expired")
    );
    assert_eq!(
        report.step(Part::Imap, StepName::SignIn).unwrap().result,
        Outcome::Skipped
    );
    assert_eq!(
        report.step(Part::Imap, StepName::Capabilities).unwrap().result,
        Outcome::Ok
    );
}

#[tokio::test]
async fn a_bundle_tells_neither_address_nor_secret_nor_folders() {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("doctor").unwrap();
    let subject = subject(&testbed, &user, TlsMode::Implicit);
    let report = examine(&testbed, &subject).await;
    let file = bundle(&report, Some(&subject), "1.2.3", "2026-11-24T12:00:00Z").to_string();
    let local = user.address.split('@').next().unwrap();
    for secret in [user.password.as_str(), user.address.as_str(), local, "INBOX"] {
        assert!(!file.contains(secret), "{secret} in {file}");
    }
    assert!(
        file.contains("***@") && file.contains("\"1.2.3\"") && file.contains("sign_in"),
        "{file}"
    );
}

/// Discovery whose provider data know `house.example`, with these IMAP and SMTP ports on this machine.
fn finding(testbed: &Testbed, imap: u16) -> (Discovery, Arc<ProviderCatalogue>) {
    let data = format!(
        "[[provider]]\nid = \"house\"\nname = \"House\"\ndomains = [\"house.example\"]\n\
         imap = [{{ host = \"localhost\", port = {imap}, tls = \"tls\" }}]\n\
         smtp = [{{ host = \"localhost\", port = {}, tls = \"starttls\" }}]\n\
         username = \"local_part\"\nsign_in = [\"password\"]\nsent_saved_by_server = \"no\"\n",
        testbed.submission.starttls_port,
    );
    let catalogue = Arc::new(ProviderCatalogue::load(Some(&data)).unwrap());
    let settings = DiscoverySettings {
        ispdb: None,
        ..DiscoverySettings::default()
    };
    let discovery = Discovery::new(
        &settings,
        connector(testbed),
        Arc::clone(&catalogue),
        Arc::new(SystemClock),
    );
    (discovery.unwrap(), catalogue)
}

#[tokio::test]
async fn the_servers_of_an_address_are_looked_for_first() {
    let testbed = Testbed::load().unwrap();
    let (discovery, catalogue) = finding(&testbed, testbed.imap.tls_port);
    let clock = Arc::new(SystemClock);
    let found = look_for(
        &discovery,
        &catalogue,
        clock.clone(),
        "ann@house.example",
        Given::default(),
    )
    .await;
    let (step, subject) = found.unwrap();
    assert_eq!(step.result, Outcome::Ok, "{step:?}");
    assert_eq!(subject.imap.endpoint.port, testbed.imap.tls_port);
    assert_eq!(subject.imap.login, "ann");
    assert_eq!(subject.smtp.unwrap().endpoint.tls, TlsMode::StartTls);

    let named = Given {
        imap: Some(Endpoint::implicit(host("127.0.0.1"), 993)),
        login: Some("ann2".to_owned()),
        ..Given::default()
    };
    let found = look_for(&discovery, &catalogue, clock.clone(), "ann@house.example", named).await;
    let (_, subject) = found.unwrap();
    assert_eq!(
        (subject.imap.endpoint.port, subject.imap.login.as_str()),
        (993, "ann2")
    );

    let report = look_for(&discovery, &catalogue, clock, "ann", Given::default())
        .await
        .unwrap_err();
    let step = report.step(Part::Account, StepName::Servers).unwrap();
    assert_eq!(
        (step.result, step.code),
        (Outcome::Failed, Some("address_invalid"))
    );
    assert_eq!(report.steps.len(), 14);
    assert!(
        report.steps[1..]
            .iter()
            .all(|step| step.result == Outcome::Skipped)
    );
}

#[tokio::test]
async fn servers_that_provider_data_name_are_walked_although_they_are_down() {
    let testbed = Testbed::load().unwrap();
    let (discovery, catalogue) = finding(&testbed, free_port().unwrap());
    let clock = Arc::new(SystemClock);
    let found = look_for(
        &discovery,
        &catalogue,
        clock,
        "ann@house.example",
        Given::default(),
    )
    .await;
    let (step, subject) = found.unwrap();
    assert_eq!(step.result, Outcome::Warning, "{step:?}");
    let report = examine(&testbed, &subject).await;
    fails_at(&report, StepName::Tcp, "refused");
}
