//! Checks that the testbed is what its README says, against the running servers.

mod identity;
mod mailboxes;
mod private_servers;
mod proxy;
mod shared_servers;
mod sign_in;
mod submission;
mod tls;
