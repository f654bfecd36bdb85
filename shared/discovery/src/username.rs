//! What a person signs in with.

use postroom_providers::UsernameForm;
use serde::{Serialize, Serializer};

use crate::address::MailAddress;

/// The user name of a mailbox, as a form where that is known and as a text where it is not the address's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Username {
    /// The whole address.
    Address,
    /// What stands before the `@`.
    LocalPart,
    /// It cannot be known: propose the address and let the person change it.
    Any,
    /// A user name that an autoconfig file gives, such as `web123p4`.
    Other(String),
}

impl Username {
    /// The user name for `address`; for [`Username::Any`] the one to propose.
    #[must_use]
    pub fn login(&self, address: &MailAddress) -> String {
        match self {
            Self::Address | Self::Any => address.as_str().to_owned(),
            Self::LocalPart => address.local_part().to_owned(),
            Self::Other(login) => login.clone(),
        }
    }

    /// Reads the `username` of an autoconfig file, with its placeholders.
    pub(crate) fn from_template(template: &str, address: &MailAddress) -> Self {
        let template = template.trim();
        let login = fill(template, address);
        let printable = login.chars().count() <= 256 && !login.chars().any(char::is_control);
        if template.is_empty() || login == address.as_str() {
            Self::Address
        } else if login == address.local_part() {
            Self::LocalPart
        // A placeholder that is not known (%REALNAME%), or a text that would be read as one of our words.
        } else if !printable
            || login.contains('%')
            || ["address", "localpart", "any"].contains(&login.as_str())
        {
            Self::Any
        } else {
            Self::Other(login)
        }
    }
}

/// Fills the placeholders of an autoconfig file.
pub(crate) fn fill(template: &str, address: &MailAddress) -> String {
    template
        .replace("%EMAILADDRESS%", address.as_str())
        .replace("%EMAILLOCALPART%", address.local_part())
        .replace("%EMAILDOMAIN%", address.domain().as_str())
}

impl From<UsernameForm> for Username {
    fn from(form: UsernameForm) -> Self {
        match form {
            UsernameForm::Address => Self::Address,
            UsernameForm::LocalPart => Self::LocalPart,
            UsernameForm::Any => Self::Any,
        }
    }
}

impl Serialize for Username {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Address => "address",
            Self::LocalPart => "localpart",
            Self::Any => "any",
            Self::Other(login) => login,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_read() {
        let address = MailAddress::parse("ada@example.com").unwrap();
        for (template, username, login) in [
            ("", Username::Address, "ada@example.com"),
            ("%EMAILADDRESS%", Username::Address, "ada@example.com"),
            ("%EMAILLOCALPART%", Username::LocalPart, "ada"),
            (
                "%EMAILLOCALPART%@%EMAILDOMAIN%",
                Username::Address,
                "ada@example.com",
            ),
            (
                "%EMAILLOCALPART%.%EMAILDOMAIN%",
                Username::Other("ada.example.com".to_owned()),
                "ada.example.com",
            ),
            ("web123p4", Username::Other("web123p4".to_owned()), "web123p4"),
            ("%REALNAME%", Username::Any, "ada@example.com"),
            ("%EMAILADDRESS", Username::Any, "ada@example.com"),
            ("any", Username::Any, "ada@example.com"),
            ("web\r\n1", Username::Any, "ada@example.com"),
        ] {
            let read = Username::from_template(template, &address);
            assert_eq!(read, username, "{template:?}");
            assert_eq!(read.login(&address), login);
        }
    }
}
