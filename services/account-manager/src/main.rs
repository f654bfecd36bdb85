//! `account-manager`: the HTTP API and the pages.
fn main() {}
