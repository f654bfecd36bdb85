//! Signing in to Dovecot, by password and by token.

use std::time::Duration;

use anyhow::Result;
use postroom_test_support::{
    Application, Fault, FaultMode, ImapReply, ImapStatus, Revoke, Settings, TestUser, Testbed, oauthbearer,
    xoauth2,
};

/// Writes the initial response for an address and a token.
type InitialResponse = fn(&str, &str) -> String;

const MECHANISMS: [(&str, InitialResponse); 2] = [("XOAUTH2", xoauth2), ("OAUTHBEARER", oauthbearer)];

async fn sign_in(testbed: &Testbed, user: &TestUser, mechanism: &str, response: &str) -> Result<ImapReply> {
    let mut client = testbed.imap_client().await?;
    let reply = client.authenticate(mechanism, response).await?;
    if reply.status == ImapStatus::Ok {
        client.command("SELECT INBOX").await?.ok()?;
        assert_eq!(
            client.command("NOOP").await?.status,
            ImapStatus::Ok,
            "{}",
            user.address
        );
    }
    Ok(reply)
}

#[tokio::test]
async fn a_password_opens_the_mailbox_and_a_wrong_one_does_not() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("password")?;
    let mut client = testbed.imap_client().await?;
    let refused = client.command(&format!("LOGIN {} wrong", user.address)).await?;
    assert_eq!(refused.status, ImapStatus::No);
    assert!(refused.text.contains("AUTHENTICATIONFAILED"), "{}", refused.text);
    client
        .command(&format!("LOGIN {} {}", user.address, user.password))
        .await?
        .ok()?;
    Ok(())
}

#[tokio::test]
async fn dovecot_offers_what_the_sync_needs() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("capability")?;
    let mut session = testbed.imap_session(&user).await?;
    let reply = session.command("CAPABILITY").await?.ok()?;
    let offered: Vec<&str> = reply.lines[0].text.split(' ').collect();
    for wanted in [
        "IDLE",
        "CONDSTORE",
        "QRESYNC",
        "MOVE",
        "UIDPLUS",
        "SPECIAL-USE",
        "SASL-IR",
        "NAMESPACE",
    ] {
        assert!(offered.contains(&wanted), "{wanted} is not in {offered:?}");
    }
    let reply = session.command("LIST (SPECIAL-USE) \"\" *").await?.ok()?;
    let listed: Vec<&str> = reply.lines.iter().map(|line| line.text.as_str()).collect();
    for special in ["\\Drafts", "\\Sent", "\\Trash", "\\Junk", "\\Archive"] {
        assert!(
            listed.iter().any(|line| line.contains(special)),
            "{special} is not in {listed:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_token_opens_its_own_mailbox_only() -> Result<()> {
    let testbed = Testbed::load()?;
    let (user, other) = (testbed.create_user("token")?, testbed.create_user("other")?);
    let openid = testbed.openid();
    let tokens = openid
        .mint(&user, &testbed.openid_address.native_client.id)
        .await?;
    for (mechanism, response) in MECHANISMS {
        let own = sign_in(
            &testbed,
            &user,
            mechanism,
            &response(&user.address, &tokens.access_token),
        )
        .await?;
        assert_eq!(
            (own.status, own.challenge),
            (ImapStatus::Ok, None),
            "{mechanism}: {}",
            own.text
        );
        for (address, token) in [
            (&other.address, tokens.access_token.as_str()),
            (&user.address, "nonsense"),
        ] {
            let refused = sign_in(&testbed, &user, mechanism, &response(address, token)).await?;
            assert_eq!(refused.status, ImapStatus::No, "{mechanism} let {address} in");
            assert!(refused.text.contains("AUTHENTICATIONFAILED"), "{}", refused.text);
        }
    }
    assert!(openid.counts(&user).await?.by_endpoint["introspect"] >= 4);
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_and_one_past_its_time_are_refused_with_a_reason() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("revoked")?;
    let openid = testbed.openid();
    let client = &testbed.openid_address.native_client.id;
    let revoked = openid.mint(&user, client).await?.access_token;
    openid.revoke(&user, Revoke::All).await?;
    openid
        .configure(
            &user,
            Settings {
                access_token_ttl: Some(1),
                ..Settings::default()
            },
        )
        .await?;
    let expired = openid.mint(&user, client).await?.access_token;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    for token in [revoked, expired] {
        for (mechanism, response) in MECHANISMS {
            let refused = sign_in(&testbed, &user, mechanism, &response(&user.address, &token)).await?;
            assert_eq!(refused.status, ImapStatus::No);
            let reason = refused.challenge.unwrap_or_default();
            assert!(reason.contains("\"status\":"), "{mechanism}: {reason:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn while_the_provider_fails_for_one_user_the_refusal_is_temporary_and_others_get_in() -> Result<()> {
    let testbed = Testbed::load()?;
    let (user, other) = (testbed.create_user("unlucky")?, testbed.create_user("lucky")?);
    let openid = testbed.openid();
    let client = &testbed.openid_address.native_client.id;
    let (token, others) = (
        openid.mint(&user, client).await?.access_token,
        openid.mint(&other, client).await?.access_token,
    );
    let fault = Fault::for_user(FaultMode::Unavailable, &user)
        .endpoint("introspect")
        .until_removed();
    let fault = openid.set_fault(fault).await?;

    let refused = sign_in(&testbed, &user, "XOAUTH2", &xoauth2(&user.address, &token)).await?;
    assert_eq!(refused.status, ImapStatus::No);
    assert!(refused.text.contains("UNAVAILABLE"), "{}", refused.text);
    let neighbour = sign_in(&testbed, &other, "XOAUTH2", &xoauth2(&other.address, &others)).await?;
    assert_eq!(neighbour.status, ImapStatus::Ok);

    assert!(fault.hits().await? >= 1);
    fault.remove().await?;
    let again = sign_in(&testbed, &user, "XOAUTH2", &xoauth2(&user.address, &token)).await?;
    assert_eq!(again.status, ImapStatus::Ok);
    Ok(())
}

#[tokio::test]
async fn an_application_opens_every_mailbox_of_its_domain_and_no_other() -> Result<()> {
    let testbed = Testbed::load()?;
    let openid = testbed.openid();
    let users = [testbed.create_user("app-one")?, testbed.create_user("app-two")?];
    let token_for = async |domain: &str| -> Result<String> {
        let application = Application {
            mail_domain: Some(domain),
            ..Application::default()
        };
        let client = openid.create_application(application).await?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
            ("scope", "https://outlook.office365.com/.default"),
        ];
        let url = format!("{}/common/oauth2/v2.0/token", testbed.openid_address.issuer);
        let request = reqwest::Client::new().post(url).form(&form);
        let answer: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
        Ok(answer["access_token"].as_str().unwrap_or_default().to_owned())
    };
    let (ours, others) = (
        token_for(&testbed.domain).await?,
        token_for("other.example").await?,
    );
    for user in &users {
        for (mechanism, response) in MECHANISMS {
            let own = sign_in(&testbed, user, mechanism, &response(&user.address, &ours)).await?;
            assert_eq!(own.status, ImapStatus::Ok, "{mechanism}: {}", own.text);
            let refused = sign_in(&testbed, user, mechanism, &response(&user.address, &others)).await?;
            assert_eq!(refused.status, ImapStatus::No, "{mechanism}");
        }
    }
    Ok(())
}
