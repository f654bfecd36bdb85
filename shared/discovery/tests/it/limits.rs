//! How much a discovery costs, whatever others do: time, memory, memory of answers.

use std::time::Duration;

use postroom_discovery::{DiscoverySettings, Source};
use tokio::time::Instant;

use crate::world::{Offer, Page, World, usual_config};

#[tokio::test]
async fn nobody_can_make_it_longer_than_its_time_limit() {
    let world = World::new().await;
    let silent = Offer {
        silent: true,
        ..Offer::default()
    };
    world
        .mail_server(
            &[
                "imap.house.test",
                "mail.house.test",
                "smtp.house.test",
                "in.hoster.test",
            ],
            silent,
        )
        .await;
    world.mail_server(&["imap.gmx.net", "mail.gmx.net"], silent).await;
    world.autoconfig("house.test", "");
    world.dns.address("house.test", world.web.address());
    world.dns.silence("_tcp.house.test");
    let drip = Page::xml(&usual_config("in.hoster.test")).dripping(Duration::from_millis(200));
    world
        .web
        .page("autoconfig.house.test", "/mail/config-v1.1.xml", drip);
    world.web.page(
        "ispdb.test",
        "/v1.1/house.test",
        Page::status(200).after(Duration::from_secs(60)),
    );
    for address in ["ada@house.test", "ada@gmx.net"] {
        let begun = Instant::now();
        let error = world.discover_quickly(address).await.unwrap_err();
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(3300), "{address}: {took:?}");
        assert!(
            error.is_temporary() && error.to_string().contains("try again in a minute"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_silent_better_source_does_not_hide_what_others_found() {
    let world = World::new().await;
    world.mail_server(&["mail.house.test"], Offer::default()).await;
    world.web.page(
        "ispdb.test",
        "/v1.1/house.test",
        Page::status(200).after(Duration::from_secs(60)),
    );
    let found = world.discover_quickly("ada@house.test").await.unwrap();
    assert_eq!(found.source, Source::Guess);
    assert_eq!(found.notes[0].source, Source::Ispdb);
    assert_eq!(found.notes[0].outcome, "no answer in time");
}

#[tokio::test]
async fn a_file_without_end_is_cut_off() {
    let world = World::new().await;
    world.autoconfig("house.test", &"<a>".repeat(100_000));
    let error = world.discover("ada@house.test").await.unwrap_err();
    let said = &error.tried()[1];
    assert!(said.outcome.contains("longer than any such file"), "{said:?}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn faults_of_servers_are_told_from_absence() {
    let world = World::new().await;
    for (status, temporary) in [
        (404, false),
        (410, false),
        (403, false),
        (500, true),
        (503, true),
        (429, true),
    ] {
        world
            .web
            .page("ispdb.test", "/v1.1/house.test", Page::status(status));
        let error = world.discover("ada@house.test").await.unwrap_err();
        assert_eq!(error.is_temporary(), temporary, "{status}");
    }
}

#[tokio::test]
async fn answers_are_remembered_and_forgotten() {
    let world = World::new().await;
    world.autoconfig("house.test", &usual_config("mx.house.test"));
    let discovery = world.discovery();
    let asked = || world.web.asked().len();
    discovery.discover("ada@house.test").await.unwrap_err();
    let before = asked();
    discovery.discover("ada@house.test").await.unwrap_err();
    assert_eq!(asked(), before, "remembered");

    let server = world.mail_server(&["mx.house.test"], Offer::default()).await;
    world.clock.advance(Duration::from_secs(61));
    let found = discovery.discover(" ada@house.test ").await.unwrap();
    let (before, connections) = (asked(), server.connections());
    world.clock.advance(Duration::from_secs(3599));
    assert_eq!(discovery.discover("ada@house.test").await.unwrap(), found);
    assert_eq!(
        (asked(), server.connections()),
        (before, connections),
        "remembered"
    );
    world.clock.advance(Duration::from_secs(2));
    discovery.discover("ada@house.test").await.unwrap();
    assert!(asked() > before, "asked again");
}

#[tokio::test]
async fn what_may_change_by_itself_is_not_remembered() {
    let world = World::new().await;
    world.mail_server(&["mx.house.test"], Offer::default()).await;
    world
        .web
        .page("ispdb.test", "/v1.1/house.test", Page::status(503));
    let discovery = world.discovery();
    assert!(
        discovery
            .discover("ada@house.test")
            .await
            .unwrap_err()
            .is_temporary()
    );
    world.web.page(
        "ispdb.test",
        "/v1.1/house.test",
        Page::xml(&usual_config("mx.house.test")),
    );
    assert_eq!(
        discovery.discover("ada@house.test").await.unwrap().source,
        Source::Ispdb
    );
}

#[tokio::test]
async fn only_so_many_look_at_the_same_time() {
    let world = World::new().await;
    let silent = Offer {
        silent: true,
        ..Offer::default()
    };
    world.mail_server(&["mx.house.test"], silent).await;
    // Slow to be named, and slow to answer: more than the half of the time limit for which others wait.
    let slow = Page::xml(&usual_config("mx.house.test")).after(Duration::from_millis(900));
    world.web.page("ispdb.test", "/v1.1/house.test", slow);
    let settings = DiscoverySettings {
        at_once: 1,
        time_limit: Duration::from_secs(2),
        ..world.settings()
    };
    let discovery = world.discovery_with(&settings, None, &[world.network()]);
    let (first, second) = tokio::join!(
        discovery.discover("a@house.test"),
        discovery.discover("b@house.test")
    );
    assert_eq!(first.unwrap_err().code(), "servers_not_found");
    let busy = second.unwrap_err();
    assert_eq!(busy.code(), "discovery_busy");
    assert!(
        busy.is_temporary() && busy.to_string().contains("Try again in a minute"),
        "{busy}"
    );
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_the_start() {
    let world = World::new().await;
    let connector = || postroom_mail::net::Connector::new(Default::default()).unwrap();
    let catalogue = || std::sync::Arc::new(postroom_providers::ProviderCatalogue::load(None).unwrap());
    let clock = || std::sync::Arc::new(world.clock.clone());
    let new = |settings: DiscoverySettings| {
        postroom_discovery::Discovery::new(&settings, connector(), catalogue(), clock())
            .unwrap_err()
            .to_string()
    };
    for url in [
        "http://ispdb.test/",
        "https://user@ispdb.test/",
        "file:///etc/passwd",
    ] {
        let error = new(DiscoverySettings {
            ispdb: Some(url.parse().unwrap()),
            ..world.settings()
        });
        assert!(error.contains("must begin with https://"), "{error}");
    }
    let error = new(DiscoverySettings {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..world.settings()
    });
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}
