//! The connection ends at every byte of the whole dialogue, in either direction. What the client believes afterwards
//! must be true, and "unknown" is allowed only from the moment the final dot begins to leave.

use crate::client::{MESSAGE, kind, kinds, send, session};
use crate::server::Script;
use std::time::Duration;

const RECIPIENTS: &[&str] = &["bob@y.example", "reject@y.example", "cat@y.example"];

fn script(pipelining: bool) -> Script {
    let script = Script::default().answering("RCPT TO:<reject", "550 5.1.1 nobody");
    if pipelining {
        script
    } else {
        script.without("PIPELINING")
    }
}

/// The belief after a run, and whether the server took the message.
struct Run {
    belief: &'static str,
    taken: bool,
    bytes_read: usize,
    bytes_said: usize,
}

async fn run(script: Script) -> Run {
    // One byte ahead at most: the client knows what has left as exactly as it ever can.
    let (opened, observed) = session(script, 1).await;
    let belief = match opened {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            "transient"
        }
        Ok(mut session) => {
            let statuses = send(&mut session, RECIPIENTS, MESSAGE).await;
            assert_eq!(statuses.len(), RECIPIENTS.len());
            let belief = kind(&statuses[0].outcome);
            assert_eq!(
                kind(&statuses[2].outcome),
                belief,
                "both good recipients share one fate"
            );
            let refused = kind(&statuses[1].outcome);
            assert!(
                refused == "permanent" || refused == "transient",
                "a refused recipient is never {refused}"
            );
            if belief == "unknown" {
                assert!(!session.is_usable(), "no second mail behind an unknown one");
            }
            belief
        }
    };
    // The server may still be reading what the client left behind.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let seen = observed.lock().unwrap().clone();
    Run {
        belief,
        taken: !seen.accepted.is_empty(),
        bytes_read: seen.bytes.len(),
        bytes_said: seen.said,
    }
}

fn check(run: &Run, place: &str) {
    match run.belief {
        "accepted" => assert!(
            run.taken,
            "{place}: believed accepted, but the server has nothing"
        ),
        "transient" | "permanent" => {
            assert!(!run.taken, "{place}: would be sent again, but the server has it")
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_server_hangs_up_after_every_byte_it_reads() {
    for pipelining in [true, false] {
        let whole = run(script(pipelining)).await;
        assert_eq!((whole.belief, whole.taken), ("accepted", true));
        let final_dot = whole.bytes_read - ".\r\n".len();
        let mut unknown = 0;
        for read_at_most in 0..=whole.bytes_read {
            let run = run(Script {
                read_at_most,
                ..script(pipelining)
            })
            .await;
            let place = format!(
                "pipelining {pipelining}, hung up after {read_at_most} of {} bytes",
                whole.bytes_read
            );
            check(&run, &place);
            if run.belief == "unknown" {
                unknown += 1;
                // The pipe holds one byte that the server has not read.
                assert!(
                    read_at_most + 1 > final_dot,
                    "{place}: unknown, but the dot was still here"
                );
            }
        }
        assert!((1..=4).contains(&unknown), "unknown at {unknown} places");
    }
}

#[tokio::test]
async fn the_server_falls_silent_and_hangs_up_after_every_byte_it_says() {
    for pipelining in [true, false] {
        let whole = run(script(pipelining)).await;
        let mut beliefs = Vec::new();
        for write_at_most in 0..=whole.bytes_said {
            let run = run(Script {
                write_at_most,
                ..script(pipelining)
            })
            .await;
            let place = format!(
                "pipelining {pipelining}, silent after {write_at_most} of {} bytes",
                whole.bytes_said
            );
            check(&run, &place);
            let answer_to_dot = "250 2.0.0 queued\r\n".len();
            if run.belief == "unknown" {
                assert!(
                    write_at_most + answer_to_dot >= whole.bytes_said,
                    "{place}: unknown too early"
                );
            }
            beliefs.push(run.belief);
        }
        assert_eq!(beliefs.last(), Some(&"accepted"));
        assert_eq!(beliefs.first(), Some(&"transient"));
    }
}

#[tokio::test]
async fn a_server_that_only_stops_talking_is_given_up_in_time() {
    let patience = Duration::from_millis(40);
    for silent_at in ["EHLO", "AUTH", "MAIL", "RCPT TO:<cat", "DATA", "DOT"] {
        // An answer that never ends is as silent as none.
        let script = script(false).answering(silent_at, "250-");
        let (opened, observed) =
            crate::client::session_as(script, 1024, &crate::client::password(), patience).await;
        let beliefs = match opened {
            Err(error) => {
                assert_eq!(error.code(), "timed_out", "{silent_at}: {error}");
                continue;
            }
            Ok(mut session) => {
                let statuses = send(&mut session, RECIPIENTS, MESSAGE).await;
                assert!(!session.is_usable());
                kinds(&statuses)
            }
        };
        let taken = !observed.lock().unwrap().accepted.is_empty();
        if silent_at == "DOT" {
            assert!(taken);
            assert_eq!(beliefs, ["unknown", "permanent", "unknown"]);
        } else {
            assert!(!taken);
            assert_eq!(
                (beliefs[0], beliefs[2]),
                ("transient", "transient"),
                "silent at {silent_at}"
            );
        }
    }
}
