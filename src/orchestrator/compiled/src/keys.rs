//! Keys: where a record belongs by its key, as Java clients and `runtime.kafka.keys` have it.

/// The partition of so many that a record with this key belongs to.
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
