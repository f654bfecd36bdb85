//! Where a source misleads.

use postroom_discovery::{DiscoveryError, Source};
use postroom_events::AuthenticationMethod::{AppPassword, OAuth2, Password};
use postroom_mail::net::TlsMode;

use crate::world::{Offer, Page, World, config, ispdb_entries, server, usual_config};

fn said(error: &DiscoveryError, source: Source) -> &str {
    let attempt = error.tried().iter().find(|attempt| attempt.source == source);
    attempt.map_or("", |attempt| &attempt.outcome)
}

#[tokio::test]
async fn mail_com_is_not_gmx_although_its_mx_says_so() {
    let world = World::with_ispdb().await;
    let gmx = world
        .mail_server(
            &["imap.gmx.net", "mail.gmx.net", "imap.gmx.com", "mail.gmx.com"],
            Offer::default(),
        )
        .await;
    for domain in ["mail.com", "usa.com", "dr.com"] {
        world.dns.mx(domain, 10, "mx00.gmx.net");
    }
    // Its servers are down: that makes nobody's else of them.
    let error = world.discover("ada@mail.com").await.unwrap_err();
    assert_eq!(said(&error, Source::Mx), "", "{error:?}");
    assert_eq!(gmx.connections(), 0);
    world
        .mail_server(&["imap.mail.com", "smtp.mail.com"], Offer::default())
        .await;
    for address in ["ada@mail.com", "ada@usa.com", "ada@dr.com"] {
        let found = world.discover(address).await.unwrap();
        assert_eq!(
            (found.provider.as_str(), found.imap.host.as_str()),
            ("mailcom", "imap.mail.com")
        );
    }
    assert_eq!(gmx.connections(), 0);
}

#[tokio::test]
async fn an_mx_that_providers_share_proves_nothing() {
    let world = World::with_ispdb().await;
    let gmx = world
        .mail_server(&["imap.gmx.net", "mail.gmx.net"], Offer::default())
        .await;
    world.dns.mx("one-of-mail-coms-many.test", 10, "mx00.gmx.net");
    world.dns.mx("one-of-mail-coms-many.test", 10, "mx01.gmx.net");
    let error = world
        .discover("ada@one-of-mail-coms-many.test")
        .await
        .unwrap_err();
    assert!(
        said(&error, Source::Mx).contains("mx00.gmx.net, which several providers share"),
        "{error:?}"
    );
    assert_eq!(
        gmx.connections(),
        0,
        "although the ISPDB has an entry for gmx.net"
    );
    assert!(!world.web.asked().contains(&"ispdb.test/v1.1/gmx.net".to_owned()));
}

#[tokio::test]
async fn yahoos_and_aols_mx_hosts_are_told_apart() {
    let world = World::with_ispdb().await;
    world
        .mail_server(&["imap.aol.com", "smtp.aol.com"], Offer::with_oauth())
        .await;
    world
        .mail_server(
            &["imap.mail.yahoo.com", "smtp.mail.yahoo.com"],
            Offer::with_oauth(),
        )
        .await;
    world.dns.mx("one.test", 10, "mx-aol.mail.gm0.yahoodns.net");
    world.dns.mx("two.test", 10, "mta7.am0.yahoodns.net");
    assert_eq!(world.discover("ada@one.test").await.unwrap().provider, "aol");
    assert_eq!(world.discover("ada@two.test").await.unwrap().provider, "yahoo");
}

#[tokio::test]
async fn microsofts_servers_offer_a_password_that_they_refuse() {
    let world = World::with_ispdb().await;
    world
        .mail_server(
            &["outlook.office365.com", "smtp.office365.com"],
            Offer::with_oauth(),
        )
        .await;
    world
        .dns
        .mx("house.test", 0, "house-test.mail.protection.outlook.com");
    world.dns.mx("olc.test", 0, "olc-test.olc.protection.outlook.com");
    for (address, provider) in [
        ("ada@house.test", "microsoft"),
        ("ada@olc.test", "outlook"),
        ("ada@hotmail.co.uk", "outlook"),
    ] {
        let found = world.discover(address).await.unwrap();
        assert_eq!(found.provider, provider);
        assert_eq!(found.imap.auth, [OAuth2], "{address}");
        assert_eq!(found.smtp.unwrap().socket, TlsMode::StartTls);
    }
}

#[tokio::test]
async fn servers_without_encryption_are_never_offered() {
    let world = World::new().await;
    let server_there = world
        .mail_server(&["mx.house.test"], Offer::on(&[143, 587]))
        .await;
    let (imap, smtp) = (
        server("imap", "mx.house.test", 143, "plain"),
        server("smtp", "mx.house.test", 587, "plain"),
    );
    world.autoconfig("house.test", &config(&imap, &smtp));
    let error = world.discover("ada@house.test").await.unwrap_err();
    let reason = said(&error, Source::Autoconfig);
    assert!(
        reason.contains("names mx.house.test without encryption, which is never used"),
        "{reason}"
    );
    assert_eq!(server_there.connections(), 0);

    // Beside a safe one they are passed over, and it is said.
    let safe = server("imap", "mx.house.test", 143, "STARTTLS");
    world.autoconfig("other.test", &config(&format!("{imap}{safe}"), &smtp));
    let found = world.discover("ada@other.test").await.unwrap();
    assert_eq!(found.imap.socket, TlsMode::StartTls);
    assert!(
        found.notes[1].outcome.contains("without encryption"),
        "{:?}",
        found.notes
    );
}

#[tokio::test]
async fn a_server_that_no_longer_offers_starttls_is_not_offered() {
    let world = World::new().await;
    let offer = Offer {
        start_tls: false,
        ..Offer::on(&[143, 587])
    };
    world.mail_server(&["mail.house.test"], offer).await;
    let error = world.discover("ada@house.test").await.unwrap_err();
    assert!(
        said(&error, Source::Guess).contains("does not offer STARTTLS"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_no_proof() {
    let world = World::new().await;
    // A customer's name that leads to the hoster's machine, whose certificate is the hoster's.
    world.authority.misname("mail.house.test", "cluster7.hoster.test");
    world.mail_server(&["mail.house.test"], Offer::default()).await;
    let error = world.discover("ada@house.test").await.unwrap_err();
    let reason = said(&error, Source::Guess);
    assert!(
        reason.contains("is for cluster7.hoster.test, not for mail.house.test"),
        "{reason}"
    );
    // The same for the web server that names servers.
    world
        .authority
        .misname("autoconfig.house.test", "parking.hoster.test");
    world.autoconfig("house.test", &usual_config("mail.house.test"));
    let error = world.discover("ada@house.test").await.unwrap_err();
    let reason = said(&error, Source::Autoconfig);
    assert!(
        reason.contains("autoconfig.house.test could not be reached over https"),
        "{reason}"
    );
}

#[tokio::test]
async fn parked_domains_and_error_pages_are_no_configurations() {
    let world = World::new().await;
    for (content, words) in [
        (
            "<!DOCTYPE html><html><body>Buy this domain!</body></html>",
            "document type",
        ),
        (
            "<html><body>Buy this domain!</body></html>",
            "no mail configuration",
        ),
        ("{\"error\": \"not found\"}", "no mail configuration"),
        ("", "no mail configuration"),
        (
            "<clientConfig version=\"1.1\"><emailProvider/></clientConfig>",
            "names no IMAP or SMTP server",
        ),
    ] {
        world.autoconfig("house.test", content);
        let error = world.discover("ada@house.test").await.unwrap_err();
        let reason = said(&error, Source::Autoconfig);
        assert!(reason.contains(words), "{content}: {reason}");
    }
}

#[tokio::test]
async fn entries_of_the_ispdb_that_are_not_well_formed_do_no_harm() {
    let world = World::with_ispdb().await;
    world
        .mail_server(
            &["mailserver.purelymail.com", "imap.web.de", "smtp.web.de"],
            Offer::default(),
        )
        .await;
    // As it was published: <socketType>SSL/socketType>.
    world.dns.mx("house.test", 10, "mailserver.other.test");
    let purelymail = ispdb_entries()
        .into_iter()
        .find(|(name, _)| name == "purelymail.com")
        .unwrap()
        .1;
    world
        .web
        .page("ispdb.test", "/v1.1/house.test", Page::xml(&purelymail));
    let error = world.discover("ada@house.test").await.unwrap_err();
    assert_eq!(said(&error, Source::Ispdb), "its file is not well-formed XML");
    // As it was published: &amP; in a text that nobody needs.
    let webde = ispdb_entries()
        .into_iter()
        .find(|(name, _)| name == "web.de")
        .unwrap()
        .1;
    world
        .web
        .page("ispdb.test", "/v1.1/other.test", Page::xml(&webde));
    let found = world.discover("ada@other.test").await.unwrap();
    assert_eq!((found.source, found.provider.as_str()), (Source::Ispdb, "webde"));
}

#[tokio::test]
async fn providers_without_imap_say_so_and_do_not_lead_to_loopback() {
    let world = World::with_ispdb().await;
    for (address, provider) in [
        ("ada@proton.me", "Proton Mail"),
        ("ada@tuta.com", "Tuta"),
        ("ada@hey.com", "HEY"),
    ] {
        let error = world.discover(address).await.unwrap_err();
        assert_eq!(error.code(), "provider_unsupported");
        assert!(error.to_string().starts_with(provider), "{error}");
    }
    world.dns.mx("house.test", 10, "mail.protonmail.ch");
    let error = world.discover("ada@house.test").await.unwrap_err();
    assert!(
        matches!(error, DiscoveryError::Unsupported { ref provider, .. } if provider == "Proton Mail"),
        "{error:?}"
    );

    // The real ISPDB says 127.0.0.1 for Proton: that is the reader's own machine, not ours.
    let proton = ispdb_entries()
        .into_iter()
        .find(|(name, _)| name == "protonmail.com")
        .unwrap()
        .1;
    world
        .web
        .page("ispdb.test", "/v1.1/other.test", Page::xml(&proton));
    let error = world.discover("ada@other.test").await.unwrap_err();
    let reason = said(&error, Source::Ispdb);
    assert!(
        reason.contains("127.0.0.1, which this installation may not connect to"),
        "{reason}"
    );
}

#[tokio::test]
async fn an_operator_who_runs_the_bridge_says_so_by_data() {
    let world = World::new().await;
    world.mail_server(&["bridge.house.test"], Offer::default()).await;
    let file = r#"
        [[provider]]
        id = "proton-bridge"
        name = "Proton Mail by our Bridge"
        domains = ["proton.me"]
        imap = [{ host = "bridge.house.test", port = 993, tls = "tls" }]
        smtp = [{ host = "bridge.house.test", port = 465, tls = "tls" }]
        sign_in = ["app_password"]
        sent_saved_by_server = "yes"
    "#;
    let discovery = world.discovery_with(&world.settings(), Some(file), &[world.network()]);
    let found = discovery.discover("ada@proton.me").await.unwrap();
    assert_eq!(
        (found.provider.as_str(), &found.imap.auth[..]),
        ("proton-bridge", &[AppPassword][..])
    );
}

#[tokio::test]
async fn servers_that_want_ntlm_or_let_nobody_in_are_refused_with_that_sentence() {
    let world = World::new().await;
    let offer = Offer {
        imap: "AUTH=NTLM AUTH=GSSAPI",
        smtp: "NTLM GSSAPI",
        ..Offer::default()
    };
    world.mail_server(&["mail.house.test"], offer).await;
    let error = world.discover("ada@house.test").await.unwrap_err();
    let reason = said(&error, Source::Guess);
    assert!(
        reason.contains("mail.house.test:993 offers only GSSAPI, NTLM to sign in"),
        "{reason}"
    );

    let offer = Offer {
        imap: "LOGINDISABLED",
        smtp: "",
        ..Offer::default()
    };
    world.mail_server(&["mail.other.test"], offer).await;
    let error = world.discover("ada@other.test").await.unwrap_err();
    assert!(
        said(&error, Source::Guess).contains("mail.other.test:993 lets nobody sign in"),
        "{error:?}"
    );

    let offer = Offer {
        imap: "",
        ..Offer::default()
    };
    world.mail_server(&["mail.old.test"], offer).await;
    let found = world.discover("ada@old.test").await.unwrap();
    assert_eq!(
        found.imap.auth,
        [Password],
        "the LOGIN command is always there (RFC 3501)"
    );
}

#[tokio::test]
async fn tls_from_the_first_byte_on_a_port_for_starttls() {
    let world = World::with_ispdb().await;
    let offer = Offer {
        always_tls: &[587],
        ..Offer::on(&[993, 587])
    };
    world.mail_server(&["mobile.charter.net"], offer).await;
    let found = world.discover("ada@charter.net").await.unwrap();
    let smtp = found.smtp.unwrap();
    assert_eq!((smtp.port, smtp.socket), (587, TlsMode::Implicit));
}

#[tokio::test]
async fn a_domain_that_takes_no_mail_says_so_itself() {
    let world = World::new().await;
    world.dns.exists("house.test");
    let error = world.discover("ada@house.test").await.unwrap_err();
    assert_eq!(
        said(&error, Source::Mx),
        "the domain has none, so it takes no mail"
    );
    world.dns.mx("null.test", 0, ".");
    let error = world.discover("ada@null.test").await.unwrap_err();
    assert_eq!(
        said(&error, Source::Mx),
        "the domain has none, so it takes no mail",
        "RFC 7505"
    );
    let error = world.discover("ada@nowhere.test").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("The domain does not exist: check the address"),
        "{error}"
    );
}

#[tokio::test]
async fn redirects_are_followed_a_little_way() {
    let world = World::new().await;
    world.mail_server(&["mx.house.test"], Offer::default()).await;
    world.autoconfig("house.test", "");
    world.dns.address("www.house.test", world.web.address());
    let (host, path) = ("autoconfig.house.test", "/mail/config-v1.1.xml");
    world
        .web
        .page(host, path, Page::redirect("https://www.house.test/one"));
    world.web.page("www.house.test", "/one", Page::redirect("/two"));
    world.web.page("www.house.test", "/two", Page::redirect("three"));
    world.web.page(
        "www.house.test",
        "/three",
        Page::xml(&usual_config("mx.house.test")),
    );
    assert_eq!(
        world.discover("ada@house.test").await.unwrap().source,
        Source::Autoconfig
    );

    world
        .web
        .page("www.house.test", "/three", Page::redirect("/four"));
    world.web.page(
        "www.house.test",
        "/four",
        Page::xml(&usual_config("mx.house.test")),
    );
    let error = world.discover("ada@house.test").await.unwrap_err();
    assert!(
        said(&error, Source::Autoconfig).contains("redirects again and again"),
        "{error:?}"
    );
    for (target, words) in [
        ("http://www.house.test/two", "is not https"),
        ("ftp://www.house.test/two", "is not https"),
        ("https://user:secret@www.house.test/two", "holds a user name"),
        ("https://www.house.test:8443/two", "names another port"),
        ("https://", "redirects to no URL"),
    ] {
        world.web.page(host, path, Page::redirect(target));
        let error = world.discover("ada@house.test").await.unwrap_err();
        let reason = said(&error, Source::Autoconfig);
        assert!(reason.contains(words), "{target}: {reason}");
        assert!(!reason.contains("secret"));
    }
}
