//! What the tests share: a connector that may reach the testbed, sessions on it, and messages.

use postroom_mail::imap::{FetchSettings, FetchedMessage, FolderName, ImapSession, UidSet};
use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, Endpoint, HostName, NetTimeOuts};
use postroom_mail::sasl::SignIn;
use postroom_test_support::{TestUser, Testbed};

pub(crate) fn connector(testbed: &Testbed) -> Connector {
    Connector::new(ConnectorSettings {
        extra_ca_file: Some(testbed.ca_file.clone()),
        addresses: AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]),
        time_outs: NetTimeOuts::default(),
    })
    .unwrap()
}

pub(crate) fn implicit(testbed: &Testbed) -> Endpoint {
    Endpoint::implicit(
        HostName::parse(&testbed.imap.host).unwrap(),
        testbed.imap.tls_port,
    )
}

pub(crate) fn start_tls(testbed: &Testbed) -> Endpoint {
    Endpoint::start_tls(
        HostName::parse(&testbed.imap.host).unwrap(),
        testbed.imap.starttls_port,
    )
}

pub(crate) fn password(user: &TestUser) -> SignIn {
    SignIn::Password {
        login: user.address.clone(),
        secret: user.password.as_str().into(),
    }
}

pub(crate) async fn session(testbed: &Testbed, user: &TestUser) -> ImapSession {
    ImapSession::connect(&connector(testbed), &implicit(testbed), &password(user))
        .await
        .unwrap()
}

pub(crate) fn folder(name: &str) -> FolderName {
    FolderName::from_decoded(name).unwrap()
}

/// A message of about `size` bytes that no other has.
pub(crate) fn message(number: usize, size: usize) -> Vec<u8> {
    let mut raw = format!(
        "From: a@example.test\r\nTo: b@example.test\r\nSubject: {number}\r\nMessage-ID: <m{number}@example.test>\r\n\r\n"
    )
    .into_bytes();
    while raw.len() < size {
        raw.extend_from_slice(format!("line {} of {number} (((( {{500}}\r\n", raw.len()).as_bytes());
    }
    raw
}

pub(crate) async fn fetch_all(
    session: &mut ImapSession,
    batches: Vec<UidSet>,
    settings: FetchSettings,
) -> Vec<FetchedMessage> {
    let mut fetch = session.fetch_messages(batches, settings);
    let mut messages = Vec::new();
    while let Some(message) = fetch.next().await.unwrap() {
        messages.push(message);
    }
    messages
}
