//! account-manager is killed while it proves a way in: nothing half-made stays behind.

use postroom_e2e::{Mode, Stack, StackOptions, connect_request, in_both_modes};
use postroom_test_support::{Testbed, eventually};
use reqwest::Method;
use serde_json::json;

use crate::{PATIENCE, imap_proxy};

in_both_modes!(nothing_half_made_stays_behind);

async fn nothing_half_made_stays_behind(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let user = testbed.create_user("connecting").unwrap();
    let proxy = imap_proxy(&testbed).await;
    let mut stack = Stack::start(mode, StackOptions::default()).await.unwrap();
    let mut request = connect_request(&testbed, &user);
    request["imap"]["port"] = json!(proxy.port());

    proxy.hold();
    let asking = stack.api.request(Method::POST, "/v1/accounts").json(&request);
    let asked = tokio::spawn(asking.send());
    eventually(PATIENCE, "the proof to begin", async || proxy.accepted() > 0).await;
    let name = stack.process_of("account-manager").to_owned();
    stack.kill(&name).unwrap();
    assert!(asked.await.unwrap().is_err(), "there was an answer");
    proxy.cut();
    proxy.release();
    stack.restart(&name).await.unwrap();

    let accounts = stack.api.get("/v1/accounts").await.unwrap();
    assert_eq!(accounts["items"], json!([]));
    assert!(stack.events("").await.unwrap().is_empty());
    let account = stack.connect(&request).await.unwrap();
    stack.wait_for_state(&account, "connected", PATIENCE).await;
}
