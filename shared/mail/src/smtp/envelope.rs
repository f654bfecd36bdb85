//! Who sends to whom, apart from what the header says (RFC 5321 section 2.3.1).

use super::address::{AddressError, check_address};
use std::borrow::Cow;

/// The most recipients one envelope takes; a server must take 100 (RFC 5321 section 4.5.3.1.8).
pub const MAX_RECIPIENTS: usize = 10_000;

/// The sender and the recipients of one transmission. Only checked addresses get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpEnvelope {
    from: String,
    recipients: Vec<String>,
}

/// Why an envelope cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The sender's address.
    #[error("The sender address {address:?} cannot be used: {cause}")]
    Sender {
        /// The address.
        address: String,
        /// What is wrong with it.
        cause: AddressError,
    },
    /// A recipient's address.
    #[error("The recipient address {address:?} cannot be used: {cause}")]
    Recipient {
        /// The address.
        address: String,
        /// What is wrong with it.
        cause: AddressError,
    },
    /// Nobody to send to.
    #[error("The message has no recipient; give at least one address")]
    NoRecipient,
    /// More than [`MAX_RECIPIENTS`].
    #[error("The message has more than {MAX_RECIPIENTS} recipients; split it")]
    TooManyRecipients,
}

impl SmtpEnvelope {
    /// Checks every address and makes the envelope.
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the first address that cannot be used.
    pub fn new<R: Into<String>>(
        from: impl Into<String>,
        recipients: impl IntoIterator<Item = R>,
    ) -> Result<Self, EnvelopeError> {
        let from = from.into();
        check_address(&from).map_err(|cause| EnvelopeError::Sender {
            address: from.clone(),
            cause,
        })?;
        let recipients: Vec<String> = recipients.into_iter().map(Into::into).collect();
        for address in &recipients {
            check_address(address).map_err(|cause| EnvelopeError::Recipient {
                address: address.clone(),
                cause,
            })?;
        }
        match recipients.len() {
            0 => Err(EnvelopeError::NoRecipient),
            1..=MAX_RECIPIENTS => Ok(Self { from, recipients }),
            _ => Err(EnvelopeError::TooManyRecipients),
        }
    }

    /// The sender's address.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The recipients' addresses, in the order given.
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }
}

/// The address as it goes over the wire: an international domain in its ASCII form, which every server understands.
/// What is still not ASCII then needs SMTPUTF8.
pub(crate) fn wire_address(address: &str) -> Cow<'_, str> {
    match address.rsplit_once('@') {
        Some((name, domain)) if name.is_ascii() && !domain.is_ascii() => {
            match idna::domain_to_ascii(domain) {
                Ok(domain) => Cow::Owned(format!("{name}@{domain}")),
                Err(_) => Cow::Borrowed(address),
            }
        }
        _ => Cow::Borrowed(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_addresses_do_not_get_in() {
        let error = SmtpEnvelope::new("a@x\r\nRSET", ["b@x"]).unwrap_err();
        assert!(matches!(
            error,
            EnvelopeError::Sender {
                cause: AddressError::ControlCharacter,
                ..
            }
        ));
        let error = SmtpEnvelope::new("a@x", ["b@x", "c@x>"]).unwrap_err();
        assert!(
            matches!(&error, EnvelopeError::Recipient { address, .. } if address == "c@x>"),
            "{error}"
        );
        assert_eq!(
            SmtpEnvelope::new("a@x", Vec::<String>::new()),
            Err(EnvelopeError::NoRecipient)
        );
        let many = vec!["a@x"; MAX_RECIPIENTS + 1];
        assert_eq!(
            SmtpEnvelope::new("a@x", many),
            Err(EnvelopeError::TooManyRecipients)
        );
    }

    #[test]
    fn international_domains_travel_in_ascii() {
        assert_eq!(wire_address("ann@bücher.example"), "ann@xn--bcher-kva.example");
        assert_eq!(wire_address("jörg@bücher.example"), "jörg@bücher.example");
        assert_eq!(wire_address("Ann@X.example"), "Ann@X.example");
    }
}
