//! The device-code flow, at a real provider; only what it will not say on command is said by a stand-in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{at, connect, microsoft, registration};
use postroom_events::WhoCanAct;
use postroom_oauth::{DeviceAuthorization, IdentityProvider, TokenError, Tokens};
use postroom_test_support::{
    Application, Decision, Fault, FaultMode, ImapStatus, TestUser, Testbed, WebClient, xoauth2,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The provider says no pace, so this one holds (RFC 8628 section 3.2), and the step of `slow_down` (section 3.5).
const PACE: Duration = Duration::from_secs(5);

struct World {
    testbed: Testbed,
    user: TestUser,
    client: WebClient,
    provider: Arc<IdentityProvider>,
}

impl World {
    async fn new(name: &str, device_code_ttl: Option<u32>) -> Self {
        let testbed = Testbed::load().unwrap();
        let user = testbed.create_user(name).unwrap();
        let application = Application {
            device_code_ttl,
            ..Application::default()
        };
        let client = testbed.openid().create_application(application).await.unwrap();
        let registration = registration(&testbed.openid_address.issuer, &client.id, Some(&client.secret));
        let provider = connect(registration, Duration::from_secs(20)).await.unwrap();
        Self {
            testbed,
            user,
            client,
            provider,
        }
    }

    async fn person(&self, device: &DeviceAuthorization, decision: Decision) {
        self.testbed
            .openid()
            .enter_device_code(
                &self.user,
                device.verification_uri(),
                device.user_code(),
                decision,
            )
            .await
            .unwrap();
    }

    /// Waits for the person in a task of its own, as a command does: it must be `Send`.
    fn wait(&self, device: &DeviceAuthorization) -> tokio::task::JoinHandle<Result<Tokens, TokenError>> {
        let (provider, device) = (self.provider.clone(), device.clone());
        tokio::spawn(async move { provider.finish_device(&device).await })
    }

    async fn fault(&self, mode: FaultMode) {
        let fault = Fault::for_client(mode, &self.client.id);
        self.testbed.openid().set_fault(fault).await.unwrap();
    }
}

#[tokio::test]
async fn a_person_signs_in_elsewhere_and_the_mailbox_opens() {
    let world = World::new("device", None).await;
    let device = world.provider.begin_device().await.unwrap();
    let waiting = world.wait(&device);
    world.person(&device, Decision::Accept).await;
    let tokens = waiting.await.unwrap().unwrap();
    let mut imap = world.testbed.imap_client().await.unwrap();
    let response = xoauth2(&world.user.address, tokens.access_token.expose_secret());
    assert_eq!(
        imap.authenticate("XOAUTH2", &response).await.unwrap().status,
        ImapStatus::Ok
    );
    let next = world.provider.refresh(&tokens.refresh_token.unwrap()).await;
    assert!(next.is_ok(), "the grant lives on");
    let again = world.provider.finish_device(&device).await.unwrap_err();
    assert_eq!(again.code(), "code_used_or_expired", "a code works once");
}

#[tokio::test]
async fn a_person_who_declines_is_heard() {
    let world = World::new("device-no", None).await;
    let device = world.provider.begin_device().await.unwrap();
    let waiting = world.wait(&device);
    world.person(&device, Decision::Cancel).await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.who_acts()),
        ("consent_declined", WhoCanAct::User)
    );
}

#[tokio::test]
async fn slow_down_is_obeyed_and_a_lost_connection_is_waited_out() {
    let world = World::new("device-slow", None).await;
    let device = world.provider.begin_device().await.unwrap();
    world.fault(FaultMode::SlowDown).await;
    world.person(&device, Decision::Accept).await;
    let begun = Instant::now();
    world.provider.finish_device(&device).await.unwrap();
    assert!(begun.elapsed() >= 2 * PACE, "{:?}", begun.elapsed());

    let device = world.provider.begin_device().await.unwrap();
    world.fault(FaultMode::Reset).await;
    world.person(&device, Decision::Accept).await;
    world.provider.finish_device(&device).await.unwrap();
}

#[tokio::test]
async fn a_code_whose_time_is_over_ends_the_waiting() {
    let world = World::new("device-late", Some(3)).await;
    let device = world.provider.begin_device().await.unwrap();
    assert_eq!(device.expires_in(), Duration::from_secs(3));
    let begun = Instant::now();
    let error = world.provider.finish_device(&device).await.unwrap_err();
    assert_eq!(error.code(), "code_used_or_expired");
    assert!(begun.elapsed() < 2 * PACE, "{:?}", begun.elapsed());
    let openid = world.testbed.openid();
    let gone = openid.enter_device_code(
        &world.user,
        device.verification_uri(),
        device.user_code(),
        Decision::Accept,
    );
    assert!(gone.await.is_err(), "the provider has forgotten it");

    let device = world.provider.begin_device().await.unwrap();
    world.fault(FaultMode::ExpiredToken).await;
    let error = world.provider.finish_device(&device).await.unwrap_err();
    assert_eq!(error.code(), "code_used_or_expired", "the provider's own word");
}

async fn answer(server: &MockServer, at: &str, status: u16, body: Value) {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(path(at)).respond_with(answer).mount(server).await;
}

const CODE_PATH: &str = "/contoso.example/oauth2/v2.0/devicecode";

fn codes(user_code: &str) -> Value {
    json!({
        "device_code": "canary", "user_code": user_code, "verification_uri": "https://login.example/device",
        "expires_in": 900, "interval": 1
    })
}

#[tokio::test]
async fn what_microsoft_says_besides_is_heard_too() {
    let (server, provider) = microsoft().await;
    answer(&server, CODE_PATH, 200, codes("ABC-DEF")).await;
    let refusal = json!({
        "error": "authorization_declined", "error_codes": [90094], "error_description": "AADSTS90094: canary"
    });
    answer(&server, crate::support::TOKEN_PATH, 400, refusal).await;
    let device = provider.begin_device().await.unwrap();
    assert!(!format!("{device:?}").contains("canary"));
    let error = provider.finish_device(&device).await.unwrap_err();
    assert_eq!(
        (error.code(), error.aadsts),
        ("admin_approval_required", Some(90094))
    );
}

#[tokio::test]
async fn a_code_that_would_command_a_terminal_is_refused() {
    let server = MockServer::start().await;
    answer(&server, CODE_PATH, 200, codes("ABC\u{1b}[2J")).await;
    let registration = at(&server, registration("microsoft", "client", None));
    let provider = connect(registration, Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        provider.begin_device().await.unwrap_err().code(),
        "answer_not_understood"
    );
}

#[tokio::test]
async fn a_provider_without_it_says_so() {
    let provider = connect(registration("google", "client", None), Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(
        provider.begin_device().await.unwrap_err().code(),
        "metadata_unusable"
    );
}
