//! Envelopes: what nearly every record is, native and plain, as `model.envelopes` reads it in its first pass.
//!
//! Owns that form and nothing else. Another envelope, a field of another kind, identifiers, a time that takes thought:
//! whatever it is, it is read in Python.

use std::borrow::Cow;

use crate::bail::{Bail, May};
use crate::json::Json;

/// A larger record is refused unread, and told of (`model.envelopes.MAX_RECORD_BYTES`).
const MOST_RECORD_BYTES: usize = 1 << 20;
/// The beginning of the year 9000 (`model.envelopes.LATEST_EVENT_MS`).
const LATEST_EVENT_MS: i64 = 221_845_392_000_000;
/// Segment's types, which mean something else.
const SEGMENT: [&str; 6] = ["track", "identify", "page", "screen", "group", "alias"];

/// One event, its properties unread: empty where none are given.
pub struct Envelope<'a> {
    pub id: Cow<'a, str>,
    pub kind: Cow<'a, str>,
    pub time_ms: i64,
    pub customer_id: Cow<'a, str>,
    pub channel: Option<Cow<'a, str>>,
    pub properties: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads a record of somebody who is named by a customer id and nothing else.
    pub fn read(record: &'a [u8], arrived_ms: i64) -> May<Self> {
        if record.len() > MOST_RECORD_BYTES {
            return Err(Bail);
        }
        let mut json = Json::new(record);
        let (mut id, mut kind, mut customer_id, mut channel) = (None, None, None, None);
        let (mut time_ms, mut properties) = (None, None);
        let mut has_identifiers = false;
        json.sign(b'{')?;
        loop {
            let name = json.text()?;
            json.sign(b':')?;
            match &*name {
                "id" => once(&mut id, json.text()?)?,
                "type" => once(&mut kind, json.text()?)?,
                "customer_id" => once(&mut customer_id, json.text()?)?,
                "channel" if json.peek()? == b'n' => json.skip().map(|_| ())?,
                "channel" => once(&mut channel, json.text()?)?,
                "time" => once(&mut time_ms, instant(&mut json)?)?,
                "properties" => once(&mut properties, json.skip()?)?,
                "identifiers" if !has_identifiers => {
                    json.sign(b'{')?;
                    json.sign(b'}')?;
                    has_identifiers = true;
                }
                "identifiers" | "decoded" | "specversion" => return Err(Bail),
                _ => json.skip().map(|_| ())?,
            }
            if !json.is_more(b'}')? {
                break;
            }
        }
        json.end()?;
        let given = |text: Option<Cow<'a, str>>| text.filter(|text| !text.is_empty()).ok_or(Bail);
        let kind = given(kind)?;
        if SEGMENT.contains(&&*kind) {
            return Err(Bail);
        }
        Ok(Envelope {
            id: given(id)?,
            kind,
            time_ms: time_ms.unwrap_or(arrived_ms),
            customer_id: given(customer_id)?,
            channel,
            properties: properties.unwrap_or_default(),
        })
    }
}

/// Of a name that is given twice the last counts, for some of them: not here.
fn once<T>(place: &mut Option<T>, value: T) -> May<()> {
    if place.replace(value).is_some() {
        Err(Bail)
    } else {
        Ok(())
    }
}

fn instant(json: &mut Json) -> May<i64> {
    let time_ms = if json.peek()? == b'"' {
        from_text(json.text()?.as_bytes())?
    } else {
        std::str::from_utf8(json.skip()?).map_err(|_| Bail)?.parse().map_err(|_| Bail)?
    };
    if (0..=LATEST_EVENT_MS).contains(&time_ms) {
        Ok(time_ms)
    } else {
        Err(Bail)
    }
}

/// Reads `2026-01-01T10:00:00.000Z` and the same with an offset, to the millisecond.
fn from_text(text: &[u8]) -> May<i64> {
    let number = |from: usize, to: usize| -> May<i64> {
        let digits = text.get(from..to).ok_or(Bail)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Bail);
        }
        Ok(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    };
    let is_at = |at: usize, sign: u8| text.get(at) == Some(&sign);
    if !(is_at(4, b'-') && is_at(7, b'-') && is_at(10, b'T') && is_at(13, b':') && is_at(16, b':')) {
        return Err(Bail);
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) && !is_day(year, month, day) {
        return Err(Bail);
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Bail);
    }
    let mut at = 19;
    let mut millisecond = 0;
    if is_at(at, b'.') {
        let digits = text[at + 1..].iter().take_while(|digit| digit.is_ascii_digit()).count();
        if !(1..=3).contains(&digits) {
            return Err(Bail); // finer than we count: how it is rounded is Python's
        }
        millisecond = number(at + 1, at + 1 + digits)? * 10i64.pow(3 - digits as u32);
        at += 1 + digits;
    }
    let offset_minutes = match &text[at..] {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return Err(Bail);
            }
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return Err(Bail),
    };
    let minutes = (days_until(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Ok((minutes * 60 + second) * 1000 + millisecond)
}

fn is_day(year: i64, month: i64, day: i64) -> bool {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1..=last).contains(&day)
}

/// The days from 1970 to a date, in years that begin in March: so the day that leap years add comes last.
fn days_until(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}
