//! Sending through Postfix: who may, what arrives, what is refused, and what bounces later.

use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_test_support::{Dialogue, Reply, TestUser, Testbed, eventually, oauthbearer, xoauth2};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::tls;

type Submission = Dialogue<TlsStream<TcpStream>>;

async fn signed_in(testbed: &Testbed, user: &TestUser) -> Result<Submission> {
    let mut smtp = tls::submission(testbed, &testbed.submission.host).await?;
    let plain = STANDARD.encode(format!("\0{}\0{}", user.address, user.password));
    smtp.command(&format!("AUTH PLAIN {plain}"))
        .await?
        .expect_code(235)?;
    Ok(smtp)
}

async fn send(smtp: &mut Submission, from: &TestUser, to: &str, raw: &str) -> Result<Reply> {
    smtp.command(&format!("MAIL FROM:<{}>", from.address))
        .await?
        .expect_code(250)?;
    smtp.command(&format!("RCPT TO:<{to}>")).await?.expect_code(250)?;
    smtp.command("DATA").await?.expect_code(354)?;
    smtp.send_message(raw.as_bytes()).await?;
    smtp.reply().await
}

fn message(from: &TestUser, to: &str, subject: &str) -> String {
    format!(
        "From: {}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nhello\r\n",
        from.address
    )
}

#[tokio::test]
async fn mail_reaches_another_mailbox() -> Result<()> {
    let testbed = Testbed::load()?;
    let (from, to) = (testbed.create_user("from")?, testbed.create_user("to")?);
    let mut smtp = signed_in(&testbed, &from).await?;
    let raw = message(&from, &to.address, "across");
    send(&mut smtp, &from, &to.address, &raw)
        .await?
        .expect_code(250)?;
    let mailbox = eventually(Duration::from_secs(10), "the mail to arrive", || async {
        testbed
            .mailbox_raw(&to, "INBOX")
            .await
            .ok()
            .filter(|mailbox| !mailbox.is_empty())
    })
    .await;
    let text = String::from_utf8(mailbox[0].clone())?;
    assert!(
        text.ends_with("\r\n\r\nhello\r\n") && text.contains("Subject: across\r\n"),
        "{text}"
    );
    // Postfix saves no Sent copy: the client has to
    assert_eq!(testbed.mailbox_count(&from, "Sent").await?, 0);
    Ok(())
}

#[tokio::test]
async fn tokens_sign_in_and_wrong_ones_hear_why() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("smtp-token")?;
    let token = testbed
        .openid()
        .mint(&user, &testbed.openid_address.native_client.id)
        .await?
        .access_token;
    for (mechanism, response, answer) in [
        ("XOAUTH2", xoauth2 as fn(&str, &str) -> String, ""),
        ("OAUTHBEARER", oauthbearer, "AQ=="),
    ] {
        let initial = |token| STANDARD.encode(response(&user.address, token));
        let mut smtp = tls::submission(&testbed, &testbed.submission.host).await?;
        smtp.command(&format!("AUTH {mechanism} {}", initial(&token)))
            .await?
            .expect_code(235)?;

        let mut smtp = tls::submission(&testbed, &testbed.submission.host).await?;
        let challenge = smtp
            .command(&format!("AUTH {mechanism} {}", initial("bad")))
            .await?
            .expect_code(334)?;
        let reason = String::from_utf8(STANDARD.decode(challenge.text)?)?;
        assert!(reason.contains("\"status\":"), "{reason}");
        smtp.command(answer).await?.expect_code(535)?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_sends_without_signing_in_or_as_somebody_else() -> Result<()> {
    let testbed = Testbed::load()?;
    let (user, other) = (testbed.create_user("honest")?, testbed.create_user("victim")?);
    let mut anonymous = tls::submission(&testbed, &testbed.submission.host).await?;
    anonymous
        .command(&format!("MAIL FROM:<{}>", user.address))
        .await?
        .expect_code(250)?;
    let reply = anonymous.command(&format!("RCPT TO:<{}>", other.address)).await?;
    assert!((500..600).contains(&reply.code), "{reply:?}");

    let mut smtp = signed_in(&testbed, &user).await?;
    smtp.command(&format!("MAIL FROM:<{}>", other.address))
        .await?
        .expect_code(250)?;
    smtp.command(&format!("RCPT TO:<{}>", user.address))
        .await?
        .expect_code(553)?;
    Ok(())
}

#[tokio::test]
async fn recipients_are_refused_as_the_readme_says() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("refused")?;
    for (name, code, status) in [
        ("reject-me", 550, "5.1.1"),
        ("tempfail-me", 450, "4.2.1"),
        ("quota-me", 452, "4.2.2"),
        ("toomany-me", 550, "5.7.233"),
        ("hangup-me", 421, "4.7.0"),
    ] {
        let mut smtp = signed_in(&testbed, &user).await?;
        smtp.command(&format!("MAIL FROM:<{}>", user.address))
            .await?
            .expect_code(250)?;
        let reply = smtp
            .command(&format!("RCPT TO:<{name}@{}>", testbed.domain))
            .await?
            .expect_code(code)?;
        assert!(reply.text.starts_with(status), "{reply:?}");
    }
    for (name, code) in [("data-reject", 554), ("data-tempfail", 451)] {
        let mut smtp = signed_in(&testbed, &user).await?;
        let to = format!("{name}@{}", testbed.domain);
        send(&mut smtp, &user, &to, &message(&user, &to, "refused"))
            .await?
            .expect_code(code)?;
    }
    Ok(())
}

#[tokio::test]
async fn mail_to_another_domain_ends_in_the_sink() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("outbound")?;
    let to = user.address.replace(&testbed.domain, "elsewhere.example");
    let mut smtp = signed_in(&testbed, &user).await?;
    send(&mut smtp, &user, &to, &message(&user, &to, "outbound"))
        .await?
        .expect_code(250)?;
    let kept = eventually(Duration::from_secs(10), "the mail in the sink", || async {
        testbed
            .sink_messages(&to)
            .await
            .ok()
            .filter(|kept| !kept.is_empty())
    })
    .await;
    assert_eq!((kept.len(), &kept[0].from), (1, &user.address));
    assert!(String::from_utf8_lossy(&kept[0].raw).contains("Subject: outbound\r\n"));
    Ok(())
}

#[tokio::test]
async fn some_mail_is_accepted_and_bounces_later() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("bounced")?;
    let mut smtp = signed_in(&testbed, &user).await?;
    let tag = user.address.split('@').next().unwrap_or_default();
    let recipients = ["bounce", "defer", "nobody"].map(|name| format!("{name}-{tag}@{}", testbed.domain));
    for to in &recipients {
        send(&mut smtp, &user, to, &message(&user, to, "later"))
            .await?
            .expect_code(250)?;
    }
    let [bounce, defer, nobody] = &recipients;
    for (to, action) in [
        (bounce, "failed"),
        (nobody, "failed"),
        (defer, "delayed"),
        (defer, "failed"),
    ] {
        eventually(
            Duration::from_secs(80),
            &format!("the notice that {to} is {action}"),
            || async {
                let mailbox = testbed.mailbox_raw(&user, "INBOX").await.unwrap_or_default();
                let wanted = format!("Final-Recipient: rfc822; {to}\r\n");
                mailbox
                    .iter()
                    .map(|raw| String::from_utf8_lossy(raw))
                    .any(|notice| {
                        notice.contains(&wanted) && notice.contains(&format!("Action: {action}\r\n"))
                    })
            },
        )
        .await;
    }
    Ok(())
}
