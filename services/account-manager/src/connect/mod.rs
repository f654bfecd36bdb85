//! Connecting a mailbox: what was entered is checked, the way in is proved on both servers, and only then anything is
//! kept - in one transaction.

pub mod draft;
pub(crate) mod fields;
mod find_servers;
mod keep;
pub(crate) mod obtained;
mod password;
mod problems;
mod prove;
mod registration;
mod servers;
mod tokens;

pub(crate) use find_servers::{discovered, find_servers, login_of, servers_of};
pub(crate) use keep::{ProvedSecret, keep_again, keep_new};
pub(crate) use password::{connect, connect_again, refuse_known};
pub(crate) use prove::{Proof, Secret, prove};
pub(crate) use registration::{Choice, choose, choose_for_person, selectable};
pub(crate) use servers::of_preset;
pub(crate) use tokens::new_tokens;
