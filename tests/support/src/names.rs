//! Names that no other test has.

use uuid::Uuid;

/// Twelve hexadecimal digits, different each time.
pub(crate) fn unique() -> String {
    let mut digits = Uuid::new_v4().simple().to_string();
    digits.truncate(12);
    digits
}
