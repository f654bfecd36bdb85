//! One that fails does not stand in the way of the others.

use uuid::Uuid;

use crate::StoreError;

/// After so many failures in a row it is not a pack that is bad, but the database or the object store that is down.
const MOST_IN_A_ROW: u32 = 5;

/// Failures among many that are worked on one after the other. Whoever uses it takes them in random order, so that the
/// same bad ones do not come first each time.
#[derive(Debug, Default)]
pub(super) struct Failures {
    in_a_row: u32,
}

impl Failures {
    /// The result of one, or `None` when it failed: logged, and left to the next round.
    ///
    /// # Errors
    /// Its error, when too many failed in a row: the others would fail, too.
    pub(super) fn pass<T>(
        &mut self,
        task: &'static str,
        id: Uuid,
        result: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => {
                self.in_a_row = 0;
                Ok(Some(value))
            }
            Err(error) => {
                self.in_a_row += 1;
                if self.in_a_row == MOST_IN_A_ROW {
                    return Err(error);
                }
                tracing::warn!(%id, %error, "Could not {task}; the next round tries again");
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<(), StoreError> {
        Err(StoreError::not_found("pack", "1"))
    }

    #[test]
    fn only_many_failures_in_a_row_end_the_round() {
        let mut failures = Failures::default();
        for _ in 0..3 {
            for _ in 1..MOST_IN_A_ROW {
                assert!(matches!(failures.pass("test", Uuid::nil(), failed()), Ok(None)));
            }
            assert!(matches!(failures.pass("test", Uuid::nil(), Ok(7)), Ok(Some(7))));
        }
        for _ in 1..MOST_IN_A_ROW {
            assert!(matches!(failures.pass("test", Uuid::nil(), failed()), Ok(None)));
        }
        assert!(failures.pass("test", Uuid::nil(), failed()).is_err());
    }
}
