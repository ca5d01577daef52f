//! Kafka's numbers of variable length: zigzag, seven bits a byte, the lowest first.

/// Reads them one after another; None where there is no more, or what there is makes no sense.
#[derive(Clone)]
pub struct Varints<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Varints<'a> {
    pub fn take(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((value >> 1) as i64 ^ -((value & 1) as i64));
            }
            shift += 7;
            if shift > 63 {
                return None;
            }
        }
    }

    /// Reads a length, and so many bytes; an inner None is a part that is not there.
    pub fn part(&mut self) -> Option<Option<&'a [u8]>> {
        let length = self.take()?;
        if length < 0 {
            return Some(None);
        }
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let part = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(Some(part))
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// How many bytes a number takes.
pub fn size_of(number: i64) -> usize {
    (70 - (zigzag(number) | 1).leading_zeros() as usize) / 7
}

pub fn write(bytes: &mut Vec<u8>, number: i64) {
    let mut left = zigzag(number);
    while left > 0x7f {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

/// Writes a part of a record, or of a header: its length, -1 for None, and its bytes.
pub fn write_part(bytes: &mut Vec<u8>, part: Option<&[u8]>) {
    write(bytes, part.map_or(-1, |part| part.len() as i64));
    bytes.extend_from_slice(part.unwrap_or_default());
}

pub fn size_of_part(part: Option<&[u8]>) -> usize {
    part.map_or(1, |part| size_of(part.len() as i64) + part.len())
}
