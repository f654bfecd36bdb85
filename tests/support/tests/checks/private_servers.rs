//! Servers of one's own survive what a test does to them.

use anyhow::Result;
use postroom_test_support::Testbed;
use tokio::net::TcpStream;

async fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

async fn psql(url: &str, sql: &str) -> Result<String> {
    let output = tokio::process::Command::new("psql")
        .args(["-wqXAt", url, "-c", sql])
        .output()
        .await?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[tokio::test]
async fn a_private_postgres_keeps_its_data_over_stop_and_kill() -> Result<()> {
    let testbed = Testbed::load()?;
    let mut server = testbed.private_postgres().await?;
    let url = server.url();
    psql(&url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)").await?;
    server.stop().await?;
    assert!(!listens(server.port()).await);
    server.start().await?;
    psql(&url, "INSERT INTO kept VALUES (2)").await?;
    server.kill().await?;
    assert!(!listens(server.port()).await);
    server.start().await?;
    assert_eq!(psql(&url, "SELECT sum(n) FROM kept").await?, "3");
    let port = server.port();
    drop(server);
    assert!(!listens(port).await, "it outlives its owner");
    Ok(())
}

#[tokio::test]
async fn a_private_rabbitmq_keeps_its_data_over_stop_and_kill() -> Result<()> {
    let testbed = Testbed::load()?;
    let mut broker = testbed.private_rabbitmq().await?;
    broker.ctl(&["add_vhost", "kept"]).await?;
    broker.stop().await?;
    assert!(!listens(broker.port()).await);
    broker.start().await?;
    assert!(broker.ctl(&["list_vhosts"]).await?.contains("kept"));
    broker.kill().await?;
    assert!(!listens(broker.port()).await);
    broker.start().await?;
    assert!(broker.ctl(&["list_vhosts"]).await?.contains("kept"));
    let port = broker.port();
    drop(broker);
    assert!(!listens(port).await, "it outlives its owner");
    Ok(())
}
