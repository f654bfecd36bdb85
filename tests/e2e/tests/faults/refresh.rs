//! token-refresher is killed while the provider has not answered yet. What the provider did meanwhile decides.

use std::time::Duration;

use postroom_e2e::{Mode, Stack, StackOptions, in_both_modes, small_mail};
use postroom_test_support::{
    Fault, FaultMode, PendingFault, Rotation, Settings, TestUser, Testbed, eventually,
};

use crate::{PATIENCE, wait_for_announced};

/// Lifetime of the first access token; it is refreshed after three quarters of that.
const TOKEN_SECONDS: u32 = 12;
/// How long the provider waits before it acts: the kill comes before it, and its answer has nobody to go to.
const SLOW: Duration = Duration::from_secs(3);

in_both_modes!(a_refresh_that_was_cut_short_is_made_good);

/// One whose mailbox is at a provider that behaves in some way.
struct Person {
    user: TestUser,
    account: String,
    fault: PendingFault,
}

impl Person {
    async fn connect(
        testbed: &Testbed,
        stack: &Stack,
        name: &str,
        rotation: Rotation,
        mode: FaultMode,
    ) -> Self {
        let user = testbed.create_user(name).unwrap();
        let openid = testbed.openid();
        let lifetime = |seconds| Settings {
            access_token_ttl: Some(seconds),
            rotation: Some(rotation),
            ..Settings::default()
        };
        openid.configure(&user, lifetime(TOKEN_SECONDS)).await.unwrap();
        let account = stack.connect_by_oauth(testbed, &user).await.unwrap();
        openid.configure(&user, lifetime(3600)).await.unwrap();
        let fault = Fault::for_user(mode, &user)
            .grant_type("refresh_token")
            .delay(SLOW);
        Self {
            fault: openid.set_fault(fault).await.unwrap(),
            user,
            account,
        }
    }

    async fn is_asked_for(&self) {
        eventually(PATIENCE, "the provider to be asked", async || {
            self.fault.hits().await.unwrap() == 1
        })
        .await;
    }

    async fn receives(&self, testbed: &Testbed, stack: &Stack) {
        testbed
            .deliver(&self.user, &small_mail("after the fault"))
            .await
            .unwrap();
        wait_for_announced(stack, &self.account, &["after the fault"]).await;
    }
}

async fn a_refresh_that_was_cut_short_is_made_good(mode: Mode) {
    let testbed = Testbed::load().unwrap();
    let options = StackOptions::with_openid(&testbed).await.unwrap();
    let mut stack = Stack::start(mode, options).await.unwrap();
    // The provider never got to it; it acted, and the old token still works; it acted, and the old token is spent.
    let (untouched, lenient, strict) = tokio::join!(
        Person::connect(
            &testbed,
            &stack,
            "refresh-hang",
            Rotation::Strict,
            FaultMode::Hang
        ),
        Person::connect(
            &testbed,
            &stack,
            "refresh-lenient",
            Rotation::Lenient,
            FaultMode::Slow
        ),
        Person::connect(
            &testbed,
            &stack,
            "refresh-strict",
            Rotation::Strict,
            FaultMode::Slow
        ),
    );
    tokio::join!(
        untouched.is_asked_for(),
        lenient.is_asked_for(),
        strict.is_asked_for()
    );
    let name = stack.process_of("token-refresher").to_owned();
    stack.kill(&name).unwrap();
    tokio::time::sleep(SLOW).await; // the provider acts now, and its answers have nobody to go to
    stack.restart(&name).await.unwrap();

    for person in [&untouched, &lenient] {
        stack.wait_for_state(&person.account, "connected", PATIENCE).await;
    }
    let refreshed = stack.wait_for_events("type=token.refreshed", 2, PATIENCE).await;
    assert_eq!(refreshed.len(), 2, "each once: {refreshed:?}");
    for person in [&untouched, &lenient] {
        person.receives(&testbed, &stack).await;
        let asked = format!("account={}&type=account.reauthorization_required", person.account);
        assert!(stack.events(&asked).await.unwrap().is_empty());
    }
    the_lost_rotation_is_told_and_mended(&testbed, &stack, &strict).await;
    assert!(stack.dead_letters().await.unwrap().is_empty());
}

/// The one loss that no client can prevent; it has a cause of its own, and connecting again ends it.
async fn the_lost_rotation_is_told_and_mended(testbed: &Testbed, stack: &Stack, strict: &Person) {
    stack
        .wait_for_state(&strict.account, "needs_reauthorization", PATIENCE)
        .await;
    let shown = stack.account(&strict.account).await.unwrap();
    assert_eq!(shown["cause"], "rotation_lost", "{shown}");
    assert_eq!(shown["who_can_act"], "user", "{shown}");
    stack
        .reconnect_by_oauth(testbed, &strict.user, &strict.account)
        .await
        .unwrap();
    stack.wait_for_state(&strict.account, "connected", PATIENCE).await;
    strict.receives(testbed, stack).await;
}
