//! Servers that lie, stall, flood and break rules.

use std::time::Duration;

use postroom_mail::imap::{
    FetchSettings, Flags, IdleOutcome, ImapConnection, ImapErrorKind, ImapLimits, LimitExceeded, Notices,
    Uid, UidSet,
};
use postroom_mail::net::{
    AddressPolicy, ConnectErrorKind, Connector, ConnectorSettings, Endpoint, HostName, TlsFailure,
};
use postroom_mail::sasl::SignIn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::rig::{fetch_all, folder};
use crate::scripted::{connect, selected, session, sign_in, step};

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

async fn greeting_failure(greeting: impl AsRef<[u8]>) -> ImapErrorKind {
    connect(greeting, vec![]).await.unwrap_err().kind
}

#[tokio::test]
async fn a_greeting_that_is_none_is_recognised() {
    assert!(matches!(
        greeting_failure("220 smtp.example.test ESMTP\r\n").await,
        ImapErrorKind::NotImap { .. }
    ));
    assert!(matches!(
        greeting_failure("+OK POP3 ready\r\n").await,
        ImapErrorKind::NotImap { .. }
    ));
    assert!(matches!(
        greeting_failure("HTTP/1.1 400 Bad Request\r\n").await,
        ImapErrorKind::NotImap { .. }
    ));
    assert!(matches!(
        greeting_failure(vec![b'x'; 20_000]).await,
        ImapErrorKind::NotImap { .. }
    ));
    assert_eq!(
        greeting_failure("* PREAUTH hello root\r\n").await,
        ImapErrorKind::AlreadySignedIn
    );
    let ImapErrorKind::Bye { answer } = greeting_failure("* BYE [UNAVAILABLE] Too many\x1b[31m\r\n").await
    else {
        panic!("no goodbye")
    };
    assert!(answer.has_code("UNAVAILABLE"));
    assert_eq!(answer.text, "Too many[31m");
    assert!(matches!(
        greeting_failure("").await,
        ImapErrorKind::TimedOut { .. }
    ));
}

#[tokio::test]
async fn what_costs_memory_stack_or_time_ends_the_session_only() {
    let bomb = format!("* LIST {}\r\n", "(".repeat(100_000));
    let structure = format!("* 1 FETCH (BODYSTRUCTURE {}\r\n", "(".repeat(100));
    let cases: [(Vec<u8>, LimitExceeded); 6] = [
        (vec![b'x'; 200_000], LimitExceeded::Line(65_536)),
        (
            b"* 1 FETCH (UID 1 BODY[] {500000000}\r\n".to_vec(),
            LimitExceeded::Literal {
                announced: 500_000_000,
                limit: 1_048_576,
            },
        ),
        (bomb.into_bytes(), LimitExceeded::Parentheses(128)),
        (b"* 5 EXISTS\r\n".repeat(400_000), LimitExceeded::Answer),
        (
            structure.into_bytes(),
            LimitExceeded::Malformed("a message structure that was not asked for"),
        ),
        (
            b"* 1 FETCH (INTERNALDATE NIL)\r\n".to_vec(),
            LimitExceeded::Malformed("the attributes of a message"),
        ),
    ];
    for (answer, limit) in cases {
        let mut session = session("", vec![step("NOOP", answer)]).await;
        let error = session.noop().await.unwrap_err();
        assert_eq!(error.kind, ImapErrorKind::LimitExceeded(limit));
        assert_eq!(session.noop().await.unwrap_err().kind, ImapErrorKind::Interrupted);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_imap_is_not_repeated_in_the_error() {
    let mut session = session("", vec![step("NOOP", "* 1 FETCH (UID canary)\r\n")]).await;
    let error = session.noop().await.unwrap_err();
    assert!(
        matches!(
            error.kind,
            ImapErrorKind::Protocol { .. } | ImapErrorKind::TimedOut { .. }
        ),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("canary"));
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let mut session = session("", vec![step("NOOP", "* OK wait for it\r\n")]).await;
    let error = session.noop().await.unwrap_err();
    assert!(
        matches!(error.kind, ImapErrorKind::TimedOut { command: "NOOP", .. }),
        "{error:?}"
    );
    assert!(error.is_temporary());
}

#[tokio::test]
async fn goodbye_in_the_middle_is_told_in_the_servers_words() {
    let answer = "* BYE Session expired, please login again.\r\nTAG BAD no\r\n";
    let mut session = session("", vec![step("NOOP", answer)]).await;
    let ImapErrorKind::Bye { answer } = session.noop().await.unwrap_err().kind else {
        panic!("no goodbye")
    };
    assert_eq!(answer.text, "Session expired, please login again.");
}

#[tokio::test]
async fn unasked_double_and_half_answers_do_not_become_messages() {
    let answer = "* 7 FETCH (FLAGS (\\Seen))\r\n\
        * 9 FETCH (UID 99 BODY[] {3}\r\nbad)\r\n\
        * 1 FETCH (UID 1 FLAGS (\\Seen))\r\n\
        * 1 FETCH (BODY[] {2}\r\nhi INTERNALDATE \" 1-Feb-2024 10:20:30 +0000\" UID 1)\r\n\
        * 1 FETCH (UID 1 BODY[] {2}\r\nhi)\r\n\
        * 2 EXPUNGE\r\n\
        * 2 FETCH (UID 3 FLAGS () RFC822.SIZE 999999 INTERNALDATE \"soon\" BODY[] NIL)\r\n\
        * 2 FETCH (UID 4 BODY[] \"\" SAVEDATE NIL)\r\n\
        TAG OK done\r\n";
    let mut session = session("", vec![selected(4), step("UID FETCH", answer)]).await;
    session.select(&folder("INBOX")).await.unwrap();
    let whole = FetchSettings {
        in_flight: 1,
        body_limit: None,
    };
    let fetched = fetch_all(&mut session, vec![UidSet::range(uid(1)..=uid(10))], whole).await;
    let uids: Vec<u32> = fetched.iter().map(|message| message.uid.get()).collect();
    assert_eq!(uids, [1, 4]);
    assert_eq!(
        fetched[0].flags, None,
        "flags that were not sent are not taken for none"
    );
    assert_eq!(
        fetched[0].internal_date.unwrap().to_rfc3339(),
        "2024-02-01T10:20:30+00:00"
    );
    assert!(fetched[1].raw.is_empty());
    assert_eq!(
        session.take_notices(),
        Notices {
            exists: None,
            expunged: 1,
            flags: true
        }
    );
}

#[tokio::test]
async fn a_refused_fetch_gives_what_came_then_the_refusal_and_leaves_the_session() {
    let mut session = session(
        "",
        vec![
            selected(2),
            step(
                "UID FETCH",
                "* 1 FETCH (UID 1 BODY[] {2}\r\nhi)\r\nTAG NO [EXPUNGEISSUED] Some messages are gone\r\n",
            ),
            step("NOOP", "TAG OK done\r\n"),
        ],
    )
    .await;
    session.select(&folder("INBOX")).await.unwrap();
    let batches = [UidSet::range(uid(1)..=uid(2)), UidSet::one(uid(5))];
    let mut fetch = session.fetch_messages(
        batches,
        FetchSettings {
            in_flight: 1,
            body_limit: None,
        },
    );
    assert_eq!(fetch.next().await.unwrap().unwrap().raw, "hi");
    let error = fetch.next().await.unwrap_err();
    assert!(
        matches!(
            error.kind,
            ImapErrorKind::No {
                command: "UID FETCH",
                ..
            }
        ) && error.leaves_session_usable()
    );
    assert!(fetch.next().await.unwrap().is_none());
    session.noop().await.unwrap();
}

#[tokio::test]
async fn a_search_that_finds_nothing_in_a_full_folder_is_not_believed() {
    let listing = "* 1 FETCH (UID 4)\r\n* 2 FETCH (UID 9)\r\nTAG OK done\r\n";
    let steps = vec![
        selected(2),
        step("UID SEARCH ALL", "* SEARCH\r\nTAG OK done\r\n"),
        step("UID FETCH 1:*", listing),
    ];
    let mut session = session("", steps).await;
    session.select(&folder("INBOX")).await.unwrap();
    assert_eq!(session.all_uids().await.unwrap(), [uid(4), uid(9)]);
}

#[tokio::test]
async fn a_large_folder_is_listed_in_parts_and_none_is_missed_when_messages_go_meanwhile() {
    let numbers = |range: std::ops::RangeInclusive<u32>| {
        let texts: Vec<String> = range.map(|number| number.to_string()).collect();
        format!("* SEARCH {}\r\n", texts.join(" "))
    };
    let first = format!(
        "{}* 5 EXPUNGE\r\n* 6 EXPUNGE\r\nTAG OK done\r\n",
        numbers(1..=10_000)
    );
    let second = format!("{}TAG OK done\r\n", numbers(10_001..=12_000));
    let steps = vec![
        selected(12_000),
        step("UID SEARCH 1:10000", first),
        step("UID SEARCH 9999:11998", second),
    ];
    let mut session = session("", steps).await;
    session.select(&folder("INBOX")).await.unwrap();
    assert_eq!(session.all_uids().await.unwrap().len(), 12_000);
}

#[tokio::test]
async fn append_survives_what_comes_before_the_leave_and_a_server_without_appenduid() {
    let steps = vec![
        step(
            "APPEND \"Sent\" {3}",
            "* 4 EXISTS\r\n* OK still here\r\n+ go on\r\n",
        ),
        step("hi!", "* 5 EXISTS\r\nTAG OK done\r\n"),
        step("NOOP", "TAG OK done\r\n"),
    ];
    let mut session = session("", steps).await;
    assert_eq!(
        session
            .append(&folder("Sent"), &Flags::default(), None, b"hi!")
            .await
            .unwrap(),
        None
    );
    assert_eq!(session.take_notices().exists, Some(5));
    session.noop().await.unwrap();
}

#[tokio::test]
async fn without_move_and_uidplus_nothing_is_expunged() {
    let steps = vec![
        selected(1),
        step("UID COPY 1 \"Trash\"", "TAG OK [COPYUID 5 1 8] done\r\n"),
        step("UID STORE 1 +FLAGS.SILENT (\\Deleted)", "TAG OK done\r\n"),
        step("NOOP", "TAG OK done\r\n"),
    ];
    let mut session = session("", steps).await;
    session.select(&folder("INBOX")).await.unwrap();
    let outcome = session
        .move_messages(&UidSet::one(uid(1)), &folder("Trash"))
        .await
        .unwrap();
    assert!(outcome.left_marked_deleted);
    assert_eq!(outcome.copied.unwrap().pairs, [(uid(1), uid(8))]);
    session.noop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_offered_is_not_sent() {
    let mut session = session("", vec![step("NOOP", "TAG OK done\r\n")]).await;
    let error = session
        .idle(Duration::from_secs(1), std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(error.kind, ImapErrorKind::NotOffered { capability: "IDLE" });
    session.introduce("Postroom", "1").await.unwrap();
    session.noop().await.unwrap();
}

#[tokio::test]
async fn idle_takes_a_sign_of_life_for_no_change_and_hears_what_comes_last() {
    let steps = vec![
        step("IDLE", "+ idling\r\n* OK Still here\r\n* OK Still here\r\n"),
        step("DONE", "TAG OK done\r\n"),
        step("IDLE", "+ idling\r\n"),
        step("DONE", "* 8 EXISTS\r\nTAG OK done\r\n"),
        step("IDLE", "* 9 EXISTS\r\n+ idling\r\n"),
        step("DONE", "TAG OK done\r\n"),
    ];
    let mut session = session("IDLE", steps).await;
    let short = Duration::from_millis(50);
    let outcome = session.idle(short, std::future::pending()).await.unwrap();
    assert_eq!(outcome, IdleOutcome::TimedOut);
    // Told between our decision to end and the end.
    let outcome = session.idle(short, std::future::pending()).await.unwrap();
    assert_eq!(outcome, IdleOutcome::Changed);
    assert_eq!(session.take_notices().exists, Some(8));
    // Told before the wait began.
    let outcome = session
        .idle(Duration::from_secs(60), std::future::pending())
        .await
        .unwrap();
    assert_eq!(outcome, IdleOutcome::Changed);
}

#[tokio::test]
async fn an_idle_that_ends_by_itself_or_without_a_word_is_noticed() {
    let mut ended = session("IDLE", vec![step("IDLE", "+ idling\r\nTAG OK enough\r\n")]).await;
    let error = ended
        .idle(Duration::from_secs(60), std::future::pending())
        .await
        .unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Protocol { .. }), "{error:?}");
    let mut dead = session("IDLE", vec![step("IDLE", "+ idling\r\n")]).await;
    let error = dead
        .idle(Duration::from_millis(50), std::future::pending())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind, ImapErrorKind::TimedOut { command: "IDLE", .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_offers_only_what_we_lack_says_so() {
    let connection = connect(
        "* OK [CAPABILITY IMAP4rev1 AUTH=NTLM AUTH=GSSAPI LOGINDISABLED] hi\r\n",
        vec![],
    )
    .await
    .unwrap();
    let error = connection.sign_in(&sign_in()).await.unwrap_err();
    assert_eq!(
        error.kind,
        ImapErrorKind::AuthNotOffered {
            offered: vec!["GSSAPI".into(), "NTLM".into()]
        }
    );
    assert!(error.to_string().contains("GSSAPI, NTLM"));
}

#[tokio::test]
async fn without_sasl_ir_a_refused_token_still_gives_its_reason() {
    let token = SignIn::OAuth {
        login: "user".into(),
        access_token: "token".into(),
    };
    for (mechanism, farewell) in [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")] {
        let greeting = format!("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH={mechanism}] hi\r\n");
        let steps = vec![
            step("AUTHENTICATE", "+ \r\n"),
            // {"status":"400"}
            step("", "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
            step(farewell, "TAG NO temporarily refused\r\n"),
        ];
        let connection = connect(greeting, steps).await.unwrap();
        let error = connection.sign_in(&token).await.unwrap_err();
        let ImapErrorKind::CredentialsRefused {
            refusal: Some(refusal),
            ..
        } = &error.kind
        else {
            panic!("{error:?}")
        };
        assert_eq!(refusal.status.as_deref(), Some("400"));
    }
}

#[tokio::test]
async fn microsofts_answer_for_a_mailbox_out_of_reach_is_no_wrong_password() {
    let steps = vec![step(
        "AUTHENTICATE PLAIN ",
        "TAG BAD User is authenticated but not connected.\r\n",
    )];
    let connection = connect("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n", steps)
        .await
        .unwrap();
    let error = connection.sign_in(&sign_in()).await.unwrap_err();
    assert!(
        matches!(error.kind, ImapErrorKind::MailboxUnavailable { .. }),
        "{error:?}"
    );
    assert!(!error.is_temporary() && !error.refuses_credential());
}

/// A plain server on loopback that says `answer` to STARTTLS.
async fn start_tls_failure(greeting: &'static str, answer: &'static [u8]) -> ImapErrorKind {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(greeting.as_bytes()).await.unwrap();
        let mut command = [0; 13];
        let _ = tcp.read_exact(&mut command).await;
        let _ = tcp.write_all(answer).await;
        // Whatever the client says now must be the beginning of a TLS handshake, if anything.
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest).await;
        assert!(
            rest.first().is_none_or(|byte| *byte == 22),
            "spoke in plain text: {rest:?}"
        );
    });
    let connector = Connector::new(ConnectorSettings {
        addresses: AddressPolicy::with_networks(["127.0.0.0/8".parse().unwrap()]),
        ..ConnectorSettings::default()
    })
    .unwrap();
    let endpoint = Endpoint::start_tls(HostName::parse("127.0.0.1").unwrap(), port);
    let limits = ImapLimits {
        response_time: Duration::from_secs(2),
        ..ImapLimits::default()
    };
    ImapConnection::open(&connector, &endpoint, limits)
        .await
        .unwrap_err()
        .kind
}

#[tokio::test]
async fn nothing_said_before_tls_is_believed() {
    let injected = start_tls_failure("* OK hi\r\n", b"P0 OK begin\r\n* CAPABILITY IMAP4rev1\r\n").await;
    assert_eq!(
        injected.connect_error(),
        Some(&ConnectErrorKind::Tls(TlsFailure::InjectedBeforeTls))
    );
    let preauth = start_tls_failure("* PREAUTH welcome\r\n", b"").await;
    assert_eq!(preauth, ImapErrorKind::AlreadySignedIn);
    for refusal in [
        &b"P0 NO not today\r\n"[..],
        b"P0 BAD what\r\n",
        b"* OK P0\r\nP0 NOPE\r\n",
    ] {
        assert_eq!(
            start_tls_failure("* OK hi\r\n", refusal).await,
            ImapErrorKind::StartTlsNotOffered
        );
    }
    let babble = start_tls_failure("* OK hi\r\n", &[b'\n'; 100]).await;
    assert!(matches!(babble, ImapErrorKind::Protocol { .. }), "{babble:?}");
}
