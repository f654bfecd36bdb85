//! No password and no token is in anything that is written or said: logs at their most talkative, traces, the event log, errors,
//! the database, dead letters; also when sign-ins are refused, providers fail and processes are killed.

mod needles;
mod scan;
mod tokens;

use std::time::Duration;

use postroom_e2e::{Mode, Stack, StackOptions, connect_request, in_both_modes, small_mail};
use postroom_test_support::{Fault, FaultMode, Revoke, Settings, TestUser, Testbed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use self::{needles::Needles, scan::Haystack, tokens::TokenWatch};
use crate::{PATIENCE, letter, wait_for_announced};

const TOKEN_SECONDS: u32 = 10;

in_both_modes!(no_secret_is_written_or_said);

/// Everything that happens in the run, and what must not show.
struct Run {
    testbed: Testbed,
    stack: Stack,
    needles: Needles,
    said: Haystack,
}

async fn no_secret_is_written_or_said(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let collector = MockServer::start().await;
    let traces = Mock::given(matchers::path("/v1/traces")).respond_with(ResponseTemplate::new(200));
    traces.mount(&collector).await;
    let mut options = StackOptions::with_openid(&testbed).await.unwrap();
    options.environment = vec![
        ("POSTROOM_LOG".to_owned(), "trace".to_owned()),
        ("POSTROOM_OTLP_ENDPOINT".to_owned(), collector.uri()),
    ];
    let mut needles = Needles::default();
    needles.add_client_secret(options.oauth_toml.as_deref().unwrap());
    let stack = Stack::start(mode, options).await.unwrap();
    needles.add_keys(&stack);
    let mut run = Run {
        testbed,
        stack,
        needles,
        said: Haystack::default(),
    };

    run.refused_at_the_door().await;
    let mut bob = run.testbed.create_user("canary-bob").unwrap();
    let ada = run.testbed.create_user("canary-ada").unwrap();
    run.testbed
        .set_password(&mut bob, "canary-4f1c83b7e2-first")
        .await
        .unwrap();
    for user in [&ada, &bob] {
        run.needles.add_password(user);
    }
    let (by_oauth, by_password) = run.connect(&ada, &bob).await;
    let watch = TokenWatch::start(&run.stack, &by_oauth).await;
    run.mail_flows_and_tokens_change(&ada, &by_oauth, &by_password, &bob)
        .await;
    run.everybody_is_killed().await;
    run.ways_in_are_taken_away(&ada, &by_oauth, &mut bob, &by_password)
        .await;

    for token in watch.stop().await {
        run.needles.add_token(&ada.address, &token);
    }
    run.collect(&collector).await;
    run.needles.assert_absent(&run.said);
    for place in [".err", "trace"] {
        for user in [&ada, &bob] {
            assert!(
                !run.said.holds(place, user.address.as_bytes()),
                "an address in {place}"
            );
        }
    }
    // What is looked for in this way is found.
    assert!(
        run.said.holds("database", b"canary-bob"),
        "the database knows the addresses"
    );
    assert!(run.said.holds("trace", b"imap.visit"), "traces were exported");
    assert!(
        run.said.holds(".err", b"TRACE"),
        "logs were at their most talkative"
    );
}

impl Run {
    /// Requests that are refused, each with a secret in it.
    async fn refused_at_the_door(&mut self) {
        let user = self.testbed.create_user("canary-refused").unwrap();
        let mut wrong = user.clone();
        wrong.password = "canary-90d2ab6c11-wrong".to_owned();
        self.needles.add_password(&wrong);
        let good = connect_request(&self.testbed, &wrong);
        let change = |field: &str, value: Value| {
            let mut request = good.clone();
            request[field] = value;
            request
        };
        let number: u64 = 771_234_412_341_239_907;
        self.needles
            .add("a password that is a number", number.to_string().as_bytes());
        for (request, status) in [
            (good.clone(), StatusCode::UNPROCESSABLE_ENTITY),
            (
                change("address", json!("nobody")),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                change("imap", json!({ "host": "nowhere.invalid", "port": 993 })),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            (
                change("password", json!([wrong.password])),
                StatusCode::BAD_REQUEST,
            ),
            (change("password", json!(number)), StatusCode::BAD_REQUEST),
            (change("passwort", json!(wrong.password)), StatusCode::BAD_REQUEST),
            (
                change("password", json!(format!("{}\r\nx", wrong.password))),
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
        ] {
            let asked = self
                .stack
                .api
                .request(Method::POST, "/v1/accounts")
                .json(&request);
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.status(), status, "{request}");
            self.said
                .add("an answer of the API", answer.bytes().await.unwrap().to_vec());
        }
    }

    async fn connect(&self, ada: &TestUser, bob: &TestUser) -> (String, String) {
        let short = Settings {
            access_token_ttl: Some(TOKEN_SECONDS),
            ..Settings::default()
        };
        self.testbed.openid().configure(ada, short).await.unwrap();
        let by_oauth = self.stack.connect_by_oauth(&self.testbed, ada).await.unwrap();
        let by_password = self.stack.connect_by_password(&self.testbed, bob).await.unwrap();
        for account in [&by_oauth, &by_password] {
            self.stack.wait_for_state(account, "connected", PATIENCE).await;
        }
        (by_oauth, by_password)
    }

    /// Mail both ways; a refresh that works, and one that meets a provider out of order.
    async fn mail_flows_and_tokens_change(
        &self,
        ada: &TestUser,
        by_oauth: &str,
        by_password: &str,
        bob: &TestUser,
    ) {
        for (from, to) in [(by_oauth, bob), (by_password, ada)] {
            let id = self.stack.send(from, &letter(to, "Canaries sing")).await.unwrap();
            self.stack.wait_for_submission(&id, "sent", PATIENCE).await;
        }
        self.stack
            .wait_for_events("type=token.refreshed", 1, PATIENCE)
            .await;
        let openid = self.testbed.openid();
        for mode in [FaultMode::ServerError, FaultMode::Html] {
            let fault = Fault::for_user(mode, ada).grant_type("refresh_token");
            openid.set_fault(fault).await.unwrap();
        }
        self.stack
            .wait_for_events("type=token.refreshed", 2, PATIENCE)
            .await;
    }

    async fn everybody_is_killed(&mut self) {
        let names: Vec<String> = self.stack.processes.keys().cloned().collect();
        for name in &names {
            self.stack.kill(name).unwrap();
        }
        for name in &names {
            self.stack.restart(name).await.unwrap();
        }
    }

    /// Another password, a grant that is taken away; the person comes back with the new one and with a new permission.
    async fn ways_in_are_taken_away(
        &mut self,
        ada: &TestUser,
        by_oauth: &str,
        bob: &mut TestUser,
        by_password: &str,
    ) {
        self.testbed
            .set_password(bob, "canary-a80e55d1c9-second")
            .await
            .unwrap();
        self.needles.add_password(bob);
        self.testbed.kick(bob).await.unwrap();
        self.testbed.openid().revoke(ada, Revoke::All).await.unwrap();
        for account in [by_oauth, by_password] {
            self.stack
                .wait_for_state(account, "needs_reauthorization", PATIENCE)
                .await;
        }
        let again = json!({ "method": "password", "password": bob.password });
        let path = format!("/v1/accounts/{by_password}/reconnect");
        self.stack.api.post(&path, &again).await.unwrap();
        self.stack
            .reconnect_by_oauth(&self.testbed, ada, by_oauth)
            .await
            .unwrap();
        for (user, account) in [(&*bob, by_password), (ada, by_oauth)] {
            self.stack.wait_for_state(account, "connected", PATIENCE).await;
            self.testbed
                .deliver(user, &small_mail("back again"))
                .await
                .unwrap();
            wait_for_announced(&self.stack, account, &["Canaries sing", "back again"]).await;
        }
    }

    /// Stops everything in order, and gathers what it has written and said.
    async fn collect(&mut self, collector: &MockServer) {
        self.said.add_api(&self.stack).await;
        for process in self.stack.processes.values_mut() {
            assert!(process.terminate().await.unwrap().success());
        }
        self.said.add_files(&self.stack);
        self.said.add_database(&self.stack);
        for request in collector.received_requests().await.unwrap() {
            self.said.add("a trace", request.body);
        }
    }
}

/// How often there is a look for new tokens.
const LOOK_EVERY: Duration = Duration::from_millis(200);
