//! What the tests use to talk to the testbed: real servers that `cargo xtask testbed up` starts on loopback.
//!
//! Begin with [`Testbed::load`] and make a user of your own with [`Testbed::create_user`]: tests run beside
//! one another on the same servers, and what they do not share cannot disturb them. The same holds for
//! databases ([`Testbed::fresh_database`]), virtual hosts of the broker ([`Testbed::fresh_vhost`]) and the
//! OpenID provider, whose settings and faults are set per user ([`Testbed::openid`]).
//!
//! A test that has to stop a database or a broker starts one of its own ([`Testbed::private_postgres`],
//! [`Testbed::private_rabbitmq`]); one that has to break a connection puts a [`TcpProxy`] in between.

mod certificate;
mod command;
mod description;
mod eventually;
mod mail;
mod names;
mod openid;
mod ports;
mod postgres;
mod private;
mod proxy;
mod rabbitmq;
mod sink;
mod users;

pub use certificate::ClientCertificate;
pub use description::{
    FaultyHosts, LmtpAddress, MailServer, NativeClient, OpenIdAddress, S3Address, Testbed, WebClient,
};
pub use eventually::{Awaited, eventually};
pub use mail::dialogue::{Dialogue, Reply};
pub use mail::imap::{ImapClient, ImapLine, ImapReply, ImapStatus, oauthbearer, xoauth2};
pub use mail::seed::SeedMessage;
pub use openid::admin::{Consent, Counts, OpenId, Revoke, Rotation, Settings, TokenCounts, TokenSet};
pub use openid::applications::Application;
pub use openid::faults::{Fault, FaultMode, PendingFault};
pub use openid::pages::Decision;
pub use ports::free_port;
pub use postgres::FreshDatabase;
pub use private::postgres::PrivatePostgres;
pub use private::rabbitmq::PrivateRabbitMq;
pub use proxy::TcpProxy;
pub use rabbitmq::FreshVhost;
pub use sink::SinkMessage;
pub use users::TestUser;
