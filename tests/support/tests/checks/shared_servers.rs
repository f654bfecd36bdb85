//! PostgreSQL and RabbitMQ, which all tests share without seeing each other.

use std::time::Duration;

use anyhow::Result;
use postroom_test_support::{Testbed, eventually};

#[tokio::test]
async fn a_fresh_database_is_empty_ones_own_and_gone_afterwards() -> Result<()> {
    let testbed = Testbed::load()?;
    let (one, two) = tokio::try_join!(testbed.fresh_database(), testbed.fresh_database())?;
    assert_ne!(one.url(), two.url());
    one.query("CREATE TABLE thing (id int); INSERT INTO thing VALUES (1), (2)")
        .await?;
    assert_eq!(one.query("SELECT sum(id) FROM thing").await?.trim(), "3");
    assert!(
        two.query("SELECT * FROM thing").await.is_err(),
        "one database sees the other's table"
    );
    let name = one.query("SELECT current_database()").await?.trim().to_owned();
    drop(one);
    let left = two
        .query(&format!(
            "SELECT count(*) FROM pg_database WHERE datname = '{name}'"
        ))
        .await?;
    assert_eq!(left.trim(), "0");
    Ok(())
}

#[tokio::test]
async fn a_fresh_vhost_is_empty_ones_own_and_gone_afterwards() -> Result<()> {
    let testbed = Testbed::load()?;
    let (one, two) = tokio::try_join!(testbed.fresh_vhost(), testbed.fresh_vhost())?;
    assert_ne!(one.url(), two.url());
    assert_eq!(
        one.ctl(&["list_queues", "name", "--no-table-headers"])
            .await?
            .trim(),
        ""
    );
    let name = one.url().rsplit('/').next().unwrap_or_default().to_owned();
    assert!(two.ctl(&["list_vhosts"]).await?.contains(&name));
    drop(one);
    eventually(
        Duration::from_secs(20),
        "the virtual host to be deleted",
        || async {
            two.ctl(&["list_vhosts"])
                .await
                .is_ok_and(|vhosts| !vhosts.contains(&name))
        },
    )
    .await;
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "for the moon to fall; at the last look: it was not so")]
async fn waiting_in_vain_says_what_was_awaited() {
    eventually(Duration::from_millis(60), "the moon to fall", || async { false }).await;
}
