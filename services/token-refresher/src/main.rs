//! `token-refresher`: keeps access tokens alive.

fn main() -> std::process::ExitCode {
    postroom_runtime::service_main("token-refresher", token_refresher::run)
}
