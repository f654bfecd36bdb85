//! From a name to addresses.

use std::io;
use std::net::IpAddr;

use futures::future::BoxFuture;

/// Finds the addresses of a host name. The system's resolver by default; another one for tests and for
/// installations with name servers of their own.
pub trait Resolve: Send + Sync {
    /// All addresses of `name`, in the order in which they are best tried.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when the name does not exist; any other kind when it could not be found out.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system (`getaddrinfo`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            match tokio::net::lookup_host((name, 0)).await {
                Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
                Err(error) => Err(name_error(error)),
            }
        })
    }
}

/// `getaddrinfo` tells "no such name" from "no answer" only in its text.
fn name_error(error: io::Error) -> io::Error {
    let text = error.to_string();
    let temporary = text.contains("Temporary failure") || text.contains("try again");
    let kind = if temporary {
        io::ErrorKind::TimedOut
    } else {
        io::ErrorKind::NotFound
    };
    io::Error::new(kind, error)
}
