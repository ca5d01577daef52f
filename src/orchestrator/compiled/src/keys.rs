//! Keys: the id of the profile that a customer id stands for, as text and as lines are keyed by it, and where a key
//! belongs.
//!
//! Making one is Python's (`model.ids.profile_id_of`), which remembers those made last, for all partitions together.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Names the profile of a customer.
pub fn of_customer<'py>(
    customer_id: &str,
    profile_id_of: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyString>, Bound<'py, PyBytes>)> {
    let id = profile_id_of.call1(("customer_id", customer_id))?.cast_into::<PyString>().map_err(PyErr::from)?;
    let key = PyBytes::new(id.py(), id.to_str()?.as_bytes());
    Ok((id, key))
}

/// The partition of so many that a record with this key belongs to, as Java clients and `runtime.kafka.keys` have it.
pub fn partition_of(key: &[u8], count: usize) -> usize {
    murmur2(key) as usize % count
}

/// Kafka's own hash of a key, without its sign.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ key.len() as u32;
    let mut fours = key.chunks_exact(4);
    for four in &mut fours {
        let mut mixed = u32::from_le_bytes([four[0], four[1], four[2], four[3]]).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    let rest = fours.remainder();
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15) & 0x7fff_ffff
}
