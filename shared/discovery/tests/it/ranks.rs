//! Several sources at once: whose answer counts.

use std::time::Duration;

use postroom_discovery::{DiscoverySettings, Source};
use tokio::time::Instant;

use crate::world::{Offer, Page, World, config, server, usual_config};

/// A world in which every source names a server of its own, and all of them are there but those in `missing`.
async fn every_source(missing: &[Source]) -> World {
    let world = World::new().await;
    world.web.page(
        "ispdb.test",
        "/v1.1/house.test",
        Page::xml(&usual_config("ispdb.hoster.test")),
    );
    world.autoconfig("house.test", &usual_config("autoconfig.hoster.test"));
    for (service, port) in [("_imaps._tcp", 993), ("_submissions._tcp", 465)] {
        world
            .dns
            .srv(service, "house.test", (0, 0, port), "srv.hoster.test");
    }
    world.dns.mx("house.test", 10, "mx.database.test");
    world.web.page(
        "ispdb.test",
        "/v1.1/database.test",
        Page::xml(&usual_config("mx.hoster.test")),
    );
    for (source, host) in [
        (Source::Ispdb, "ispdb.hoster.test"),
        (Source::Autoconfig, "autoconfig.hoster.test"),
        (Source::Srv, "srv.hoster.test"),
        (Source::Mx, "mx.hoster.test"),
        (Source::Guess, "mail.house.test"),
    ] {
        if !missing.contains(&source) {
            world.mail_server(&[host], Offer::default()).await;
        }
    }
    world
}

#[tokio::test]
async fn the_best_source_whose_servers_are_there_wins() {
    let ranks = [
        Source::Ispdb,
        Source::Autoconfig,
        Source::Srv,
        Source::Mx,
        Source::Guess,
    ];
    for (rank, source) in ranks.into_iter().enumerate() {
        let world = every_source(&ranks[..rank]).await;
        let found = world.discover("ada@house.test").await.unwrap();
        assert_eq!(found.source, source);
        let told: Vec<_> = found.notes.iter().map(|attempt| attempt.source).collect();
        assert_eq!(told, ranks[..rank], "who was asked before");
    }
    let world = every_source(&ranks).await;
    let error = world.discover("ada@house.test").await.unwrap_err();
    assert_eq!(error.tried().len(), 5);
    assert!(
        error
            .to_string()
            .contains("No mail server was found for house.test"),
        "{error}"
    );
}

#[tokio::test]
async fn a_slow_answer_of_higher_rank_is_waited_for() {
    let world = every_source(&[]).await;
    let slow = Page::xml(&usual_config("ispdb.hoster.test")).after(Duration::from_millis(700));
    world.web.page("ispdb.test", "/v1.1/house.test", slow);
    let begun = Instant::now();
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(found.source, Source::Ispdb);
    assert!(begun.elapsed() >= Duration::from_millis(700));
}

#[tokio::test]
async fn a_fast_answer_of_the_highest_rank_waits_for_nobody() {
    let world = every_source(&[]).await;
    let slow = Page::xml(&usual_config("autoconfig.hoster.test")).after(Duration::from_secs(30));
    world
        .web
        .page("autoconfig.house.test", "/mail/config-v1.1.xml", slow);
    world.dns.silence("_tcp.house.test");
    let begun = Instant::now();
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(found.source, Source::Ispdb);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_one_source_lacks_another_adds() {
    let world = World::new().await;
    world.mail_server(&["in.hoster.test"], Offer::on(&[993])).await;
    world.mail_server(&["smtp.house.test"], Offer::on(&[465])).await;
    let only_imap = config(&server("imap", "in.hoster.test", 993, "SSL"), "");
    world.autoconfig("house.test", &only_imap);
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(
        (found.source, found.imap.host.as_str()),
        (Source::Autoconfig, "in.hoster.test")
    );
    assert_eq!(found.smtp.unwrap().host.as_str(), "smtp.house.test");
}

#[tokio::test]
async fn a_mailbox_that_can_only_receive_is_found_all_the_same() {
    let world = World::new().await;
    world.mail_server(&["imap.house.test"], Offer::on(&[993])).await;
    let found = world.discover("ada@house.test").await.unwrap();
    assert_eq!(found.smtp, None);
    assert_eq!(serde_json::json!(found)["smtp"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_server_that_several_sources_name_is_asked_once() {
    let world = World::with_ispdb().await;
    let server = world.mail_server(&["mail.house.test"], Offer::default()).await;
    world.web.page(
        "ispdb.test",
        "/v1.1/house.test",
        Page::xml(&usual_config("mail.house.test")),
    );
    world.autoconfig("house.test", &usual_config("mail.house.test"));
    world
        .dns
        .srv("_imaps._tcp", "house.test", (0, 0, 993), "mail.house.test");
    world.discover("ada@house.test").await.unwrap();
    // Four ports, guessed too: each once.
    assert!(server.connections() <= 4, "{}", server.connections());
}

#[tokio::test]
async fn without_the_ispdb_nobody_is_told_and_the_others_still_answer() {
    let world = every_source(&[Source::Autoconfig, Source::Srv]).await;
    let settings = DiscoverySettings {
        ispdb: None,
        ..world.settings()
    };
    let discovery = world.discovery_with(&settings, None, &[world.network()]);
    let found = discovery.discover("ada@house.test").await.unwrap();
    assert_eq!(found.source, Source::Guess, "the MX is known to the ISPDB alone");
    assert!(world.web.asked().iter().all(|url| !url.starts_with("ispdb.test")));
}
