//! Ids, derived from what they stand for, as `model.ids` derives them.

use blake2b_simd::Params;
use xxhash_rust::xxh3::{xxh3_128, xxh3_64};

const SEPARATOR: u8 = 0x1f;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn joined(parts: &[&str]) -> Vec<u8> {
    let mut text = Vec::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            text.push(SEPARATOR);
        }
        text.extend_from_slice(part.as_bytes());
    }
    text
}

/// Numbers the profile that a customer id stands for; in hexadecimal characters it is the profile's id.
pub fn profile_of(customer_id: &str) -> u128 {
    let digest = Params::new().hash_length(16).hash(&joined(&["customer_id", customer_id]));
    let mut number = [0; 16];
    number.copy_from_slice(digest.as_bytes());
    u128::from_be_bytes(number)
}

/// Derives an id from the parts it stands for, as 32 hexadecimal characters.
pub fn derive(parts: &[&str]) -> String {
    hex(xxh3_128(&joined(parts)))
}

/// Writes a number as 32 hexadecimal characters.
pub fn hex(number: u128) -> String {
    let mut text = String::with_capacity(32);
    for byte in number.to_be_bytes() {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(half)]));
        }
    }
    text
}

/// Reads what `hex` wrote; None for anything else.
pub fn read_hex(text: &str) -> Option<u128> {
    if text.len() != 32 {
        return None;
    }
    text.bytes().try_fold(0u128, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// Shortens an event's id to the eight bytes that a profile remembers it by.
pub fn digest_of(event_id: &str) -> [u8; 8] {
    xxh3_64(event_id.as_bytes()).to_be_bytes()
}

/// Draws a sticky number in [0, 100) for the parts.
pub fn share_of(parts: &[&str]) -> f64 {
    xxh3_64(&joined(parts)) as f64 / 2f64.powi(64) * 100.0
}
