//! Where a secret lives.

use uuid::Uuid;

/// The one place in the database that a sealed secret belongs to. Nothing of it is stored in the sealed value:
/// who opens it must know where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext {
    /// The tenant that owns the row; nil for rows of the operator.
    pub tenant: Uuid,
    /// Name of the table.
    pub table: &'static str,
    /// Name of the column.
    pub column: &'static str,
    /// Primary key of the row. A grant can serve many accounts: then this is the grant's id.
    pub row: Uuid,
}

impl SealContext {
    /// The context and the head of the sealed value in one unambiguous line of bytes: each part has its length
    /// in front, so that no two different contexts come to the same bytes.
    pub(crate) fn associated_data(&self, head: &[u8]) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"postroom sealed secret",
            head,
            self.tenant.as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
        ];
        let mut bytes = Vec::with_capacity(128);
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_into_one_another() {
        let context = |table, column| SealContext {
            tenant: Uuid::nil(),
            table,
            column,
            row: Uuid::nil(),
        };
        assert_ne!(
            context("ab", "c").associated_data(b"h"),
            context("a", "bc").associated_data(b"h")
        );
        assert_ne!(
            context("a", "b").associated_data(b"h"),
            context("a", "b").associated_data(b"")
        );
    }
}
