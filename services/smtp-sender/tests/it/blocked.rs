//! A server that lets nobody sign in to send until its administrator allows it. Postfix has no such switch, so its part is
//! played by a few scripted lines, with the testbed's certificate.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use postroom_events::{
    AuthenticationMethod, AuthenticationMethodChanged, SendCondition, SubmissionState as State,
};
use postroom_test_support::Testbed;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::rig::{Rig, World, mail};

const DISABLED: &str =
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.\r\n";

/// The scripted server.
#[derive(Clone, Default)]
struct Scripted {
    allows: Arc<AtomicBool>,
    sign_ins: Arc<AtomicUsize>,
}

impl Scripted {
    async fn serve(self, acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(acceptor.accept(stream).await?);
        stream.write_all(b"220 smtp.example ready\r\n").await?;
        let mut line = String::new();
        let mut in_data = false;
        while stream.read_line(&mut line).await? > 0 {
            let answer = match line.get(..4).unwrap_or_default() {
                _ if in_data && line != ".\r\n" => "",
                _ if in_data => {
                    in_data = false;
                    "250 2.0.0 taken\r\n"
                }
                "EHLO" => "250-smtp.example\r\n250 AUTH PLAIN LOGIN\r\n",
                "AUTH" => {
                    self.sign_ins.fetch_add(1, Ordering::SeqCst);
                    if self.allows.load(Ordering::SeqCst) {
                        "235 2.7.0 welcome\r\n"
                    } else {
                        DISABLED
                    }
                }
                "DATA" => {
                    in_data = true;
                    "354 go on\r\n"
                }
                "QUIT" => "221 2.0.0 bye\r\n",
                _ => "250 2.0.0 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
            line.clear();
        }
        Ok(())
    }

    /// Starts it, with TLS from the first byte; gives its port.
    async fn start(&self, testbed: &Testbed) -> u16 {
        let tls = testbed.directory.join("tls");
        let chain = CertificateDer::pem_file_iter(tls.join("server.pem")).unwrap();
        let chain = chain.map(Result::unwrap).collect();
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
        let scripted = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(scripted.clone().serve(acceptor.clone(), stream));
            }
        });
        port
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_send_says_so_and_its_mail_waits_until_it_may() {
    let rig = Rig::new(World::Embedded).await;
    let from = rig.testbed.create_user("blocked").unwrap();
    let scripted = Scripted::default();
    let port = scripted.start(&rig.testbed).await;
    let id = rig.connect_at(&from, port, &from.password).await;
    let running = rig.start().await;
    let mut waiting = Vec::new();
    for name in ["one", "two"] {
        waiting.push(rig.submit(id, &["you@seed.example"], &mail(&from, name)).await);
    }
    for submission in &waiting {
        let row = rig
            .becomes(*submission, "it to wait", |row| {
                row.cause.as_deref() == Some("smtp_auth_disabled")
            })
            .await;
        assert!(row.server_reply.unwrap().contains("disabled for the Mailbox"));
    }
    assert_eq!(
        scripted.sign_ins.load(Ordering::SeqCst),
        1,
        "one has tried for all"
    );
    let row = rig.row(id).await;
    assert_eq!(
        (row.send_condition, row.send_cause.as_deref()),
        (SendCondition::Blocked, Some("smtp_auth_disabled"))
    );
    assert_eq!(rig.names(id.0).await, ["send.deferred", "account.send_blocked"]);

    scripted.allows.store(true, Ordering::SeqCst);
    let tx = rig.store.begin("test.allowed").await.unwrap();
    let event = AuthenticationMethodChanged {
        account_id: id,
        credential_generation: 1,
        method: AuthenticationMethod::Password,
        grant_id: None,
        previous_credential_id: None,
    };
    rig.announce(&tx, event.into()).await;
    tx.commit().await.unwrap();
    for submission in waiting {
        assert_eq!(rig.finished(submission).await.state, State::Sent);
    }
    assert_eq!(rig.row(id).await.send_condition, SendCondition::Ok);
    let names = rig.names(id.0).await;
    let unblocked = names.iter().filter(|name| *name == "account.send_unblocked");
    assert_eq!(unblocked.count(), 1, "{names:?}");
    running.stop().await;
}
