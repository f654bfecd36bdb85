//! `imap-fetcher`: leases accounts and keeps their mail in sync.

fn main() -> std::process::ExitCode {
    postroom_runtime::service_main("imap-fetcher", imap_fetcher::run)
}
