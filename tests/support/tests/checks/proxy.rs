//! The proxy that breaks connections.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::Result;
use postroom_test_support::TcpProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

const MOMENT: Duration = Duration::from_millis(300);

/// A server that sends back each byte, and tells the test what it has got.
async fn echo() -> Result<(String, mpsc::UnboundedReceiver<u8>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (got, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let got = got.clone();
            tokio::spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    let _ = got.send(byte);
                    let _ = stream.write_all(&[byte]).await;
                }
            });
        }
    });
    Ok((address, seen))
}

async fn connect(proxy: &TcpProxy) -> std::io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", proxy.port())).await
}

#[tokio::test]
async fn bytes_pass_and_delays_delay_them() -> Result<()> {
    let (target, _seen) = echo().await?;
    let proxy = TcpProxy::start(&target).await?;
    let mut client = connect(&proxy).await?;
    client.write_all(b"a").await?;
    assert_eq!(client.read_u8().await?, b'a');
    proxy.delay(Duration::from_millis(100));
    let start = Instant::now();
    client.write_all(b"b").await?;
    assert_eq!(client.read_u8().await?, b'b');
    assert!(
        start.elapsed() >= Duration::from_millis(200),
        "both ways: {:?}",
        start.elapsed()
    );
    assert_eq!(proxy.accepted(), 1);
    Ok(())
}

#[tokio::test]
async fn held_bytes_wait_for_the_release() -> Result<()> {
    let (target, mut seen) = echo().await?;
    let proxy = TcpProxy::start(&target).await?;
    let mut client = connect(&proxy).await?;
    proxy.hold();
    client.write_all(b"a").await?;
    assert!(timeout(MOMENT, seen.recv()).await.is_err(), "the server got it");
    proxy.release();
    assert_eq!(client.read_u8().await?, b'a');
    assert_eq!(seen.recv().await, Some(b'a'));

    proxy.hold_answers();
    client.write_all(b"b").await?;
    assert_eq!(seen.recv().await, Some(b'b'));
    assert!(
        timeout(MOMENT, client.read_u8()).await.is_err(),
        "the client got the answer"
    );
    proxy.cut();
    let lost = client.read_u8().await.unwrap_err();
    assert!(
        matches!(lost.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "{lost}"
    );
    Ok(())
}

#[tokio::test]
async fn down_means_refused_and_up_means_served_on_the_same_port() -> Result<()> {
    let (target, _seen) = echo().await?;
    let mut proxy = TcpProxy::start(&target).await?;
    let mut client = connect(&proxy).await?;
    client.write_all(b"a").await?;
    client.read_u8().await?;
    proxy.take_down();
    assert!(client.read_u8().await.is_err());
    // the listener goes with the aborted task, a moment later
    tokio::time::sleep(MOMENT).await;
    assert_eq!(
        connect(&proxy).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    proxy.bring_up().await?;
    let mut client = connect(&proxy).await?;
    client.write_all(b"b").await?;
    assert_eq!(client.read_u8().await?, b'b');
    Ok(())
}
