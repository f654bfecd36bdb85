//! The whole product, started as its users start it: real binaries, embedded or distributed, against the testbed.

mod api;
mod binaries;
mod log;
mod mailbox;
mod process;
mod reading;
mod sending;
mod stack;

pub use api::Api;
pub use binaries::{binary, help, workspace_root};
pub use mailbox::connect_request;
pub use process::Process;
pub use stack::{Mode, SERVICES, Stack, StackOptions};

/// A small mail from somebody elsewhere, with a subject and a Message-ID of its own.
pub fn small_mail(subject: &str) -> Vec<u8> {
    format!(
        "Message-ID: <{}@elsewhere.example>\r\nFrom: Somebody <somebody@elsewhere.example>\r\nTo: you@example.test\r\n\
         Subject: {subject}\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nSaid about {subject}.\r\n",
        subject.replace(' ', "-")
    )
    .into_bytes()
}

/// Makes two tests of each body: one embedded, one distributed. A body is `async fn NAME(mode: Mode)`.
#[macro_export]
macro_rules! in_both_modes {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::Mode::Embedded).await;
                }
            )+
        }
        mod distributed {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::Mode::Distributed).await;
                }
            )+
        }
    };
}
