//! What only a broker can do to us.

use std::{sync::Arc, time::Duration};

use lapin::{BasicProperties, options::*};
use postroom_bus::{
    Bus, BusError, Outgoing, PublishError, RabbitMqBus, RabbitMqConfig, Settle, SubscriptionOptions,
    conformance::{CONSUMER, PATIENCE, Rig, drain, event, numbers, publish, publish_at_last, take},
};
use postroom_events::{EXCHANGE, ReplayId};
use postroom_test_support::{TcpProxy, Testbed, eventually};

use crate::rig::{RabbitMqRig, fresh_vhost, private_broker};

const OPTIONS: SubscriptionOptions = SubscriptionOptions { prefetch: 50 };

#[tokio::test]
async fn an_event_that_finds_no_queue_is_an_error_and_the_queue_comes_back() {
    let rig = fresh_vhost().await;
    let bus = rig.open().await;
    let channel = rig.channel().await;
    channel
        .queue_delete(CONSUMER.queue().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let lost = Outgoing::to_consumer(event(1), CONSUMER, 2, ReplayId::FIRST_RUN);
    let routed = Outgoing::first(event(2)); // the other consumer's queue still takes it
    let outcomes = bus.publisher().publish(&[routed, lost.clone()]).await;
    assert_eq!(outcomes[0], Ok(()));
    assert_eq!(
        outcomes[1],
        Err(PublishError::Unroutable {
            routing_key: CONSUMER.queue().to_owned()
        })
    );
    assert_eq!(bus.publisher().publish(&[lost]).await, [Ok(())]);
    assert_eq!(numbers(&drain(&mut bus.subscribe(CONSUMER, OPTIONS)).await), [1]);
}

#[tokio::test]
async fn one_returned_event_among_many_is_told_from_the_others() {
    let rig = fresh_vhost().await;
    let bus = rig.open().await;
    let channel = rig.channel().await;
    channel
        .queue_delete(CONSUMER.queue().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let outgoing: Vec<_> = (0..700)
        .map(|n| match n % 100 {
            40 => Outgoing::to_consumer(event(n), CONSUMER, 2, ReplayId::FIRST_RUN),
            _ => Outgoing::first(event(n)),
        })
        .collect();
    let outcomes = bus.publisher().publish(&outgoing).await;
    let failed: Vec<_> = (0..700).filter(|n| outcomes[*n].is_err()).collect();
    assert_eq!(failed, [40, 140, 240, 340, 440, 540, 640]);
}

#[tokio::test]
async fn a_body_that_is_no_event_becomes_a_dead_letter_with_its_bytes() {
    let rig = fresh_vhost().await;
    let bus = rig.open().await;
    let channel = rig.channel().await;
    let body = b"\xff{not an event";
    let properties = BasicProperties::default().with_delivery_mode(2);
    channel
        .basic_publish(
            EXCHANGE.into(),
            "account.settings_changed".into(),
            Default::default(),
            body,
            properties,
        )
        .await
        .unwrap();
    let mut subscription = bus.subscribe(CONSUMER, OPTIONS);
    publish(&bus, 1, 2).await;
    assert_eq!(
        numbers(&take(&mut subscription, 1).await),
        [1],
        "its neighbour is none the worse"
    );
    let mut reader = bus.dead_letters().unwrap();
    let letters = tokio::time::timeout(PATIENCE, reader.next_batch(10))
        .await
        .unwrap();
    assert_eq!(
        (letters[0].consumer, &letters[0].body[..]),
        (Some(CONSUMER), &body[..])
    );
    assert_eq!(letters[0].reason, "Its worker could not read it.");
}

#[tokio::test]
async fn dead_letters_stay_on_the_broker_until_they_are_forgotten() {
    let rig = fresh_vhost().await;
    let bus = rig.open().await;
    publish(&bus, 0, 2).await;
    let mut subscription = bus.subscribe(CONSUMER, OPTIONS);
    let held = take(&mut subscription, 2).await;
    subscription
        .settle(
            held.iter()
                .map(|delivery| (delivery.tag, Settle::Reject))
                .collect(),
        )
        .await;
    let mut letters = Vec::new();
    for _ in 0..30 {
        // Far beyond any default limit of a queue, as when the database is away for long.
        let mut reader = bus.dead_letters().unwrap();
        letters = Vec::new();
        while letters.len() < 2 {
            letters.extend(
                tokio::time::timeout(PATIENCE, reader.next_batch(10))
                    .await
                    .expect("still there"),
            );
        }
    }
    assert_eq!(letters.len(), 2);
}

#[tokio::test]
async fn a_deleted_queue_is_declared_and_consumed_again() {
    let rig = fresh_vhost().await;
    let bus = rig.open().await;
    let mut subscription = bus.subscribe(CONSUMER, OPTIONS);
    publish(&bus, 0, 1).await;
    assert_eq!(numbers(&drain(&mut subscription).await), [0]);
    let channel = rig.channel().await;
    channel
        .queue_delete(CONSUMER.queue().into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    // RabbitMQ 3.10 does not tell the consumers of a deleted quorum queue, so they ask when it is quiet for long.
    // The event would be lost if it came before the queue does, so it says where it must arrive.
    let event = Outgoing::to_consumer(event(1), CONSUMER, 1, ReplayId::FIRST_RUN);
    let publisher = bus.publisher();
    let published = async {
        while publisher.publish(std::slice::from_ref(&event)).await != [Ok(())] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(numbers(&take(&mut subscription, 1).await), [1]);
    };
    tokio::time::timeout(PATIENCE, published)
        .await
        .expect("the queue should have come back");
}

/// A bus that reaches the broker through a proxy.
async fn through_a_proxy(rig: &RabbitMqRig) -> (TcpProxy, Arc<dyn Bus>) {
    let broker = rig.url().parse::<lapin::uri::AMQPUri>().unwrap().authority;
    let proxy = TcpProxy::start(&format!("{}:{}", broker.host, broker.port))
        .await
        .unwrap();
    let through = rig
        .url()
        .replace(&format!(":{}/", broker.port), &format!(":{}/", proxy.port()));
    let config = RabbitMqConfig {
        url: through.into(),
        ..rig.config()
    };
    (proxy, Arc::new(RabbitMqBus::connect(config).await.unwrap()))
}

#[tokio::test]
async fn a_network_that_falls_silent_is_noticed() {
    let rig = fresh_vhost().await;
    let (proxy, bus) = through_a_proxy(&rig).await;
    let mut subscription = bus.subscribe(CONSUMER, OPTIONS);
    publish(&bus, 0, 3).await;
    assert_eq!(take(&mut subscription, 3).await.len(), 3);
    proxy.hold();
    let begun = tokio::time::Instant::now();
    let outcome = bus.publisher().publish(&[Outgoing::first(event(3))]).await;
    assert!(
        matches!(outcome[..], [Err(PublishError::Unconfirmed(_))]),
        "{outcome:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "a publisher is never held up for ever"
    );
    eventually(PATIENCE, "the heartbeats to be missed", || async { !bus.is_up() }).await;
    // Each connection counts its own heartbeats: one that has not noticed yet would go on as if nothing had been.
    tokio::time::sleep(Duration::from_secs(12)).await;
    proxy.release();
    eventually(PATIENCE, "the connections to come back", || async { bus.is_up() }).await;
    publish_at_last(&bus, 4, 5).await;
    // The broker may notice the silence after we do: what it counted as out until then can come after what is new.
    let mut again = Vec::new();
    while ![0, 1, 2, 4].iter().all(|number| again.contains(number)) {
        again.extend(numbers(&take(&mut subscription, 1).await));
    }
    again.retain(|number| *number < 3);
    assert_eq!(again, [0, 1, 2], "what was out comes again, once and in order");
}

#[tokio::test]
async fn cut_connections_come_back_by_themselves() {
    let rig = fresh_vhost().await;
    let (proxy, bus) = through_a_proxy(&rig).await;
    let mut subscription = bus.subscribe(CONSUMER, OPTIONS);
    publish(&bus, 0, 10).await;
    let held = take(&mut subscription, 10).await;
    proxy.cut();
    // A settlement over the cut connection is lost, and the deliveries come again over the next one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    subscription
        .settle(held.iter().map(|delivery| (delivery.tag, Settle::Ack)).collect())
        .await;
    let again = take(&mut subscription, 10).await;
    assert_eq!(numbers(&again), (0..10).collect::<Vec<_>>());
    subscription
        .settle(
            held.iter()
                .map(|delivery| (delivery.tag, Settle::Reject))
                .collect(),
        )
        .await; // stale: ignored
    subscription
        .settle(again.iter().map(|delivery| (delivery.tag, Settle::Ack)).collect())
        .await;
    publish_at_last(&bus, 10, 11).await;
    assert_eq!(numbers(&take(&mut subscription, 1).await), [10]);
    assert!(bus.is_up());
}

#[tokio::test]
async fn everything_survives_the_brokers_restart_without_a_hand() {
    let rig = private_broker().await;
    let bus = rig.open().await;
    let mut subscription = bus.subscribe(CONSUMER, OPTIONS);
    publish(&bus, 0, 5).await;
    let held = take(&mut subscription, 5).await;
    assert!(bus.is_up());
    rig.private().await.stop().await.unwrap();
    let refused = bus.publisher().publish(&[Outgoing::first(event(99))]).await;
    assert!(
        matches!(refused[..], [Err(PublishError::Unconfirmed(_))]),
        "{refused:?}"
    );
    assert!(!bus.is_up());
    rig.private().await.start().await.unwrap();
    let again = tokio::time::timeout(PATIENCE, subscription.next_batch(10, Duration::from_secs(1)))
        .await
        .unwrap();
    assert_eq!(numbers(&again), numbers(&held));
    subscription
        .settle(again.iter().map(|delivery| (delivery.tag, Settle::Ack)).collect())
        .await;
    publish_at_last(&bus, 5, 6).await;
    assert_eq!(numbers(&take(&mut subscription, 1).await), [5]);
}

#[tokio::test]
async fn another_delivery_limit_is_refused_with_what_to_do() {
    let rig = fresh_vhost().await;
    let _bus = rig.open().await;
    let config = RabbitMqConfig {
        delivery_limit: 99,
        ..rig.config()
    };
    let error = RabbitMqBus::connect(config).await.unwrap_err();
    assert!(matches!(error, BusError::Misconfigured(_)), "{error}");
    assert!(
        error.to_string().contains("delivery limit") && error.to_string().contains("drain"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_address_or_password_is_told_without_the_password() {
    let testbed = Testbed::load().unwrap();
    let address = testbed
        .rabbitmq_url
        .parse::<lapin::uri::AMQPUri>()
        .unwrap()
        .authority;
    let cases = [
        (
            format!("amqp://guest:hunter2@{}:{}/", address.host, address.port),
            "user name or the password",
        ),
        (
            format!(
                "amqp://guest:guest@{}:{}/no-such-vhost",
                address.host, address.port
            ),
            "virtual host",
        ),
        ("amqp://guest:hunter2@[/".to_owned(), "cannot be read"),
        ("amqp://guest:hunter2@127.0.0.1:1/".to_owned(), "cannot be used"),
    ];
    for (url, told) in cases {
        let error = RabbitMqBus::connect(RabbitMqConfig::new(url.into()))
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(told), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
