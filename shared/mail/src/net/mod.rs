//! Reaching a mail server: names, addresses that may be reached, TCP, TLS.
//!
//! The rules that hold for every connection of the product:
//! - certificates are always checked; an operator may add a CA, nobody may switch the check off;
//! - a name is resolved, its addresses are judged by the [`AddressPolicy`], and the connection goes to a judged
//!   address, so that a name that resolves differently the second time gains nothing;
//! - every step has a time-out;
//! - after STARTTLS a byte that arrived before the handshake is a failure ([`Connector::start_tls`]).

mod address_policy;
mod connector;
mod endpoint;
mod error;
mod lines;
mod read_ahead;
mod resolve;
mod stream;
mod tls;

pub use address_policy::{AddressPolicy, InvalidNetwork, IpNetwork};
pub use connector::{Connector, ConnectorSettings, NetTimeOuts};
pub use endpoint::{Endpoint, HostName, InvalidHostName, TlsMode};
pub use error::{ConnectError, ConnectErrorKind, ConnectStep, TlsFailure};
pub use lines::{LineError, Lines};
pub use resolve::{Resolve, SystemResolver};
pub use stream::{MailIo, MailStream};
pub use tls::TrustError;
