//! Ids, derived from what they stand for, as `model.ids` derives them.

use xxhash_rust::xxh3::{xxh3_128, xxh3_64};

const SEPARATOR: u8 = 0x1f;

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

/// Derives an id from the parts it stands for, as 32 hexadecimal characters.
pub fn derive(parts: &[&str]) -> String {
    format!("{:032x}", xxh3_128(&joined(parts)))
}

/// Shortens an event's id to the eight bytes that a profile remembers it by.
pub fn digest_of(event_id: &str) -> [u8; 8] {
    xxh3_64(event_id.as_bytes()).to_be_bytes()
}

/// Draws a sticky number in [0, 100) for the parts.
pub fn share_of(parts: &[&str]) -> f64 {
    xxh3_64(&joined(parts)) as f64 / 2f64.powi(64) * 100.0
}
