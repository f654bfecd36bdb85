//! What exactly goes over the wire.

use crate::client::{MESSAGE, envelope, kinds, send, session};
use crate::server::Script;
use postroom_mail::smtp::{MessageBody, SendOutcome};

async fn dialogue(
    script: Script,
    recipients: &[&str],
    message: &[u8],
) -> (Vec<&'static str>, String, Vec<Vec<u8>>) {
    let (opened, observed) = session(script, 1 << 20).await;
    let mut session = opened.unwrap();
    let kinds = kinds(&send(&mut session, recipients, message).await);
    let seen = observed.lock().unwrap().clone();
    (
        kinds,
        String::from_utf8_lossy(&seen.bytes).into_owned(),
        seen.accepted,
    )
}

#[tokio::test]
async fn parameters_follow_what_the_server_can_do() {
    let (_, plain, _) = dialogue(Script::default(), &["bob@y.example"], MESSAGE).await;
    assert!(
        plain.contains("MAIL FROM:<ann@x.example> SIZE=35\r\nRCPT TO:<bob@y.example>\r\nDATA\r\n"),
        "{plain}"
    );
    let (_, eight, _) = dialogue(
        Script::default(),
        &["bob@y.example"],
        "Subject: ü\r\n\r\nü".as_bytes(),
    )
    .await;
    assert!(eight.contains("BODY=8BITMIME"), "{eight}");
    let bare = Script::default().without("SIZE").without("8BITMIME");
    let (_, bare, _) = dialogue(bare, &["bob@y.example"], "ü".as_bytes()).await;
    assert!(bare.contains("MAIL FROM:<ann@x.example>\r\n"), "{bare}");
}

#[tokio::test]
async fn international_addresses_need_smtputf8() {
    let recipients = ["jörg@y.example", "ann@bücher.example"];
    let (kinds, without, _) = dialogue(Script::default(), &recipients, MESSAGE).await;
    assert_eq!(kinds, ["permanent", "accepted"]);
    assert!(
        without.contains("RCPT TO:<ann@xn--bcher-kva.example>") && !without.contains("SMTPUTF8"),
        "{without}"
    );
    let (kinds, with, _) = dialogue(Script::default().with("SMTPUTF8"), &recipients, MESSAGE).await;
    assert_eq!(kinds, ["accepted", "accepted"]);
    assert!(
        with.contains(" SMTPUTF8\r\n") && with.contains("RCPT TO:<jörg@y.example>"),
        "{with}"
    );
}

#[tokio::test]
async fn too_big_is_known_before_anything_is_sent() {
    let (opened, observed) = session(Script::default(), 4096).await;
    let mut session = opened.unwrap();
    let statuses = send(&mut session, &["bob@y.example"], &vec![b'a'; 1_000_001]).await;
    let SendOutcome::PermanentFailure(failure) = &statuses[0].outcome else {
        panic!("{statuses:?}")
    };
    assert!(
        failure.sentence.contains("1000001") && failure.sentence.contains("1000000"),
        "{}",
        failure.sentence
    );
    assert!(!String::from_utf8_lossy(&observed.lock().unwrap().bytes).contains("MAIL"));
    assert!(session.is_usable());
}

#[tokio::test]
async fn long_messages_and_long_lists_arrive_whole() {
    let mut message = b"Subject: long\r\n\r\n".to_vec();
    while message.len() < 900_000 {
        message.extend_from_slice(b".line that begins with a dot\r\n");
    }
    let recipients: Vec<String> = (0..350).map(|number| format!("user{number}@y.example")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    for script in [Script::default(), Script::default().without("PIPELINING")] {
        // A pipe far smaller than the message and than a group of recipients.
        let (opened, observed) = session(script, 512).await;
        let mut session = opened.unwrap();
        let statuses = send(&mut session, &recipients, &message).await;
        assert!(kinds(&statuses).iter().all(|kind| *kind == "accepted"));
        let accepted = observed.lock().unwrap().accepted.clone();
        let text = String::from_utf8(accepted[0].clone()).unwrap();
        let unstuffed = text.strip_suffix(".\r\n").unwrap().replace("\r\n..", "\r\n.");
        assert_eq!(unstuffed.as_bytes(), message);
    }
}

#[tokio::test]
async fn smuggling_line_ends_reach_the_server_as_line_ends() {
    for end in ["\n.\n", "\r.\r", "\r\n.\r", "\n.\r\n"] {
        let message = format!("Subject: a\r\n\r\nfirst{end}MAIL FROM:<evil@x.example>\r\n");
        let (kinds, _, accepted) = dialogue(Script::default(), &["bob@y.example"], message.as_bytes()).await;
        assert_eq!(kinds, ["accepted"]);
        assert_eq!(accepted.len(), 1);
        assert!(
            accepted[0].ends_with(b"first\r\n..\r\nMAIL FROM:<evil@x.example>\r\n.\r\n"),
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_to_its_end_is_not_sent() {
    let (opened, observed) = session(Script::default(), 4096).await;
    let mut session = opened.unwrap();
    let reader = tokio_util::io::StreamReader::new(futures::stream::iter([
        Ok(bytes::Bytes::from_static(b"Subject: half\r\n\r\n")),
        Err(std::io::Error::other("disk gone")),
    ]));
    let begun = session
        .begin(
            &envelope(&["bob@y.example"]),
            MessageBody::from_reader(reader, 100, false),
        )
        .await;
    assert_eq!(kinds(&begun.unwrap_err().recipients), ["transient"]);
    assert!(!session.is_usable());
    assert!(observed.lock().unwrap().accepted.is_empty());
}
