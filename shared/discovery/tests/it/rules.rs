//! Each source by itself, as it is meant to work.

use postroom_discovery::{Source, Username};
use postroom_events::AuthenticationMethod::{AppPassword, OAuth2, Password};
use postroom_mail::net::TlsMode;
use serde_json::json;

use crate::world::{Offer, Page, World, config, server, usual_config};

#[tokio::test]
async fn provider_data_answer_for_their_domains_and_ask_nobody() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.gmail.com", "smtp.gmail.com"], Offer::with_oauth())
        .await;
    let found = world.discover("ada@gmail.com").await.unwrap();
    assert_eq!(
        json!(found),
        json!({
            "address": "ada@gmail.com",
            "provider": "google",
            "imap": {"host": "imap.gmail.com", "port": 993, "socket": "tls", "auth": ["oauth2", "app_password"],
                "username": "address"},
            "smtp": {"host": "smtp.gmail.com", "port": 465, "socket": "tls", "auth": ["oauth2", "app_password"],
                "username": "address"},
            "source": "provider_data",
            "app_password_help": "https://support.google.com/accounts/answer/185833",
        })
    );
    assert_eq!(world.web.asked(), Vec::<String>::new(), "nobody hears of it");
    let asked = world.dns.asked();
    assert!(
        asked.iter().all(|(name, _)| name.ends_with(".gmail.com")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn the_ispdb_answers_for_domains_that_provider_data_do_not_know() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.comcast.net", "smtp.comcast.net"], Offer::with_oauth())
        .await;
    let found = world.discover("ada@comcast.net").await.unwrap();
    assert_eq!(found.source, Source::Ispdb);
    assert_eq!(
        (found.imap.host.as_str(), found.imap.port),
        ("imap.comcast.net", 993)
    );
    assert_eq!(found.imap.auth, [OAuth2, Password]);
    let smtp = found.smtp.unwrap();
    assert_eq!(
        (smtp.host.as_str(), smtp.port, smtp.socket),
        ("smtp.comcast.net", 465, TlsMode::Implicit)
    );
    assert_eq!(found.provider, "custom");
    let ispdb: Vec<_> = world
        .web
        .asked()
        .into_iter()
        .filter(|url| url.starts_with("ispdb.test"))
        .collect();
    assert_eq!(
        ispdb,
        ["ispdb.test/v1.1/comcast.net"],
        "it learns the domain, not the address"
    );
}

#[tokio::test]
async fn servers_of_a_known_provider_bring_what_is_known_of_it() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.gmail.com", "smtp.gmail.com"], Offer::with_oauth())
        .await;
    let found = world.discover("ada@jazztel.es").await.unwrap();
    assert_eq!(
        (found.source, found.provider.as_str()),
        (Source::Ispdb, "google-workspace")
    );
    assert_eq!(
        found.imap.auth,
        [OAuth2, AppPassword],
        "not what the file says, but what is known of Google"
    );
    assert!(found.app_password_help.is_some());
}

#[tokio::test]
async fn a_domain_publishes_its_own_configuration_in_two_places() {
    let world = World::new().await;
    world.mail_server(&["mx1.house.test"], Offer::default()).await;
    world.mail_server(&["mx2.house.test"], Offer::default()).await;
    world.dns.address("house.test", world.web.address());
    let path = "/.well-known/autoconfig/mail/config-v1.1.xml";
    world
        .web
        .page("house.test", path, Page::xml(&usual_config("mx2.house.test")));
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(
        (found.source, found.imap.host.as_str()),
        (Source::Autoconfig, "mx2.house.test")
    );

    world.autoconfig("house.test", &usual_config("mx1.house.test"));
    let found = world.discover("ada+x@house.test").await.unwrap();
    assert_eq!(
        found.imap.host.as_str(),
        "mx1.house.test",
        "its own host goes first"
    );
    let asked = world.web.asked();
    let with_address =
        "autoconfig.house.test/mail/config-v1.1.xml?emailaddress=ada%2Bx%40house.test".to_owned();
    assert!(asked.contains(&with_address), "{asked:?}");
}

#[tokio::test]
async fn a_configuration_without_tls_on_the_way_is_not_asked_for() {
    let world = World::new().await;
    let (at, host) = (world.free_address(), "autoconfig.house.test");
    world.dns.address(host, at);
    let plain = tokio::net::TcpListener::bind((at, 80)).await.unwrap();
    world.discover("ada@house.test").await.unwrap_err();
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(50), plain.accept()).await;
    assert!(nobody.is_err(), "somebody asked over http");
}

#[tokio::test]
async fn srv_records_name_servers_tls_from_the_start_first() {
    let world = World::new().await;
    world
        .mail_server(&["first.house.test"], Offer::on(&[1993, 1465]))
        .await;
    world
        .mail_server(
            &["in.house.test", "out.house.test"],
            Offer {
                always_tls: &[4993, 4464],
                ..Offer::on(&[4993, 4464, 143, 587])
            },
        )
        .await;
    let dns = &world.dns;
    dns.srv("_imap._tcp", "house.test", (0, 1, 143), "in.house.test");
    dns.srv("_imaps._tcp", "house.test", (0, 1, 4993), "in.house.test");
    dns.srv("_submission._tcp", "house.test", (0, 1, 587), "out.house.test");
    dns.srv("_submissions._tcp", "house.test", (0, 1, 4464), "out.house.test");
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(found.source, Source::Srv);
    let smtp = found.smtp.unwrap();
    assert_eq!((found.imap.port, found.imap.socket), (4993, TlsMode::Implicit));
    assert_eq!((smtp.port, smtp.socket), (4464, TlsMode::Implicit));
    assert_eq!(found.imap.username, Username::Address);
}

#[tokio::test]
async fn srv_records_are_taken_by_priority_and_weight() {
    let world = World::new().await;
    for host in ["a.house.test", "b.house.test", "c.house.test", "out.house.test"] {
        world.mail_server(&[host], Offer::default()).await;
    }
    let dns = &world.dns;
    dns.srv("_imaps._tcp", "house.test", (10, 9, 993), "a.house.test");
    dns.srv("_imaps._tcp", "house.test", (5, 1, 993), "b.house.test");
    dns.srv("_imaps._tcp", "house.test", (5, 2, 993), "c.house.test");
    dns.srv("_submissions._tcp", "house.test", (0, 0, 465), "gone.house.test");
    dns.srv("_submissions._tcp", "house.test", (1, 0, 465), "out.house.test");
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(found.imap.host.as_str(), "c.house.test");
    assert_eq!(
        found.smtp.unwrap().host.as_str(),
        "out.house.test",
        "the next where the first is not there"
    );
}

#[tokio::test]
async fn the_srv_target_dot_says_not_offered() {
    let world = World::new().await;
    world
        .mail_server(&["mail.house.test", "imap.house.test"], Offer::default())
        .await;
    let dns = &world.dns;
    // STARTTLS is not offered; TLS from the start is.
    dns.srv("_imap._tcp", "house.test", (0, 0, 0), ".");
    dns.srv("_imaps._tcp", "house.test", (0, 1, 993), "mail.house.test");
    dns.srv("_submission._tcp", "house.test", (0, 1, 587), "mail.house.test");
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!((found.source, found.imap.port), (Source::Srv, 993));

    // No IMAP at all: then it is not guessed either, although imap.none.test is there.
    world.mail_server(&["imap.none.test"], Offer::default()).await;
    dns.srv("_imap._tcp", "none.test", (0, 0, 0), ".");
    dns.srv("_imaps._tcp", "none.test", (0, 0, 0), ".");
    let error = world.discover("ada@none.test").await.unwrap_err();
    let said = error
        .tried()
        .iter()
        .find(|attempt| attempt.source == Source::Srv)
        .unwrap();
    assert_eq!(said.outcome, "the domain says that it offers no IMAP");
}

#[tokio::test]
async fn mx_hosts_of_known_hosters_lead_to_their_servers() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.strato.de", "smtp.strato.de"], Offer::default())
        .await;
    world.dns.mx("house.test", 20, "backup.elsewhere.test");
    world.dns.mx("house.test", 5, "smtpin.rzone.de");
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!((found.source, found.provider.as_str()), (Source::Mx, "strato"));
    assert_eq!(found.imap.host.as_str(), "imap.strato.de");
    assert_eq!(found.imap.auth, [Password]);
}

#[tokio::test]
async fn mx_hosts_are_looked_for_in_the_ispdb_by_the_end_of_their_name() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.naver.com", "smtp.naver.com"], Offer::default())
        .await;
    world.dns.mx("house.test", 10, "mx3.mail.naver.com");
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(
        (found.source, found.imap.host.as_str()),
        (Source::Mx, "imap.naver.com")
    );
    assert_eq!(
        found.smtp.unwrap().auth,
        [Password],
        "password-encrypted in the file, PLAIN over TLS on the server"
    );
    let asked = world.web.asked();
    for end in ["mx3.mail.naver.com", "mail.naver.com", "naver.com"] {
        assert!(
            asked.contains(&format!("ispdb.test/v1.1/{end}")),
            "{end}: {asked:?}"
        );
    }
    assert!(!asked.contains(&"ispdb.test/v1.1/com".to_owned()));
}

#[tokio::test]
async fn usual_names_are_guessed_and_proved() {
    for (hosts, imap, smtp) in [
        (
            &["imap.house.test", "smtp.house.test"][..],
            "imap.house.test",
            "smtp.house.test",
        ),
        (&["mail.house.test"], "mail.house.test", "mail.house.test"),
        (&["house.test"], "house.test", "house.test"),
        (
            &["imap.house.test", "mail.house.test", "house.test"],
            "imap.house.test",
            "mail.house.test",
        ),
    ] {
        let world = World::new().await;
        world.mail_server(hosts, Offer::default()).await;
        let found = world.discover("ada@house.test").await.unwrap();
        assert_eq!(found.source, Source::Guess, "{hosts:?}");
        assert_eq!(found.imap.host.as_str(), imap);
        assert_eq!((found.imap.port, found.imap.socket), (993, TlsMode::Implicit));
        assert_eq!(found.smtp.unwrap().host.as_str(), smtp);
        assert_eq!(found.provider, "custom");
    }
    let world = World::new().await;
    world
        .mail_server(&["mail.house.test"], Offer::on(&[143, 587]))
        .await;
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!((found.imap.port, found.imap.socket), (143, TlsMode::StartTls));
    assert_eq!(found.smtp.unwrap().socket, TlsMode::StartTls);
}

#[tokio::test]
async fn user_names_come_in_their_forms() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.mail.me.com", "smtp.mail.me.com"], Offer::default())
        .await;
    let icloud = world.discover("ada@icloud.com").await.unwrap();
    assert_eq!(icloud.imap.username, Username::LocalPart);
    assert_eq!(icloud.smtp.unwrap().username, Username::Address);
    assert_eq!(icloud.imap.auth, [AppPassword]);

    world.mail_server(&["mail.house.test"], Offer::default()).await;
    let numbered = server("imap", "mail.house.test", 993, "SSL").replace("%EMAILADDRESS%", "web123p4");
    let odd = server("smtp", "mail.house.test", 465, "SSL").replace("%EMAILADDRESS%", "%REALNAME%");
    world.autoconfig("house.test", &config(&numbered, &odd));
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(json!(found.imap)["username"], "web123p4");
    assert_eq!(
        found.smtp.unwrap().username,
        Username::Any,
        "it has to be asked for"
    );
}

#[tokio::test]
async fn an_internationalised_domain_is_looked_for_by_its_ascii_form() {
    let world = World::new().await;
    world
        .mail_server(
            &["imap.xn--bcher-kva.test", "smtp.xn--bcher-kva.test"],
            Offer::default(),
        )
        .await;
    let found = world.discover("jörg@bücher.test").await.unwrap();
    assert_eq!(found.address, "jörg@bücher.test");
    assert_eq!(found.imap.host.as_str(), "imap.xn--bcher-kva.test");
}

#[tokio::test]
async fn adding_a_provider_is_adding_data() {
    let world = World::new().await;
    world
        .mail_server(&["in.provider.test", "out.provider.test"], Offer::with_oauth())
        .await;
    let file = r#"
        [[provider]]
        id = "our-provider"
        name = "Our provider"
        domains = ["provider.test"]
        mx = ["mx.provider.test"]
        imap = [{ host = "in.provider.test", port = 143, tls = "starttls" }]
        smtp = [{ host = "out.provider.test", port = 465, tls = "tls" }]
        sign_in = ["app_password", "password"]
        username = "local_part"
        smtp_username = "address"
        app_password_help = "https://help.provider.test/"
        sent_saved_by_server = "no"
    "#;
    let discovery = world.discovery_with(&world.settings(), Some(file), &[world.network()]);
    let expected = |address: &str, source: &str| {
        json!({
            "address": address,
            "provider": "our-provider",
            "imap": {"host": "in.provider.test", "port": 143, "socket": "starttls", "auth": ["app_password", "password"],
                "username": "localpart"},
            "smtp": {"host": "out.provider.test", "port": 465, "socket": "tls", "auth": ["app_password", "password"],
                "username": "address"},
            "source": source,
            "app_password_help": "https://help.provider.test/",
        })
    };
    let own = discovery.discover("ada@provider.test").await.unwrap();
    assert_eq!(json!(own), expected("ada@provider.test", "provider_data"));
    world.dns.mx("customer.test", 10, "mx.provider.test");
    let customer = discovery.discover("ada@customer.test").await.unwrap();
    assert_eq!(json!(customer), expected("ada@customer.test", "mx"));
    assert!(
        world.discover("ada@provider.test").await.is_err(),
        "without the file nobody knows it"
    );
}
