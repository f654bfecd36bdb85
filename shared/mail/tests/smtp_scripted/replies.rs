//! Every command refused, for now and for good.

use crate::client::{MESSAGE, envelope, kinds, send, session};
use crate::server::Script;
use postroom_mail::smtp::{MessageBody, SendOutcome};

fn scripts(script: &Script) -> [Script; 2] {
    [script.clone(), script.clone().without("PIPELINING")]
}

#[tokio::test]
async fn each_refusal_reaches_every_recipient_it_concerns() {
    let cases = [
        ("MAIL", "451 4.3.0 later", ["transient", "transient"]),
        ("MAIL", "550 5.7.1 not you", ["permanent", "permanent"]),
        ("MAIL", "421 4.7.0 bye", ["transient", "transient"]),
        ("RCPT", "450 4.2.0 later", ["transient", "transient"]),
        ("RCPT", "550 5.1.1 nobody", ["permanent", "permanent"]),
        ("RCPT", "421 4.7.0 bye", ["transient", "transient"]),
        ("RCPT TO:<bob", "550 5.1.1 nobody", ["permanent", "accepted"]),
        ("RCPT TO:<bob", "452 4.2.2 full", ["transient", "accepted"]),
        ("DATA", "451 4.3.0 later", ["transient", "transient"]),
        ("DATA", "554 5.5.0 no", ["permanent", "permanent"]),
        ("DATA", "421 4.7.0 bye", ["transient", "transient"]),
        ("DOT", "451 4.3.0 later", ["transient", "transient"]),
        ("DOT", "554 5.7.1 spam", ["permanent", "permanent"]),
        ("DOT", "421 4.7.0 bye", ["transient", "transient"]),
        ("DOT", "354 what?", ["unknown", "unknown"]),
    ];
    for (command, answer, expected) in cases {
        for script in scripts(&Script::default().answering(command, answer)) {
            let (opened, observed) = session(script, 4096).await;
            let mut session = opened.unwrap();
            let statuses = send(&mut session, &["bob@y.example", "cat@y.example"], MESSAGE).await;
            assert_eq!(kinds(&statuses), expected, "{command} answered with {answer}");
            let lost = answer.starts_with("421") || answer.starts_with("354");
            assert_eq!(session.is_usable(), !lost, "{command} answered with {answer}");
            let accepted = observed.lock().unwrap().accepted.len();
            assert_eq!(
                accepted,
                usize::from(expected.contains(&"accepted")),
                "{command} answered with {answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_session_goes_on_after_a_refused_message() {
    for script in scripts(&Script::default().answering("RCPT TO:<reject", "550 5.1.1 nobody")) {
        let (opened, observed) = session(script, 4096).await;
        let mut session = opened.unwrap();
        assert_eq!(
            kinds(&send(&mut session, &["reject@y.example"], MESSAGE).await),
            ["permanent"]
        );
        assert_eq!(
            kinds(&send(&mut session, &["bob@y.example"], MESSAGE).await),
            ["accepted"]
        );
        session.check().await.unwrap();
        assert_eq!(
            kinds(&send(&mut session, &["bob@y.example"], MESSAGE).await),
            ["accepted"]
        );
        session.quit().await;
        let seen = observed.lock().unwrap().clone();
        let dialogue = String::from_utf8_lossy(&seen.bytes).into_owned();
        assert!(
            dialogue.contains("RSET\r\n") && dialogue.ends_with("QUIT\r\n"),
            "{dialogue}"
        );
        assert_eq!(seen.accepted.len(), 2);
    }
}

#[tokio::test]
async fn data_that_opens_for_nobody_gets_no_dot() {
    for refused in ["MAIL", "RCPT"] {
        let script = Script::default()
            .answering(refused, "550 5.1.1 no")
            .answering("DATA", "354 go on all the same");
        let (opened, observed) = session(script, 4096).await;
        let mut session = opened.unwrap();
        let statuses = send(&mut session, &["bob@y.example"], MESSAGE).await;
        assert_eq!(kinds(&statuses), ["permanent"]);
        assert!(!session.is_usable());
        session.quit().await;
        let seen = observed.lock().unwrap().clone();
        assert!(seen.accepted.is_empty() && seen.bytes.ends_with(b"DATA\r\n"));
    }
}

#[tokio::test]
async fn the_state_before_the_dot_is_what_has_to_be_written_down() {
    let script = Script::default().answering("RCPT TO:<reject", "550 5.1.1 nobody");
    let (opened, observed) = session(script, 4096).await;
    let mut session = opened.unwrap();
    let recipients = ["bob@y.example", "reject@y.example"];
    let prepared = session
        .begin(&envelope(&recipients), MessageBody::from_bytes(MESSAGE))
        .await
        .unwrap();
    assert_eq!(kinds(prepared.recipients()), ["unknown", "permanent"]);
    assert!(
        !observed.lock().unwrap().bytes.ends_with(b".\r\n"),
        "the dot left early"
    );
    prepared.abandon().await;
    assert!(!session.is_usable());
    assert!(observed.lock().unwrap().accepted.is_empty());
}

#[tokio::test]
async fn a_dropped_message_is_never_finished_by_the_next_one() {
    let (opened, observed) = session(Script::default(), 4096).await;
    let mut session = opened.unwrap();
    drop(
        session
            .begin(&envelope(&["bob@y.example"]), MessageBody::from_bytes(MESSAGE))
            .await
            .unwrap(),
    );
    assert_eq!(
        kinds(&send(&mut session, &["cat@y.example"], MESSAGE).await),
        ["transient"]
    );
    session.quit().await;
    let seen = observed.lock().unwrap().clone();
    assert!(seen.accepted.is_empty());
    assert!(
        !String::from_utf8_lossy(&seen.bytes).contains("QUIT"),
        "QUIT became part of a message"
    );
}

#[tokio::test]
async fn what_the_server_said_is_kept() {
    let text = "451 4.7.500 Request is throttled. Suggested Backoff Time: 20000 milliseconds";
    let (opened, _) = session(Script::default().answering("DOT", text), 4096).await;
    let statuses = send(&mut opened.unwrap(), &["bob@y.example"], MESSAGE).await;
    let SendOutcome::TransientFailure(failure) = &statuses[0].outcome else {
        panic!("{statuses:?}")
    };
    assert_eq!(failure.retry_after, Some(std::time::Duration::from_secs(20)));
    assert_eq!(failure.enhanced().unwrap().to_string(), "4.7.500");
    assert_eq!(failure.reply.as_ref().unwrap().code(), 451);
}

#[tokio::test]
async fn a_server_that_hung_up_meanwhile_is_noticed_before_the_dot() {
    let (opened, observed) = session(Script::default(), 4096).await;
    opened.unwrap();
    let signed_in = observed.lock().unwrap().bytes.len();
    let commands = "MAIL FROM:<ann@x.example> SIZE=35\r\nRCPT TO:<bob@y.example>\r\nDATA\r\n".len();
    // Gone after DATA: while the caller writes its row, so to speak.
    let script = Script {
        read_at_most: signed_in + commands,
        ..Script::default()
    };
    let (opened, observed) = session(script, 4096).await;
    let mut session = opened.unwrap();
    let prepared = session
        .begin(&envelope(&["bob@y.example"]), MessageBody::from_bytes(MESSAGE))
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(kinds(&prepared.finish().await), ["transient"]);
    assert!(observed.lock().unwrap().accepted.is_empty());
}
