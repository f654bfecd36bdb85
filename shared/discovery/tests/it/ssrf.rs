//! Discovery as a way into the network that it runs in: every form of naming a place inside, by every door through
//! which a host name comes. The canary listens inside; nobody may ever knock.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use postroom_discovery::{DiscoveryError, MailAddress, Source};
use tokio::net::TcpListener;

use crate::world::{Page, World, config, ip, server};

/// Listens at places inside, all on one port. A world may reach only its own network, where none of them is.
struct Canary {
    port: u16,
    knocks: Arc<AtomicUsize>,
}

impl Canary {
    async fn new() -> Self {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = first.local_addr().unwrap().port();
        let mut listeners = vec![first];
        for more in [ip("127.1.2.3"), ip("::1")] {
            listeners.extend(TcpListener::bind((more, port)).await);
        }
        let knocks = Arc::new(AtomicUsize::new(0));
        for listener in listeners {
            let counted = Arc::clone(&knocks);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let canary = Self { port, knocks };
        // It is there: a knock would be heard.
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        while canary.knocks.swap(0, Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        canary
    }

    fn assert_silent(&self, what: &str) {
        assert_eq!(self.knocks.load(Ordering::SeqCst), 0, "{what} got inside");
    }
}

/// Hosts that are, or lead to, a place inside, as a person or a stranger's server would write them.
const FORMS: [&str; 62] = [
    // IPv4 as it is, and every way to write it that some library reads
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "127.1",
    "127.0.1",
    "0",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.0.0.0x1",
    "127.000.000.001",
    "127.0.0.1.",
    "3232235521",
    "0xa9fea9fe",
    // full-width digits and dots, as IDNA folds them
    "１２７．０．０．１",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "ｌｏｃａｌｈｏｓｔ",
    // IPv6 and what it carries
    "::1",
    "[::1]",
    "::",
    "::ffff:127.0.0.1",
    "[::ffff:7f00:1]",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "0:0:0:0:0:0:0:1",
    // names that lead inside
    "localhost",
    "LocalHost.",
    "inside.localhost",
    "localhost.localdomain",
    "127.0.0.1.nip.test",
    "metadata.inside.test",
    "six.inside.test",
    "mixed.inside.test",
    // what else goes into a host field
    "user@127.0.0.1",
    "127.0.0.1:993",
];

/// The names among the forms, as a hostile name server would have them.
fn lead_inside(world: &World) {
    for name in [
        "localhost",
        "inside.localhost",
        "localhost.localdomain",
        "127.0.0.1.nip.test",
    ] {
        world.dns.address(name, Ipv4Addr::LOCALHOST);
    }
    world.dns.address("metadata.inside.test", ip("169.254.169.254"));
    world.dns.address("six.inside.test", ip("::ffff:127.0.0.1"));
    world.dns.address("six.inside.test", ip("64:ff9b::7f00:1"));
    world.dns.address("mixed.inside.test", ip("10.0.0.1"));
    world.dns.address("mixed.inside.test", ip("::1"));
}

fn said(error: &DiscoveryError, source: Source) -> String {
    let attempt = error.tried().iter().find(|attempt| attempt.source == source);
    attempt.map_or_else(String::new, |attempt| attempt.outcome.clone())
}

/// The words of a refusal, and not of a failure that came by chance.
fn is_refusal(said: &str) -> bool {
    [
        "may not connect to",
        "not well formed",
        "names no host",
        "holds a user name",
        "names another port",
        "redirects to no URL",
    ]
    .iter()
    .any(|words| said.contains(words))
}

#[tokio::test]
async fn sixty_two_host_forms_in_a_configuration_file_are_refused() {
    let (world, canary) = (World::new().await, Canary::new().await);
    lead_inside(&world);
    for form in FORMS {
        let servers = |kind| {
            ["SSL", "STARTTLS"]
                .map(|socket| server(kind, form, canary.port, socket))
                .concat()
        };
        world.autoconfig("house.test", &config(&servers("imap"), &servers("smtp")));
        let error = world.discover("ada@house.test").await.unwrap_err();
        let said = said(&error, Source::Autoconfig);
        assert!(is_refusal(&said), "{form}: {said}");
        canary.assert_silent(form);
    }
}

#[tokio::test]
async fn sixty_two_host_forms_as_the_target_of_a_redirect_are_refused() {
    let (world, canary) = (World::new().await, Canary::new().await);
    lead_inside(&world);
    // The ISPDB is on the canary's port, so that a redirect there is not refused for its port alone.
    world.web.listen(canary.port).await;
    let mut settings = world.settings();
    settings.ispdb = Some(
        format!("https://ispdb.test:{}/v1.1/", canary.port)
            .parse()
            .unwrap(),
    );
    let discovery = world.discovery_with(&settings, None, &[world.network()]);
    for (number, form) in FORMS.into_iter().enumerate() {
        let bare = form.parse::<Ipv6Addr>().is_ok();
        let host = if bare {
            format!("[{form}]")
        } else {
            form.to_owned()
        };
        let target = format!("https://{host}:{}/x", canary.port);
        let domain = format!("house{number}.test");
        world
            .web
            .page("ispdb.test", &format!("/v1.1/{domain}"), Page::redirect(&target));
        let error = discovery.discover(&format!("ada@{domain}")).await.unwrap_err();
        let said = said(&error, Source::Ispdb);
        assert!(is_refusal(&said), "{form}: {said}");
        canary.assert_silent(form);
    }
}

#[tokio::test]
async fn sixty_two_host_forms_as_the_domain_of_an_address_are_refused() {
    let (world, canary) = (World::new().await, Canary::new().await);
    lead_inside(&world);
    let discovery = world.discovery();
    for form in FORMS {
        // All but names are no domain at all; names lead only where discovery does not go.
        let address = format!("ada@{form}");
        let error = discovery.discover(&address).await.unwrap_err();
        match MailAddress::parse(&address) {
            Err(invalid) => assert_eq!(error, DiscoveryError::Address(invalid)),
            Ok(_) => assert_eq!(error.code(), "servers_not_found", "{form}"),
        }
        canary.assert_silent(form);
    }
}

#[tokio::test]
async fn srv_and_mx_records_that_lead_inside_are_refused() {
    let (world, canary) = (World::new().await, Canary::new().await);
    lead_inside(&world);
    for (number, target) in [
        "localhost",
        "metadata.inside.test",
        "127.0.0.1.nip.test",
        "six.inside.test",
        "127.0.0.1",
    ]
    .into_iter()
    .enumerate()
    {
        let domain = format!("house{number}.test");
        for service in [
            "_imaps._tcp",
            "_imap._tcp",
            "_submissions._tcp",
            "_submission._tcp",
        ] {
            world.dns.srv(service, &domain, (0, 0, canary.port), target);
        }
        world.dns.mx(&domain, 10, target);
        let error = world.discover(&format!("ada@{domain}")).await.unwrap_err();
        assert!(
            said(&error, Source::Srv).contains("may not connect to"),
            "{target}: {error:?}"
        );
        canary.assert_silent(target);
    }
}

#[tokio::test]
async fn ports_that_no_mail_server_has_are_not_knocked_at() {
    let world = World::new().await;
    let at = world.free_address();
    world.dns.address("mx.house.test", at);
    for port in [1, 22, 25, 53, 80, 110, 389, 443, 445, 1023] {
        let there = TcpListener::bind((at, port)).await.unwrap();
        world.dns.srv(
            "_imaps._tcp",
            &format!("p{port}.test"),
            (0, 0, port),
            "mx.house.test",
        );
        world.autoconfig(
            &format!("p{port}.test"),
            &config(&server("imap", "mx.house.test", port, "SSL"), ""),
        );
        let error = world.discover(&format!("ada@p{port}.test")).await.unwrap_err();
        for source in [Source::Autoconfig, Source::Srv] {
            assert!(
                said(&error, source).contains("a port that no mail server has"),
                "{port}: {error:?}"
            );
        }
        let nobody = tokio::time::timeout(std::time::Duration::from_millis(5), there.accept()).await;
        assert!(nobody.is_err(), "{port}");
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (world, canary) = (World::new().await, Canary::new().await);
    let (outside, inside): (IpAddr, IpAddr) = (world.free_address().into(), Ipv4Addr::LOCALHOST.into());
    // The mail server: the first answer is harmless (nothing listens there), all later ones lead inside.
    world.dns.addresses_in_turn("rebind.test", &[outside, inside]);
    world.autoconfig(
        "house.test",
        &config(&server("imap", "rebind.test", canary.port, "SSL"), ""),
    );
    for _ in 0..3 {
        world.discover("ada@house.test").await.unwrap_err();
        canary.assert_silent("the second answer of the name server");
    }

    // The web server: its name is good for the first file, and leads inside when the redirect goes there again.
    world.web.listen(canary.port).await;
    let mut settings = world.settings();
    settings.ispdb = Some(
        format!("https://turning.test:{}/v1.1/", canary.port)
            .parse()
            .unwrap(),
    );
    world
        .dns
        .addresses_in_turn("turning.test", &[world.web.address().into(), inside]);
    let again = format!("https://turning.test:{}/again", canary.port);
    world
        .web
        .page("turning.test", "/v1.1/other.test", Page::redirect(&again));
    let discovery = world.discovery_with(&settings, None, &[world.network()]);
    discovery.discover("ada@other.test").await.unwrap_err();
    let error = discovery.discover("bob@other.test").await.unwrap_err();
    canary.assert_silent("the web server's second address");
    drop(error);
}

#[tokio::test]
async fn what_the_operator_opens_is_reached_and_nothing_beside_it() {
    let (world, canary) = (World::new().await, Canary::new().await);
    world.autoconfig(
        "house.test",
        &config(&server("imap", "127.0.0.1", canary.port, "SSL"), ""),
    );
    let opened = [world.network(), "127.0.0.1/32".parse().unwrap()];
    let discovery = world.discovery_with(&world.settings(), None, &opened);
    discovery.discover("ada@house.test").await.unwrap_err();
    assert!(
        canary.knocks.load(Ordering::SeqCst) > 0,
        "the canary can be reached where that is allowed"
    );
}
