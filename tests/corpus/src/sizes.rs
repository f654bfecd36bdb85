//! How large the messages of a real mailbox are: half below 6 KB, one in a hundred above 290 KB, the largest a few MB.

use crate::random::Random;

/// Size in bytes at or below which the given share (of 10,000) of the messages lies; straight lines between.
const QUANTILES: [(u64, u64); 14] = [
    (0, 1_300),
    (1_000, 2_400),
    (2_500, 3_600),
    (5_000, 5_900),
    (7_500, 10_000),
    (9_000, 16_500),
    (9_500, 38_000),
    (9_700, 76_000),
    (9_850, 165_000),
    (9_900, 252_000),
    (9_950, 510_000),
    (9_980, 980_000),
    (9_995, 1_600_000),
    (10_000, 3_700_000),
];

/// Steps between two shares of the table, so that sizes do not bunch.
const FINE: u64 = 1_000;

/// The size that a message is to have, in bytes, give or take a line.
pub(crate) fn draw(random: &mut Random) -> u64 {
    let place = random.below(10_000 * FINE);
    for pair in QUANTILES.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if place < to * FINE {
            return low + (high - low) * (place - from * FINE) / ((to - from) * FINE);
        }
    }
    QUANTILES[QUANTILES.len() - 1].1
}
