//! An administrator must approve first: the account waits, the link is passed on, and the approval wakes it.
//!
//! A stand-in plays Microsoft: its own tenants cannot be made to say this on command.

use std::time::Duration;

use postroom_providers::{
    ClientProof, IdentitySource, OAuthRegistration, Reach, RegisteredClient, RegistrationKind,
};
use postroom_store::leases;
use postroom_test_support::Testbed;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use url::Url;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

use crate::rig::{Browser, Rig, Seen};

const TOKEN_PATH: &str = "/contoso.example/oauth2/v2.0/token";

fn microsoft(server: &MockServer, testbed: &Testbed, app_only: bool) -> OAuthRegistration {
    let client = RegisteredClient {
        id: "client".to_owned(),
        proof: ClientProof::secret(Some("secret".into())),
    };
    let kind = match app_only {
        true => RegistrationKind::AppOnly(client),
        false => RegistrationKind::Delegated(client),
    };
    OAuthRegistration {
        tenant: Some("contoso.example".to_owned()),
        base_url: Some(server.uri().parse().unwrap()),
        reach: Reach {
            tenants: None,
            domains: Some(vec!["contoso.example".to_owned(), testbed.domain.clone()]),
        },
        ..OAuthRegistration::new("ms", IdentitySource::parse("microsoft"), kind)
    }
}

async fn rig(app_only: bool) -> (MockServer, Rig) {
    let server = MockServer::start().await;
    let testbed = Testbed::load().unwrap();
    let rig = Rig::start_with(vec![microsoft(&server, &testbed, app_only)]).await;
    (server, rig)
}

fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned()
}

fn request(rig: &Rig, address: &str) -> Value {
    json!({
        "user_ref": "u1", "address": address, "method": "oauth2", "registration": "ms",
        "imap": rig.imap(), "smtp": rig.smtp(),
    })
}

/// Follows a link of the API to the provider, which sends the browser back saying that an administrator must approve.
async fn needs_approval<'r>(rig: &'r Rig, link: &Value) -> (Browser<'r>, Seen) {
    let (browser, location) = rig.enter(link["authorization_url"].as_str().unwrap()).await;
    let leaving = browser.submit(&location, &location, &[]).await;
    let state = parameter(&leaving.onward(), "state");
    let query =
        "error=access_denied&error_description=AADSTS90094%3A%20The%20grant%20requires%20admin%20permission.";
    let seen = browser
        .open(&format!("/oauth/callback?{query}&state={state}"))
        .await;
    (browser, seen)
}

/// Opens the link as an administrator in a browser of their own; gives what the provider is asked with.
async fn open_link(rig: &Rig, account: &Value) -> String {
    let link = account["admin_consent_url"]
        .as_str()
        .unwrap_or_else(|| panic!("{account}"));
    let path = link.strip_prefix(&rig.base).unwrap();
    let response = rig.plain(Method::GET, path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

async fn answer(rig: &Rig, query: &str) -> (StatusCode, String) {
    let response = rig
        .plain(Method::GET, &format!("/oauth/admin-consent?{query}"))
        .send()
        .await
        .unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_new_address_waits_and_the_approval_asks_its_person_to_connect() {
    let (server, rig) = rig(false).await;
    let (_, link) = rig
        .post("/v1/accounts", &request(&rig, "ada@contoso.example"))
        .await;
    let (browser, seen) = needs_approval(&rig, &link).await;
    let page = seen.location.unwrap();
    let shown = browser.open(&page).await;
    shown.shows("id=\"approval-link\"");
    shown.shows("must approve this application");
    let id = page.trim_start_matches("/accounts/");
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    assert_eq!(
        (
            &account["state"],
            &account["cause"],
            &account["credential_generation"]
        ),
        (
            &json!("awaiting_admin"),
            &json!("admin_approval_required"),
            &json!(0)
        )
    );
    assert_eq!(
        leases::count_needed(rig.store.read()).await.unwrap(),
        0,
        "nobody looks after it"
    );
    assert_eq!(rig.event_types().await, ["account.state_changed"]);

    let asked = open_link(&rig, &account).await;
    assert!(
        asked.starts_with(&format!("{}/contoso.example/v2.0/adminconsent?", server.uri())),
        "{asked}"
    );
    assert!(!asked.contains("ada"), "{asked}");
    assert_eq!(
        parameter(&asked, "redirect_uri"),
        format!("{}/oauth/admin-consent", rig.base)
    );
    let state = parameter(&asked, "state");

    let (status, html) = answer(&rig, &format!("error=access_denied&state={state}")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{html}");
    assert!(html.contains("has not approved"), "{html}");
    let (status, _) = answer(&rig, &format!("admin_consent=True&state={state}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "an answer is taken once");
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    assert_eq!(account["state"], "awaiting_admin");

    let state = parameter(&open_link(&rig, &account).await, "state");
    let (status, html) = answer(
        &rig,
        &format!("admin_consent=True&tenant=contoso.example&state={state}"),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{html}");
    assert!(!html.contains("ada@"), "{html}");
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    assert_eq!(
        (
            &account["state"],
            &account["cause"],
            &account["sentence"],
            &account["next_step"]["kind"]
        ),
        (
            &json!("needs_reauthorization"),
            &json!("admin_approved"),
            &json!("Your administrator has approved. Connect now."),
            &json!("reconnect")
        )
    );
    assert!(account.get("admin_consent_url").is_none(), "{account}");
}

#[tokio::test]
async fn an_account_that_works_keeps_its_way_in() {
    let (_server, rig) = rig(false).await;
    let (_, id) = rig.connected("approval-kept").await;
    let change = json!({ "method": "oauth2", "registration": "ms" });
    let (_, link) = rig.post(&format!("/v1/accounts/{id}/reconnect"), &change).await;
    let (_, seen) = needs_approval(&rig, &link).await;
    seen.shows("data-code=\"admin_approval_required\"");
    seen.shows("id=\"approval-link\"");
    let (_, account) = rig.get(&format!("/v1/accounts/{id}")).await;
    assert_eq!(
        (&account["state"], &account["method"]),
        (&json!("syncing"), &json!("password"))
    );
    assert!(account["admin_consent_url"].is_string(), "{account}");
}

#[tokio::test]
async fn a_link_that_is_unknown_or_too_old_says_nothing() {
    let (_server, rig) = rig(false).await;
    let (_, link) = rig
        .post("/v1/accounts", &request(&rig, "ada@contoso.example"))
        .await;
    needs_approval(&rig, &link).await;
    let (_, accounts) = rig.get("/v1/accounts").await;
    let url = accounts["items"][0]["admin_consent_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let state = parameter(&open_link(&rig, &accounts["items"][0]).await, "state");
    rig.clock.advance(Duration::from_secs(14 * 24 * 60 * 60 + 1));
    for path in [url.strip_prefix(&rig.base).unwrap(), "/approve/nothing"] {
        let response = rig.plain(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(!response.text().await.unwrap().contains("contoso"));
    }
    let (status, _) = answer(&rig, &format!("admin_consent=True&state={state}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer(&rig, "admin_consent=True").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_application_is_tried_again_at_once() {
    let (server, rig) = rig(true).await;
    let refusal = json!({ "error": "unauthorized_client", "error_description": "AADSTS700016: not found" });
    Mock::given(path(TOKEN_PATH))
        .respond_with(ResponseTemplate::new(400).set_body_json(refusal))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let user = rig.testbed.create_user("approval-app").unwrap();
    let (status, account) = rig.post("/v1/accounts", &request(&rig, &user.address)).await;
    assert_eq!(
        (status, &account["state"]),
        (StatusCode::CREATED, &json!("awaiting_admin")),
        "{account}"
    );

    let client = rig
        .testbed
        .openid()
        .create_client("http://127.0.0.1:8025/oauth/callback")
        .await
        .unwrap();
    let minted = rig.testbed.openid().mint(&user, &client.id).await.unwrap();
    let tokens = json!({ "access_token": minted.access_token, "token_type": "Bearer", "expires_in": 3600 });
    Mock::given(path(TOKEN_PATH))
        .respond_with(ResponseTemplate::new(200).set_body_json(tokens))
        .mount(&server)
        .await;
    let state = parameter(&open_link(&rig, &account).await, "state");
    let (status, html) = answer(&rig, &format!("admin_consent=True&state={state}")).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    let path = format!("/v1/accounts/{}", account["id"].as_str().unwrap());
    postroom_test_support::eventually(Duration::from_secs(20), "the account to be connected", || async {
        rig.get(&path).await.1["state"] == "syncing"
    })
    .await;
    let (_, account) = rig.get(&path).await;
    assert_eq!(account["credential_generation"], 1);
    assert!(rig.event_types().await.contains(&"account.connected".to_owned()));
}
