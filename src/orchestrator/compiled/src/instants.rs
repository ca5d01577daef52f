//! Instants as text: epoch milliseconds written as RFC 3339 in UTC, as `model.instants.to_text` does.

use crate::bail::{Bail, May};

const DAY_MS: i64 = 86_400_000;
/// The last instant of the year 9999.
const LATEST_MS: i64 = 253_402_300_799_999;

fn put(text: &mut [u8], mut number: i64) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Writes an instant; those before 1970 are the engine's in Python.
pub fn to_text(instant_ms: i64) -> May<String> {
    if !(0..=LATEST_MS).contains(&instant_ms) {
        return Err(Bail);
    }
    let (year, month, day) = date_of(instant_ms / DAY_MS);
    let rest = instant_ms % DAY_MS;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], rest / 3_600_000);
    put(&mut text[14..16], rest / 60_000 % 60);
    put(&mut text[17..19], rest / 1000 % 60);
    put(&mut text[20..23], rest % 1000);
    String::from_utf8(text.to_vec()).map_err(|_| Bail)
}

/// The date of a day since 1970, reckoned in years that begin in March: so the day that leap years add comes last.
fn date_of(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468; // 1 March of the year 0
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
