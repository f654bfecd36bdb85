//! What a registration signs in with nears its end: said once a day to each tenant that has accounts there.

use std::time::Duration;

use chrono::{Days, NaiveTime};
use postroom_events::{ClientSecretExpiring, Event, RegistrationId};
use token_refresher::RefresherSettings;

use crate::rig::{REGISTRATION, Rig, quick};

crate::in_both_worlds!(an_end_is_told_once_a_day, an_end_far_away_is_not_told);

/// Writes into the operator's file that the client secret ends in so many days.
async fn ends_in(rig: &Rig, days: u64) -> chrono::DateTime<chrono::Utc> {
    let end = rig.now().await.date_naive() + Days::new(days);
    let text = std::fs::read_to_string(rig.oauth_file()).unwrap();
    std::fs::write(rig.oauth_file(), format!("{text}client_secret_expires = {end}\n")).unwrap();
    end.and_time(NaiveTime::MIN).and_utc()
}

fn looking_often() -> RefresherSettings {
    RefresherSettings {
        registrations_look_every: Duration::from_millis(200),
        ..quick()
    }
}

async fn an_end_is_told_once_a_day(rig: Rig) {
    let end = ends_in(&rig, 10).await;
    let (one, two) = (
        rig.start_with(looking_often()).await,
        rig.start_with(looking_often()).await,
    );
    let user = rig.user("expiring").await;
    rig.connect(&one, &user).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // each looks more than ten times
    let told: Vec<_> = rig.told(RegistrationId::of_name(REGISTRATION).0).await;
    let [(envelope, Event::ClientSecretExpiring(event))] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(envelope.tenant_id, rig.tenant_id);
    let expected = ClientSecretExpiring {
        registration_id: RegistrationId::of_name(REGISTRATION),
        expires_at: end,
        registration: REGISTRATION.to_owned(),
    };
    assert_eq!(*event, expected);
    one.stop().await;
    two.stop().await;
}

async fn an_end_far_away_is_not_told(rig: Rig) {
    ends_in(&rig, 60).await;
    let running = rig.start_with(looking_often()).await;
    let user = rig.user("not-expiring").await;
    rig.connect(&running, &user).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.told(RegistrationId::of_name(REGISTRATION).0).await.len(), 0);
    running.stop().await;
}
