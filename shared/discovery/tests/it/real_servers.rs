//! Proof against the testbed's Dovecot and Postfix.

use std::net::Ipv4Addr;

use postroom_discovery::{DiscoveryError, Source};
use postroom_events::AuthenticationMethod::{OAuth2, Password};
use postroom_mail::net::TlsMode;
use postroom_test_support::Testbed;
use tokio::net::{TcpListener, TcpStream};

use crate::world::{World, config, loopback, server};

/// A world that trusts the testbed's authority and may reach its addresses.
async fn world() -> (World, Testbed) {
    let (world, testbed) = (World::new().await, Testbed::load().unwrap());
    world.authority.trust_also(&testbed.ca_file);
    (world, testbed)
}

async fn discover(world: &World, address: &str) -> Result<postroom_discovery::Discovered, DiscoveryError> {
    let discovery = world.discovery_with(&world.settings(), None, &loopback());
    discovery.discover(address).await
}

/// Makes a server of the testbed appear where the internet would have it.
async fn forward(at: Ipv4Addr, port: u16, to: u16) {
    let listener = TcpListener::bind((at, port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
}

#[tokio::test]
async fn dovecot_and_postfix_are_found_by_guessing() {
    let (world, testbed) = world().await;
    let at = world.free_address();
    let name = format!("mail.{}", testbed.domain);
    world.dns.address(&name, at);
    forward(at, 993, testbed.imap.tls_port).await;
    forward(at, 587, testbed.submission.starttls_port).await;
    let found = discover(&world, &format!("ada@{}", testbed.domain))
        .await
        .unwrap();
    assert_eq!(
        (found.source, found.imap.host.as_str()),
        (Source::Guess, name.as_str())
    );
    assert_eq!((found.imap.port, found.imap.socket), (993, TlsMode::Implicit));
    assert_eq!(found.imap.auth, [OAuth2, Password], "Dovecot offers both");
    let smtp = found.smtp.unwrap();
    assert_eq!((smtp.port, smtp.socket), (587, TlsMode::StartTls));
    assert_eq!(
        smtp.auth,
        [OAuth2, Password],
        "Postfix says so after STARTTLS only"
    );
}

#[tokio::test]
async fn dovecot_and_postfix_are_found_by_srv_records_on_any_port() {
    let (world, testbed) = world().await;
    let name = format!("mail.{}", testbed.domain);
    world.dns.address(&name, Ipv4Addr::LOCALHOST);
    let dns = &world.dns;
    dns.srv(
        "_imap._tcp",
        "house.test",
        (0, 0, testbed.imap.starttls_port),
        &name,
    );
    dns.srv(
        "_submissions._tcp",
        "house.test",
        (0, 0, testbed.submission.tls_port),
        &name,
    );
    let found = discover(&world, "ada@house.test").await.unwrap();
    assert_eq!(
        (found.source, found.imap.socket),
        (Source::Srv, TlsMode::StartTls)
    );
    assert_eq!(found.imap.port, testbed.imap.starttls_port);
    assert_eq!(found.smtp.unwrap().port, testbed.submission.tls_port);
}

#[tokio::test]
async fn faulty_servers_are_told_with_their_fault() {
    let (world, testbed) = world().await;
    let faulty = &testbed.faulty_hosts;
    for (host, port, socket, words) in [
        (&faulty.expired, testbed.imap.tls_port, "SSL", "has expired"),
        (
            &faulty.foreign,
            testbed.imap.tls_port,
            "SSL",
            "was not issued by an authority that is trusted here",
        ),
        (
            &faulty.misnamed,
            testbed.imap.tls_port,
            "SSL",
            "not for 127.0.0.4",
        ),
        (
            &faulty.plain,
            testbed.imap.starttls_port,
            "STARTTLS",
            "does not offer encryption (STARTTLS)",
        ),
        (
            &testbed.imap.host,
            testbed.imap.starttls_port,
            "SSL",
            "does not speak TLS there",
        ),
        (
            &testbed.imap.host,
            testbed.submission.tls_port,
            "SSL",
            "is not an IMAP server",
        ),
    ] {
        world.dns.address("localhost", Ipv4Addr::LOCALHOST);
        world.autoconfig("house.test", &config(&server("imap", host, port, socket), ""));
        let error = discover(&world, "ada@house.test").await.unwrap_err();
        let said = error
            .tried()
            .iter()
            .find(|attempt| attempt.source == Source::Autoconfig)
            .unwrap();
        assert!(said.outcome.contains(words), "{host}:{port} {socket}: {said}");
    }
}
