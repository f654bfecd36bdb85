//! Servers that mean harm, or are something else altogether. Those over TCP are in plain text: the client has to
//! give up before TLS.

use crate::client::{MESSAGE, ehlo_name, kinds, password, send, session, session_as};
use crate::server::Script;
use postroom_mail::net::{AddressPolicy, Connector, ConnectorSettings, Endpoint, HostName, NetTimeOuts};
use postroom_mail::smtp::{SmtpError, SmtpSession};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn endless_replies_are_cut_off() {
    let many_lines = format!("{}250 end", "250-X\r\n".repeat(10_000));
    let long_line = format!("250 {}", "x".repeat(1 << 20));
    for endless in [many_lines, long_line] {
        let (opened, _) = session(Script::default().answering("EHLO", endless.clone()), 4096).await;
        assert_eq!(opened.unwrap_err().code(), "protocol");
        for command in ["MAIL", "DATA"] {
            let (opened, _) = session(Script::default().answering(command, endless.clone()), 4096).await;
            let statuses = send(&mut opened.unwrap(), &["bob@y.example"], MESSAGE).await;
            assert_eq!(kinds(&statuses), ["transient"], "{command}");
        }
        let (opened, _) = session(Script::default().answering("DOT", endless.clone()), 4096).await;
        assert_eq!(
            kinds(&send(&mut opened.unwrap(), &["bob@y.example"], MESSAGE).await),
            ["unknown"]
        );
    }
}

#[tokio::test]
async fn an_answer_ahead_of_its_question_does_not_count() {
    // The server says "queued" together with its go-ahead, before it has a message.
    let script = Script::default().answering("DATA", "354 go on\r\n250 2.0.0 queued");
    let (opened, observed) = session(script, 4096).await;
    let mut session = opened.unwrap();
    assert_eq!(
        kinds(&send(&mut session, &["bob@y.example"], MESSAGE).await),
        ["transient"]
    );
    assert!(!session.is_usable());
    assert!(observed.lock().unwrap().accepted.is_empty());
}

#[tokio::test]
async fn what_is_not_smtp_is_called_so() {
    for greeting in [
        "* OK IMAP4rev1 ready",
        "+OK POP3 ready",
        "HTTP/1.1 400 Bad Request",
        "\u{0}\u{1}\u{2}",
        "SSH-2.0-x",
    ] {
        let script = Script {
            greeting: greeting.to_owned(),
            ..Script::default()
        };
        let (opened, _) = session(script, 4096).await;
        let error = opened.unwrap_err();
        assert_eq!(error.code(), "not_smtp", "{greeting}: {error}");
    }
    let refused = Script {
        greeting: "554 5.7.1 go away".to_owned(),
        ..Script::default()
    };
    assert_eq!(session(refused, 4096).await.0.unwrap_err().code(), "refused");
    let busy = Script {
        greeting: "421 4.7.0 busy".to_owned(),
        ..Script::default()
    };
    assert_eq!(
        session(busy, 4096).await.0.unwrap_err().code(),
        "temporarily_unavailable"
    );
    let silent = Script {
        write_at_most: usize::MAX,
        greeting: "220-".to_owned(),
        ..Script::default()
    };
    assert_eq!(
        session_as(silent, 4096, &password(), PATIENCE)
            .await
            .0
            .unwrap_err()
            .code(),
        "timed_out"
    );
}

/// A server in plain text that says each of `says` in turn, each after the line before it was answered.
async fn plain_text_server(says: &'static [&'static str]) -> (u16, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        for text in says {
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut line = [0; 512];
            match stream.read(&mut line).await {
                Ok(count) if count > 0 => heard.extend_from_slice(&line[..count]),
                _ => break,
            }
        }
        heard
    });
    (port, task)
}

async fn connect(port: u16) -> Result<SmtpSession, SmtpError> {
    let settings = ConnectorSettings {
        addresses: AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap()]),
        time_outs: NetTimeOuts {
            read: PATIENCE,
            handshake: PATIENCE,
            ..NetTimeOuts::default()
        },
        ..ConnectorSettings::default()
    };
    let connector = Connector::new(settings).unwrap();
    let endpoint = Endpoint::start_tls(HostName::parse("127.0.0.1").unwrap(), port);
    SmtpSession::connect(&connector, &endpoint, &ehlo_name(), &password()).await
}

#[tokio::test]
async fn starttls_with_anything_behind_it_is_refused() {
    let cases: [(&'static [&'static str], &str); 4] = [
        (
            &[
                "220 x\r\n",
                "250-x\r\n250 STARTTLS\r\n",
                "220 ready\r\n250 AUTH PLAIN\r\n",
            ],
            "injected_before_tls",
        ),
        (
            &["220 x\r\n", "250-x\r\n250 AUTH PLAIN\r\n"],
            "starttls_not_offered",
        ),
        (
            &["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "454 4.7.0 not now\r\n"],
            "temporarily_unavailable",
        ),
        (
            &[
                "220 x\r\n",
                "250-x\r\n250 STARTTLS\r\n",
                "220 ready\r\n",
                "250 hello, no TLS here\r\n",
            ],
            "not_tls",
        ),
    ];
    for (says, code) in cases {
        let (port, server) = plain_text_server(says).await;
        let error = connect(port).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        drop(error);
        let heard = server.await.unwrap();
        let text = String::from_utf8_lossy(&heard);
        assert!(
            !text.contains("AUTH") && !text.contains("canary"),
            "said in plain text: {text}"
        );
    }
}

#[tokio::test]
async fn early_bytes_in_a_packet_of_their_own_end_the_session_too() {
    // What comes between the server's agreement and the handshake is read by TLS, which must not take it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = [0; 512];
        for text in ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n"] {
            stream.write_all(text.as_bytes()).await.unwrap();
            let _ = stream.read(&mut line).await.unwrap();
        }
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"220 ready\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let _ = stream.write_all(b"250-x\r\n250 AUTH PLAIN\r\n").await;
        let _ = stream.read(&mut line).await;
    });
    let error = connect(port).await.unwrap_err();
    assert!(
        ["not_tls", "injected_before_tls", "tls"].contains(&error.code()),
        "{error}"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn nobody_there() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = connect(port).await.unwrap_err();
    assert_eq!(error.code(), "refused");
    assert!(error.is_unreachable() && error.is_temporary());
}
