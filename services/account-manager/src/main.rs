//! `account-manager`: the HTTP API and the pages.

fn main() -> std::process::ExitCode {
    postroom_runtime::service_main("account-manager", account_manager::run)
}
