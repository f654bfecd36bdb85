//! Grants without a refresh token, where nobody signs in at the provider: the next token is obtained as the first one was.

use std::io::Write;

use chrono::TimeDelta;
use postroom_store::grants::{self, NewGrant, NewTokens};
use postroom_test_support::{Application, ImapStatus, xoauth2};
use secrecy::{ExposeSecret, SecretString};

use crate::rig::Rig;

crate::in_both_worlds!(an_application_gets_its_next_token_by_itself);

async fn an_application_gets_its_next_token_by_itself(rig: Rig) {
    let domain = rig.testbed.domain.clone();
    let application = Application {
        mail_domain: Some(&domain),
        ..Application::default()
    };
    let client = rig
        .testbed
        .openid()
        .create_application(application)
        .await
        .unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(rig.oauth_file())
        .unwrap();
    write!(
        file,
        "[[registration]]\nid = \"app\"\nkind = \"app_only\"\nprovider = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = \"{}\"\nscopes = [\"https://outlook.office365.com/.default\"]\n\
         used_by = [\"{}\"]\ndomains = [\"{domain}\"]\n",
        rig.testbed.openid_address.issuer, client.id, client.secret, rig.tenant_id
    )
    .unwrap();
    let running = rig.start().await;
    let user = rig.user("app-refresh").await;
    let now = rig.now().await;
    let tokens = NewTokens {
        access_token: SecretString::from("old"),
        expires_at: Some(now + TimeDelta::seconds(30)),
        refresh_token: None,
        scopes: String::new(),
        refresh_due_at: None, // planned when the account is connected
    };
    let tx = running.parts.store.begin("test.grant").await.unwrap();
    let new = NewGrant {
        tenant_id: rig.tenant_id,
        provider_id: "app".into(),
        subject: "application".into(),
        identity_address: None,
        tokens,
    };
    let id = grants::add(&tx, &rig.keys, new).await.unwrap();
    tx.commit().await.unwrap();
    rig.connect_to(&running, id, &user.address).await;
    rig.connect_to(&running, id, "nobody@uncovered.example").await;
    let planned = postroom_test_support::eventually(crate::rig::PATIENCE, "a plan", || async {
        let grant = grants::find(rig.store.read(), rig.tenant_id, id).await.unwrap();
        grant.refresh_due_at.map(|_| grant)
    });
    let due = planned.await.refresh_due_at.unwrap();
    assert!(due > now && due < now + TimeDelta::seconds(30), "{due}");
    let tx = running.parts.store.begin("test.due").await.unwrap();
    postroom_store::refreshes::set_due(&tx, &[id], now).await.unwrap();
    tx.commit().await.unwrap();

    let grant = rig.reaches(id, 2).await;
    assert!(grant.sealed_refresh_token.is_none() && grant.refresh_due_at.is_some());
    let token = grants::open_access_token(&rig.keys, &grant).unwrap().unwrap();
    let mut imap = rig.testbed.imap_client().await.unwrap();
    let response = xoauth2(&user.address, token.expose_secret());
    assert_eq!(
        imap.authenticate("XOAUTH2", &response).await.unwrap().status,
        ImapStatus::Ok
    );
    running.stop().await;
}
