//! Users and their mailboxes.

use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::DateTime;
use postroom_test_support::{ImapStatus, SeedMessage, Testbed, eventually};

fn numbered(number: usize) -> Vec<u8> {
    format!(
        "Subject: number {number}\r\nX-Raw: caf\u{e9}\r\n\r\n.\r\n..two dots, {}\r\n",
        "x".repeat(number)
    )
    .into_bytes()
}

#[tokio::test]
async fn a_user_costs_less_than_a_tenth_of_a_second_and_is_known_at_once() -> Result<()> {
    let testbed = Testbed::load()?;
    let start = Instant::now();
    let users: Vec<_> = (0..50)
        .map(|_| testbed.create_user("quick"))
        .collect::<Result<_>>()?;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "50 users took {:?}",
        start.elapsed()
    );
    for user in &users {
        testbed.imap_session(user).await?;
    }
    let addresses: std::collections::HashSet<_> = users.iter().map(|user| &user.address).collect();
    assert_eq!(addresses.len(), users.len());
    Ok(())
}

#[tokio::test]
async fn a_prefix_that_could_leave_its_field_is_refused() -> Result<()> {
    let testbed = Testbed::load()?;
    for prefix in ["", "a:b", "../up", "UP", "a\nb", "-a", "bounce", "reject-me"] {
        assert!(testbed.create_user(prefix).is_err(), "{prefix:?} was taken");
    }
    Ok(())
}

#[tokio::test]
async fn a_changed_password_holds_at_once() -> Result<()> {
    let testbed = Testbed::load()?;
    let mut user = testbed.create_user("password")?;
    let before = user.clone();
    testbed.imap_session(&before).await?;
    // as long as the old one, and in the same second
    testbed.set_password(&mut user, "pw-000000000000").await?;
    testbed.imap_session(&user).await?;
    assert!(
        testbed.imap_session(&before).await.is_err(),
        "the old password still opens the mailbox"
    );
    Ok(())
}

#[tokio::test]
async fn seeded_messages_come_back_byte_for_byte_in_order() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("seed")?;
    let messages: Vec<Vec<u8>> = (0..300).map(numbered).collect();
    testbed.seed(&user, "INBOX", messages.clone()).await?;
    testbed
        .seed(&user, "Projects/2026", messages[..3].to_vec())
        .await?;
    assert_eq!(testbed.mailbox_raw(&user, "INBOX").await?, messages);
    assert_eq!(testbed.mailbox_raw(&user, "Projects/2026").await?, messages[..3]);
    assert_eq!(testbed.mailbox_count(&user, "INBOX").await?, 300);
    // more mail, put in later, follows
    testbed.seed(&user, "INBOX", vec![numbered(900)]).await?;
    assert_eq!(
        testbed.mailbox_raw(&user, "INBOX").await?.last(),
        Some(&numbered(900))
    );
    Ok(())
}

#[tokio::test]
async fn seeded_flags_and_dates_are_told_by_the_server() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("flags")?;
    let received = DateTime::parse_from_rfc3339("2024-02-29T12:34:56Z")?.to_utc();
    let message = SeedMessage::new(numbered(1))
        .received(received)
        .flags(&["\\Seen", "\\Flagged"]);
    testbed.seed(&user, "INBOX", vec![message]).await?;
    assert_eq!(
        testbed.mailbox_flags(&user, "INBOX").await?,
        [["\\Flagged", "\\Seen"]]
    );
    let mut session = testbed.imap_session(&user).await?;
    session.command("EXAMINE INBOX").await?.ok()?;
    let reply = session.command("FETCH 1 INTERNALDATE").await?.ok()?;
    let line = &reply.lines[0].text;
    assert!(line.contains("29-Feb-2024 12:34:56 +0000"), "{line}");
    Ok(())
}

#[tokio::test]
async fn thousands_of_messages_take_seconds() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("many")?;
    let start = Instant::now();
    testbed
        .seed(&user, "INBOX", (0..5000).map(|n| numbered(n % 2000)).collect())
        .await?;
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "5000 messages took {:?}",
        start.elapsed()
    );
    assert_eq!(testbed.mailbox_count(&user, "INBOX").await?, 5000);
    Ok(())
}

#[tokio::test]
async fn a_seed_message_that_the_server_would_change_is_refused() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("bare")?;
    let error = testbed
        .seed(&user, "INBOX", vec![b"Subject: x\n\ny\n".to_vec()])
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("without CR"), "{error:#}");
    assert!(testbed.seed(&user, "../other", vec![numbered(1)]).await.is_err());
    Ok(())
}

#[tokio::test]
async fn delivered_mail_carries_its_bytes_below_the_servers_headers() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("deliver")?;
    testbed.deliver(&user, &numbered(7)).await?;
    let mailbox = testbed.mailbox_raw(&user, "INBOX").await?;
    assert_eq!(mailbox.len(), 1);
    assert!(
        mailbox[0].ends_with(&numbered(7)),
        "{}",
        String::from_utf8_lossy(&mailbox[0])
    );
    assert!(mailbox[0].starts_with(b"Return-Path: <sender@elsewhere.example>\r\n"));
    Ok(())
}

#[tokio::test]
async fn an_administrator_changes_a_mailbox_from_outside() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("outside")?;
    testbed
        .seed(&user, "INBOX", (1..=4).map(numbered).collect())
        .await?;
    testbed.create_folder(&user, "Kept").await?;
    assert_eq!(testbed.mailbox_flags(&user, "INBOX").await?.len(), 4);

    testbed.add_flag(&user, "INBOX", "uid 1", "\\Flagged").await?;
    testbed.add_flag(&user, "INBOX", "uid 2", "$Label1").await?;
    testbed.expunge(&user, "INBOX", "uid 3").await?;
    testbed.move_messages(&user, "INBOX", "uid 4", "Kept").await?;
    assert_eq!(
        testbed.mailbox_flags(&user, "INBOX").await?,
        [["\\Flagged"], ["$Label1"]]
    );
    assert_eq!(testbed.mailbox_raw(&user, "Kept").await?, [numbered(4)]);
    testbed.remove_flag(&user, "INBOX", "all", "\\Flagged").await?;
    assert_eq!(
        testbed.mailbox_flags(&user, "INBOX").await?[0],
        Vec::<String>::new()
    );

    testbed.set_uid_validity(&user, "INBOX", 4_000_000_001).await?;
    let mut session = testbed.imap_session(&user).await?;
    let opened = session.command("SELECT INBOX").await?.ok()?;
    assert!(
        opened
            .lines
            .iter()
            .any(|line| line.text.contains("UIDVALIDITY 4000000001")),
        "{opened:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_kicked_session_ends() -> Result<()> {
    let testbed = Testbed::load()?;
    let user = testbed.create_user("kick")?;
    testbed.kick(&user).await?;
    let mut session = testbed.imap_session(&user).await?;
    assert_eq!(session.command("NOOP").await?.status, ImapStatus::Ok);
    eventually(Duration::from_secs(5), "the session to be seen", || async {
        testbed.sessions(&user).await.is_ok_and(|count| count == 1)
    })
    .await;
    testbed.kick(&user).await?;
    eventually(Duration::from_secs(5), "the session to end", || async {
        testbed.sessions(&user).await.is_ok_and(|count| count == 0)
    })
    .await;
    assert!(session.command("NOOP").await.is_err(), "the session goes on");
    Ok(())
}
