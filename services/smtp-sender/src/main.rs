//! `smtp-sender`: submits mail.

fn main() -> std::process::ExitCode {
    postroom_runtime::service_main("smtp-sender", smtp_sender::run)
}
