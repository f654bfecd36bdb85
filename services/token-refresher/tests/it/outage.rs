//! The database goes away at the worst moment: the provider has replaced the refresh token, and it is not stored yet.

use std::time::Duration;

use postroom_test_support::{Fault, FaultMode, Testbed, eventually};

use crate::rig::{PATIENCE, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_tokens_wait_for_a_database_that_is_away() {
    let testbed = Testbed::load().unwrap();
    let mut postgres = testbed.private_postgres().await.unwrap();
    let rig = Rig::over(testbed, Some(postgres.url())).await;
    let user = rig.user("outage").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let slow = Fault::for_user(FaultMode::Slow, &user).delay(Duration::from_millis(1000));
    let fault = rig.testbed.openid().set_fault(slow).await.unwrap();
    rig.reject(&running, connected, 1).await;
    eventually(PATIENCE, "the request", async || fault.hits().await.unwrap() == 1).await;
    postgres.kill().await.unwrap();
    eventually(PATIENCE, "the answer", async || {
        let counts = rig.testbed.openid().counts(&user).await.unwrap();
        counts.token.by_status.get("200") == Some(&1)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    postgres.start().await.unwrap();
    rig.reaches(connected.grant, 2).await;
    assert_eq!(rig.refreshes(&user).await, 1);

    // By strict rotation only the token that was kept through the outage works now.
    let event = rig.reject(&running, connected, 2).await;
    rig.reaches(connected.grant, 3).await;
    rig.handled(event).await;
}
