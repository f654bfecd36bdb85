//! Bad input: each a clear error that names field, cause and next step, and nothing half-made left behind.

use std::time::Duration;

use postroom_store::accounts;
use postroom_test_support::free_port;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::rig::Rig;

/// A request that is changed in one place, and what must come back.
struct Case {
    name: &'static str,
    change: Value,
    code: &'static str,
    field: &'static str,
    /// A word of the next step.
    says: &'static str,
}

fn case(
    name: &'static str,
    change: Value,
    code: &'static str,
    field: &'static str,
    says: &'static str,
) -> Case {
    Case {
        name,
        change,
        code,
        field,
        says,
    }
}

/// Something that listens and is no mail server.
async fn not_a_mail_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    port
}

async fn refused(rig: &Rig, cases: Vec<Case>) {
    let user = rig.testbed.create_user("bad-input").unwrap();
    for Case {
        name,
        change,
        code,
        field,
        says,
    } in cases
    {
        // Between tries so much time goes by that they are not too many.
        rig.clock.advance(Duration::from_secs(120));
        let mut request = rig.by_password(&user);
        for (key, value) in change.as_object().unwrap() {
            request[key] = value.clone();
        }
        let (status, problem) = rig.post("/v1/accounts", &request).await;
        assert_eq!(status, 422, "{name}: {problem}");
        assert_eq!(problem["code"], code, "{name}: {problem}");
        assert_eq!(problem["field"], field, "{name}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains(says) && detail.ends_with('.'),
            "{name}: {problem}"
        );
        assert!(!problem.to_string().contains(&user.password), "{name}: {problem}");
    }
    let db = rig.store.read();
    let kept = accounts::list_owned(db, rig.tenant.id, None, None, 10)
        .await
        .unwrap();
    assert!(kept.is_empty(), "an account was left behind");
    assert_eq!(
        rig.event_types().await,
        Vec::<String>::new(),
        "an event was left behind"
    );
}

#[tokio::test]
async fn fields_that_do_not_fit() {
    let rig = Rig::start().await;
    let long = "x".repeat(300);
    refused(
        &rig,
        vec![
            case(
                "address without @",
                json!({"address": "ada.example.test"}),
                "invalid_address",
                "address",
                "@",
            ),
            case(
                "address too long",
                json!({"address": format!("{long}@example.test")}),
                "invalid_address",
                "address",
                "long",
            ),
            case(
                "300-character name",
                json!({"sender_name": long}),
                "invalid_sender_name",
                "sender_name",
                "200",
            ),
            case(
                "300-character host",
                json!({"imap": {"host": "x".repeat(300)}}),
                "imap_invalid_host",
                "imap.host",
                "253",
            ),
            case(
                "300-character login",
                json!({"login": "x".repeat(300)}),
                "invalid_login",
                "login",
                "user name",
            ),
            case(
                "line break in address",
                json!({"address": "ada@example.test\r\nX: y"}),
                "invalid_address",
                "address",
                "line break",
            ),
            case(
                "line break in name",
                json!({"sender_name": "Ada\r\nBcc: x@y"}),
                "invalid_sender_name",
                "sender_name",
                "line break",
            ),
            case(
                "line break in login",
                json!({"login": "ada\r\n"}),
                "invalid_login",
                "login",
                "line break",
            ),
            case(
                "line break in password",
                json!({"password": "a\r\nA2 LOGOUT"}),
                "invalid_password",
                "password",
                "line break",
            ),
            case(
                "line break in user",
                json!({"user_ref": "u\n1"}),
                "invalid_user_ref",
                "user_ref",
                "line break",
            ),
            case(
                "line break in host",
                json!({"smtp": {"host": "a\r\nb"}}),
                "smtp_invalid_host",
                "smtp.host",
                "bare name",
            ),
            case(
                "NUL in login",
                json!({"login": "a\u{0}b"}),
                "invalid_login",
                "login",
                "control",
            ),
            case(
                "no password",
                json!({"password": ""}),
                "password_missing",
                "password",
                "Enter",
            ),
            case(
                "no host",
                json!({"imap": {}}),
                "imap_host_missing",
                "imap.host",
                "imap.example.org",
            ),
            case(
                "no such encryption",
                json!({"imap": {"host": "x.test", "tls": "plain"}}),
                "imap_invalid_tls",
                "imap.tls",
                "starttls",
            ),
            case(
                "port 0",
                json!({"imap": {"host": "x.test", "port": 0}}),
                "imap_invalid_port",
                "imap.port",
                "65535",
            ),
            case(
                "no such provider",
                json!({"provider": "nobody"}),
                "unknown_provider",
                "provider",
                "providers",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn servers_that_do_not_fit() {
    let rig = Rig::start().await;
    let (imap, smtp) = (&rig.testbed.imap, &rig.testbed.submission);
    let faulty = &rig.testbed.faulty_hosts;
    let closed = free_port().unwrap();
    let other = not_a_mail_server().await;
    let at = |host: &str, port: u16, tls: &str| json!({ "host": host, "port": port, "tls": tls });
    let cases = vec![
        case(
            "wrong password",
            json!({"password": "wrong"}),
            "imap_password_refused",
            "password",
            "Check",
        ),
        case(
            "unknown host",
            json!({"imap": {"host": "no-such-host.invalid"}}),
            "imap_unknown_host",
            "imap.host",
            "typing error",
        ),
        case(
            "unknown SMTP host",
            json!({"smtp": {"host": "no-such-host.invalid"}}),
            "smtp_unknown_host",
            "smtp.host",
            "Sending",
        ),
        case(
            "closed port",
            json!({"imap": at("localhost", closed, "implicit")}),
            "imap_connection_refused",
            "imap.port",
            "Check",
        ),
        case(
            "closed SMTP port",
            json!({"smtp": at("localhost", closed, "implicit")}),
            "smtp_connection_refused",
            "smtp.port",
            "Check",
        ),
        case(
            "expired",
            json!({"imap": at(&faulty.expired, imap.tls_port, "implicit")}),
            "imap_certificate_expired",
            "imap.host",
            "renew",
        ),
        case(
            "expired SMTP",
            json!({"smtp": at(&faulty.expired, smtp.starttls_port, "starttls")}),
            "smtp_certificate_expired",
            "smtp.host",
            "renew",
        ),
        case(
            "foreign",
            json!({"imap": at(&faulty.foreign, imap.tls_port, "implicit")}),
            "imap_certificate_not_trusted",
            "imap.host",
            "operator",
        ),
        case(
            "foreign SMTP",
            json!({"smtp": at(&faulty.foreign, smtp.tls_port, "implicit")}),
            "smtp_certificate_not_trusted",
            "smtp.host",
            "operator",
        ),
        case(
            "misnamed",
            json!({"imap": at(&faulty.misnamed, imap.tls_port, "implicit")}),
            "imap_certificate_wrong_name",
            "imap.host",
            "server name",
        ),
        case(
            "no STARTTLS",
            json!({"imap": at(&faulty.plain, imap.starttls_port, "starttls")}),
            "imap_no_tls",
            "imap.tls",
            "STARTTLS",
        ),
        case(
            "no STARTTLS SMTP",
            json!({"smtp": at(&faulty.plain, smtp.starttls_port, "starttls")}),
            "smtp_no_tls",
            "smtp.tls",
            "STARTTLS",
        ),
        case(
            "TLS where there is none",
            json!({"imap": at("localhost", imap.starttls_port, "implicit")}),
            "imap_no_tls",
            "imap.tls",
            "STARTTLS",
        ),
        case(
            "no mail server",
            json!({"imap": at("localhost", other, "starttls")}),
            "imap_not_a_mail_server",
            "imap.port",
            "Check",
        ),
        case(
            "no SMTP server",
            json!({"smtp": at("localhost", other, "starttls")}),
            "smtp_not_a_mail_server",
            "smtp.port",
            "Check",
        ),
        case(
            "private network",
            json!({"imap": {"host": "10.0.0.1"}}),
            "imap_host_not_allowed",
            "imap.host",
            "operator",
        ),
        case(
            "metadata service",
            json!({"smtp": {"host": "169.254.169.254"}}),
            "smtp_host_not_allowed",
            "smtp.host",
            "operator",
        ),
    ];
    refused(&rig, cases).await;
}

#[tokio::test]
async fn both_halves_are_told_at_once() {
    let rig = Rig::start().await;
    let user = rig.testbed.create_user("both-halves").unwrap();
    let mut request = rig.by_password(&user);
    request["imap"] = json!({"host": "a.invalid"});
    request["smtp"] = json!({"host": "b.invalid"});
    let (_, problem) = rig.post("/v1/accounts", &request).await;
    let fields: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["imap.host", "smtp.host"]);
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("Receiving mail (IMAP)") && detail.contains("Sending mail (SMTP)"),
        "{detail}"
    );
}

#[tokio::test]
async fn whoever_fails_too_often_has_to_wait() {
    let rig = Rig::start().await;
    let user = rig.testbed.create_user("too-often").unwrap();
    let mut request = rig.by_password(&user);
    request["password"] = json!("wrong");
    for _ in 0..10 {
        let (status, problem) = rig.post("/v1/accounts", &request).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    }
    request["password"] = json!(user.password);
    let response = rig
        .ask(Method::POST, "/v1/accounts")
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=601).contains(&wait), "{wait}");
    rig.clock.advance(std::time::Duration::from_secs(wait));
    let (status, account) = rig.post("/v1/accounts", &request).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
}
