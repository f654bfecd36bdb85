//! A provider that lets a mailbox sign in to IMAP and has switched SMTP sign-in off. Postfix has no such switch, so its
//! part is played by a few scripted lines, with the testbed's certificate.

use std::sync::Arc;

use postroom_test_support::Testbed;
use reqwest::StatusCode;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::rig::Rig;

const DISABLED: &str =
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.\r\n";

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    stream.write_all(b"220 smtp.example ready\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer = match line.get(..4).unwrap_or_default() {
            "EHLO" => "250-smtp.example\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => DISABLED,
            _ => "221 2.0.0 bye\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

/// A submission server on TLS; gives its port.
async fn without_sign_in(testbed: &Testbed) -> u16 {
    let tls = testbed.directory.join("tls");
    let chain = CertificateDer::pem_file_iter(tls.join("server.pem"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_file(tls.join("server.key")).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(acceptor.clone(), stream));
        }
    });
    port
}

#[tokio::test]
async fn a_mailbox_that_cannot_send_is_connected_and_says_so_until_it_can() {
    let rig = Rig::start().await;
    let user = rig.testbed.create_user("send-blocked").unwrap();
    let mut request = rig.by_password(&user);
    request["smtp"] =
        json!({"host": "localhost", "port": without_sign_in(&rig.testbed).await, "tls": "implicit"});
    let (status, account) = rig.post("/v1/accounts", &request).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    assert_eq!(
        (
            account["sending"]["condition"].as_str(),
            account["sending"]["cause"].as_str()
        ),
        (Some("send_blocked"), Some("smtp_auth_disabled"))
    );
    assert!(
        account["sending"]["sentence"]
            .as_str()
            .unwrap()
            .contains("administrator"),
        "{account}"
    );
    let browser = rig.browser("u1").await;
    browser
        .open("/accounts")
        .await
        .shows("receives mail but cannot send");

    let path = format!("/v1/accounts/{}/reconnect", account["id"].as_str().unwrap());
    let again = json!({"method": "password", "password": user.password, "smtp": rig.smtp()});
    let (status, account) = rig.post(&path, &again).await;
    assert_eq!(status, StatusCode::OK, "{account}");
    assert_eq!(account["sending"]["condition"], "ok");
    let events = rig.event_types().await;
    let about_sending: Vec<_> = events.iter().filter(|event| event.contains("send_")).collect();
    assert_eq!(about_sending, ["account.send_blocked", "account.send_unblocked"]);
}
