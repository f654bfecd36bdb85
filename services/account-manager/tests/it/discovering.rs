//! `GET /v1/discover`: from an address to servers that answered.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::rig::{Rig, answer};

#[tokio::test]
async fn the_servers_of_an_address_are_found_and_remembered() {
    let rig = Rig::start().await;
    let (status, found) = rig.get("/v1/discover?address=ada%40rig.example").await;
    assert_eq!(status, StatusCode::OK, "{found}");
    let (imap, smtp) = (&rig.testbed.imap, &rig.testbed.submission);
    assert_eq!(
        found,
        json!({
            "address": "ada@rig.example",
            "provider": "rig",
            "imap": { "host": imap.host, "port": imap.tls_port, "socket": "tls", "auth": ["password"],
                "username": "address" },
            "smtp": { "host": smtp.host, "port": smtp.starttls_port, "socket": "starttls", "auth": ["password"],
                "username": "address" },
            "source": "provider_data",
            "app_password_help": null,
        })
    );
    assert_eq!(rig.get("/v1/discover?address=ada%40rig.example").await.1, found);
}

#[tokio::test]
async fn servers_that_nobody_entered_are_found_when_connecting() {
    let rig = Rig::start().await;
    let user = rig.testbed.create_user("found").unwrap();
    let mut request = json!({
        "user_ref": "u-1", "address": "found@rig.example", "login": user.address, "method": "password",
        "password": user.password,
    });
    let (status, account) = rig.post("/v1/accounts", &request).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    assert_eq!(account["imap"]["port"], rig.testbed.imap.tls_port);
    assert_eq!(account["smtp"]["port"], rig.testbed.submission.starttls_port);

    request["address"] = json!("lost@nowhere.invalid");
    let (status, problem) = rig.post("/v1/accounts", &request).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["code"], "imap_host_missing");
}

#[tokio::test]
async fn what_cannot_be_found_is_a_problem_with_its_code() {
    let rig = Rig::start().await;
    let (status, problem) = rig.get("/v1/discover?address=ada").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(
        (&problem["code"], &problem["field"]),
        (&json!("address_invalid"), &json!("address"))
    );
    assert!(problem["detail"].as_str().unwrap().contains("no @"), "{problem}");

    let (status, problem) = rig.get("/v1/discover?address=ada%40proton.me").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["code"], "provider_unsupported");

    // "invalid" is a name that never exists (RFC 6761).
    let (status, problem) = rig.get("/v1/discover?address=ada%40nowhere.invalid").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    assert_eq!(problem["code"], "servers_not_found");
    assert!(
        problem["temporary"].is_boolean() && problem["tried"][0]["source"].is_string(),
        "{problem}"
    );

    let (status, problem) = rig.get("/v1/discover").await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_query"))
    );
}

#[tokio::test]
async fn it_needs_a_key_and_a_tenant_may_not_ask_without_end() {
    let rig = Rig::start().await;
    let path = "/v1/discover?address=ada";
    let response = rig.plain(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    for _ in 0..60 {
        assert_eq!(rig.get(path).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let response = rig.ask(Method::GET, path).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "61");
    let (status, problem) = answer(response).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{problem}");
    assert_eq!(problem["code"], "too_many_discoveries");

    let other = rig.another_tenant().await;
    let response = rig.ask_as(&other, Method::GET, path).send().await.unwrap();
    assert_eq!(
        response.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "each tenant has its own count"
    );
    rig.clock.advance(std::time::Duration::from_secs(61));
    assert_eq!(rig.get(path).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}
