//! What holds for every route.

use postroom_events::AccountId;
use reqwest::{Method, StatusCode, header};
use serde_json::json;

use crate::rig::{Rig, answer};

#[tokio::test]
async fn a_request_without_a_good_key_is_refused_with_the_way_in() {
    let rig = Rig::start().await;
    for (request, code) in [
        (rig.plain(Method::GET, "/v1/accounts"), "api_key_missing"),
        (
            rig.plain(Method::GET, "/v1/accounts")
                .bearer_auth("postroom_key_wrong"),
            "api_key_unknown",
        ),
        (
            rig.plain(Method::GET, "/v1/accounts").basic_auth("a", Some("b")),
            "api_key_missing",
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let (status, problem) = answer(response).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::UNAUTHORIZED, Some(code))
        );
    }
}

#[tokio::test]
async fn unknown_ids_and_other_tenants_ids_look_the_same() {
    let rig = Rig::start().await;
    let (_, account) = rig.connected("other-tenant").await;
    let stranger = rig.another_tenant().await;
    let unknown = AccountId::generate();
    for (method, suffix) in [
        (Method::GET, ""),
        (Method::GET, "/folders"),
        (Method::GET, "/messages"),
        (Method::POST, "/pause"),
        (Method::POST, "/resume"),
        (Method::POST, "/disconnect"),
        (Method::POST, "/sync"),
        (Method::POST, "/send"),
    ] {
        let mut seen = Vec::new();
        for id in [account, unknown] {
            let path = format!("/v1/accounts/{id}{suffix}");
            let request = rig.ask_as(&stranger, method.clone(), &path).json(&json!({}));
            let (status, problem) = answer(request.send().await.unwrap()).await;
            seen.push((status, problem.to_string().replace(&id.to_string(), "ID")));
        }
        assert_eq!(seen[0], seen[1], "{method} {suffix}");
        assert_eq!(
            seen[0].0,
            StatusCode::NOT_FOUND,
            "{method} {suffix}: {}",
            seen[0].1
        );
    }
    let (_, accounts) = answer(
        rig.ask_as(&stranger, Method::GET, "/v1/accounts")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(accounts["items"], json!([]));
    let (_, events) = rig.get("/v1/events").await;
    let event = events["items"][0]["id"].as_str().unwrap();
    let request = rig.ask_as(&stranger, Method::GET, &format!("/v1/events/{event}"));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_does_not_fit_is_told_by_field() {
    let rig = Rig::start().await;
    for (path, body, status, code, field) in [
        ("/v1/accounts", "{", 400, "invalid_json", None),
        ("/v1/accounts", "[]", 400, "invalid_field", None),
        (
            "/v1/accounts",
            r#"{"user_ref":1}"#,
            400,
            "invalid_field",
            Some("user_ref"),
        ),
        (
            "/v1/accounts",
            r#"{"colour":1}"#,
            400,
            "invalid_field",
            Some("colour"),
        ),
        ("/v1/accounts/x/pause", "{}", 400, "invalid_id", Some("id")),
        (
            "/v1/sign-in-links",
            r#"{"user_ref":" "}"#,
            422,
            "invalid_user_ref",
            Some("user_ref"),
        ),
        (
            "/v1/sign-in-links",
            r#"{"user_ref":"a\nb"}"#,
            422,
            "invalid_user_ref",
            Some("user_ref"),
        ),
        ("/v1/nothing", "{}", 404, "route_not_found", None),
    ] {
        let request = rig
            .ask(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let (seen, problem) = answer(request.send().await.unwrap()).await;
        assert_eq!(seen, status, "{path} {body}: {problem}");
        assert_eq!(problem["code"], code, "{path} {body}: {problem}");
        assert_eq!(problem["field"].as_str(), field, "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{problem}");
    }
    let (status, problem) = rig.get("/v1/events?after=yesterday").await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (400, Some("invalid_cursor"))
    );
    let (status, problem) = rig.get("/v1/accounts?limit=many").await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (400, Some("invalid_query"))
    );
    let (status, problem) = answer(rig.ask(Method::DELETE, "/v1/accounts").send().await.unwrap()).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (405, Some("method_not_allowed"))
    );
    let large = json!({ "user_ref": "x".repeat(100_000) });
    let (status, problem) = rig.post("/v1/sign-in-links", &large).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (413, Some("request_too_large"))
    );
}

#[tokio::test]
async fn a_request_id_is_echoed_and_ties_events_together() {
    let rig = Rig::start().await;
    let (_, account) = rig.connected("request-id").await;
    let id = "0193a000-0000-7000-8000-000000000001";
    let request = rig.ask(Method::POST, &format!("/v1/accounts/{account}/pause"));
    let response = request.header("x-request-id", id).send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], id);
    let (_, events) = rig.get(&format!("/v1/events?correlation={id}")).await;
    let types: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "postroom.account.state_changed.v1",
            "postroom.account.settings_changed.v1"
        ]
    );
    let response = rig.ask(Method::GET, "/v1/accounts").send().await.unwrap();
    assert!(response.headers()["x-request-id"].len() >= 32);
    let named = rig
        .ask(Method::GET, "/v1/accounts")
        .header("x-request-id", "crm 17/4");
    assert_ne!(
        named.send().await.unwrap().headers()["x-request-id"],
        "crm 17/4",
        "blanks are not taken over"
    );
    let named = rig
        .ask(Method::GET, "/v1/accounts")
        .header("x-request-id", "crm-17/4");
    assert_eq!(named.send().await.unwrap().headers()["x-request-id"], "crm-17/4");
}

#[tokio::test]
async fn accounts_are_listed_in_pages() {
    let rig = Rig::start().await;
    let (_, first) = rig.connected("page-one").await;
    let (_, second) = rig.connected("page-two").await;
    let (_, page) = rig.get("/v1/accounts?limit=1&user_ref=u1").await;
    assert_eq!(page["items"][0]["id"], first.to_string());
    let (_, page) = rig
        .get(&format!(
            "/v1/accounts?limit=1&after={}",
            page["next"].as_str().unwrap()
        ))
        .await;
    assert_eq!(page["items"][0]["id"], second.to_string());
    let (_, page) = rig.get("/v1/accounts?user_ref=somebody-else").await;
    assert_eq!(page["items"], json!([]));
}
