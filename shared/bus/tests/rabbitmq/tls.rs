//! The way to the broker over TLS. The broker itself speaks clear text here; a proxy before it speaks TLS.

use std::{path::PathBuf, sync::Arc};

use postroom_bus::{
    Bus, BusError, RabbitMqBus, RabbitMqConfig,
    conformance::{CONSUMER, numbers, publish, take},
};
use postroom_test_support::Testbed;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::rig::{RabbitMqRig, fresh_vhost};

/// Speaks TLS with the testbed's certificate of that name, and passes everything on to `target`. Gives its port.
async fn tls_before(target: String, certificate: &str) -> u16 {
    let directory = Testbed::load().unwrap().directory.join("tls");
    let file = |ending: &str| -> PathBuf { directory.join(format!("{certificate}.{ending}")) };
    let chain = CertificateDer::pem_file_iter(file("pem"))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
    // The provider is named here, so that only the product's own choice is left to be tested.
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
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

async fn connect(rig: &RabbitMqRig, certificate: &str, authority: bool) -> Result<RabbitMqBus, BusError> {
    let uri = rig.url().parse::<lapin::uri::AMQPUri>().unwrap();
    let port = tls_before(
        format!("{}:{}", uri.authority.host, uri.authority.port),
        certificate,
    )
    .await;
    let user = uri.authority.userinfo;
    let url = format!(
        "amqps://{}:{}@localhost:{port}/{}",
        user.username, user.password, uri.vhost
    );
    let authority_pem = authority.then(|| std::fs::read_to_string(Testbed::load().unwrap().ca_file).unwrap());
    RabbitMqBus::connect(RabbitMqConfig {
        authority_pem,
        ..RabbitMqConfig::new(url.into())
    })
    .await
}

#[tokio::test]
async fn a_broker_with_a_private_authority_is_reached_over_tls() {
    let rig = fresh_vhost().await;
    let bus: Arc<dyn Bus> = Arc::new(connect(&rig, "server", true).await.unwrap());
    publish(&bus, 1, 2).await;
    assert_eq!(
        numbers(&take(&mut bus.subscribe(CONSUMER, Default::default()), 1).await),
        [1]
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let rig = fresh_vhost().await;
    for (certificate, authority) in [("server", false), ("foreign", true), ("expired", true)] {
        let error = connect(&rig, certificate, authority)
            .await
            .expect_err(certificate);
        assert!(
            error.to_string().contains("certificate"),
            "{certificate}: {error}"
        );
    }
}
