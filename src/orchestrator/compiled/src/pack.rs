//! MessagePack, as a state record is written: reading piece by piece without a copy, writing the shortest form.
//!
//! Owns the byte layout of both directions. What is read may be anything: whoever asks for a text and finds a number
//! gets `Bail`, and the turn is left to the Python engine, which says what is wrong with the record.

use crate::bail::{Bail, May};

/// Reads one piece after another from a slice.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// All that has not been read.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub fn peek(&self) -> May<u8> {
        self.bytes.get(self.at).copied().ok_or(Bail)
    }

    fn byte(&mut self) -> May<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, count: usize) -> May<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(Bail)?;
        let taken = self.bytes.get(self.at..end).ok_or(Bail)?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, size: usize) -> May<u64> {
        Ok(self.take(size)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// How many items an array has.
    pub fn array(&mut self) -> May<usize> {
        match self.byte()? {
            head @ 0x90..=0x9f => Ok((head & 0x0f) as usize),
            0xdc => Ok(self.number(2)? as usize),
            0xdd => Ok(self.number(4)? as usize),
            _ => Err(Bail),
        }
    }

    /// An array of exactly so many items: a record of an older release may have fewer.
    pub fn array_of(&mut self, count: usize) -> May<()> {
        if self.array()? == count {
            Ok(())
        } else {
            Err(Bail)
        }
    }

    /// How many pairs a map has.
    pub fn map(&mut self) -> May<usize> {
        match self.byte()? {
            head @ 0x80..=0x8f => Ok((head & 0x0f) as usize),
            0xde => Ok(self.number(2)? as usize),
            0xdf => Ok(self.number(4)? as usize),
            _ => Err(Bail),
        }
    }

    pub fn text(&mut self) -> May<&'a str> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| Bail)
    }

    fn text_bytes(&mut self) -> May<&'a [u8]> {
        let count = match self.byte()? {
            head @ 0xa0..=0xbf => (head & 0x1f) as usize,
            0xd9 => self.number(1)? as usize,
            0xda => self.number(2)? as usize,
            0xdb => self.number(4)? as usize,
            _ => return Err(Bail),
        };
        self.take(count)
    }

    pub fn text_or_nil(&mut self) -> May<Option<&'a str>> {
        if self.skip_nil()? {
            Ok(None)
        } else {
            self.text().map(Some)
        }
    }

    /// Passes over a nil, if there is one.
    pub fn skip_nil(&mut self) -> May<bool> {
        let is_nil = self.peek()? == 0xc0;
        self.at += usize::from(is_nil);
        Ok(is_nil)
    }

    pub fn binary(&mut self) -> May<&'a [u8]> {
        let count = match self.byte()? {
            0xc4 => self.number(1)?,
            0xc5 => self.number(2)?,
            0xc6 => self.number(4)?,
            _ => return Err(Bail),
        };
        self.take(count as usize)
    }

    pub fn truth(&mut self) -> May<bool> {
        match self.byte()? {
            0xc2 => Ok(false),
            0xc3 => Ok(true),
            _ => Err(Bail),
        }
    }

    pub fn integer(&mut self) -> May<i64> {
        match self.byte()? {
            head @ 0x00..=0x7f => Ok(i64::from(head)),
            head @ 0xe0..=0xff => Ok(i64::from(head as i8)),
            0xcc => Ok(self.number(1)? as i64),
            0xcd => Ok(self.number(2)? as i64),
            0xce => Ok(self.number(4)? as i64),
            0xcf => i64::try_from(self.number(8)?).map_err(|_| Bail),
            0xd0 => Ok(i64::from(self.number(1)? as i8)),
            0xd1 => Ok(i64::from(self.number(2)? as i16)),
            0xd2 => Ok(i64::from(self.number(4)? as i32)),
            0xd3 => Ok(self.number(8)? as i64),
            _ => Err(Bail),
        }
    }

    pub fn float(&mut self) -> May<f64> {
        match self.byte()? {
            0xcb => Ok(f64::from_bits(self.number(8)?)),
            _ => Err(Bail),
        }
    }

    /// Passes over whatever comes next, and gives its bytes.
    pub fn raw(&mut self) -> May<&'a [u8]> {
        let begin = self.at;
        let mut left = 1usize;
        while left > 0 {
            left -= 1;
            let inner = match self.peek()? {
                0x80..=0x8f | 0xde | 0xdf => self.map()?.checked_mul(2).ok_or(Bail)?,
                0x90..=0x9f | 0xdc | 0xdd => self.array()?,
                0xa0..=0xbf | 0xd9 | 0xda | 0xdb => self.text_bytes().map(|_| 0)?,
                0xc4..=0xc6 => self.binary().map(|_| 0)?,
                0xc0 | 0xc2 | 0xc3 => self.byte().map(|_| 0)?,
                0xcb => self.float().map(|_| 0)?,
                _ => self.integer_of_any_size()?,
            };
            left = left.checked_add(inner).ok_or(Bail)?;
        }
        Ok(&self.bytes[begin..self.at])
    }

    fn integer_of_any_size(&mut self) -> May<usize> {
        let size = match self.byte()? {
            0x00..=0x7f | 0xe0..=0xff => 0,
            0xcc | 0xd0 => 1,
            0xcd | 0xd1 => 2,
            0xce | 0xd2 => 4,
            0xcf | 0xd3 => 8,
            _ => return Err(Bail),
        };
        self.take(size).map(|_| 0)
    }
}

/// What is written, in the shortest form of each piece, as msgspec writes it.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn with_room(room: usize) -> Self {
        Writer { bytes: Vec::with_capacity(room) }
    }

    fn headed(&mut self, head: u8, size: usize, number: u64) {
        self.bytes.push(head);
        self.bytes.extend_from_slice(&number.to_be_bytes()[8 - size..]);
    }

    pub fn array(&mut self, count: usize) {
        match count {
            0..=15 => self.bytes.push(0x90 | count as u8),
            16..=0xffff => self.headed(0xdc, 2, count as u64),
            _ => self.headed(0xdd, 4, count as u64),
        }
    }

    pub fn map(&mut self, count: usize) {
        match count {
            0..=15 => self.bytes.push(0x80 | count as u8),
            16..=0xffff => self.headed(0xde, 2, count as u64),
            _ => self.headed(0xdf, 4, count as u64),
        }
    }

    pub fn text(&mut self, text: &str) {
        match text.len() {
            count @ 0..=31 => self.bytes.push(0xa0 | count as u8),
            count @ 32..=0xff => self.headed(0xd9, 1, count as u64),
            count @ 0x100..=0xffff => self.headed(0xda, 2, count as u64),
            count => self.headed(0xdb, 4, count as u64),
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub fn text_or_nil(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.nil(),
        }
    }

    pub fn nil(&mut self) {
        self.bytes.push(0xc0);
    }

    pub fn truth(&mut self, is_so: bool) {
        self.bytes.push(0xc2 | u8::from(is_so));
    }

    pub fn binary(&mut self, bytes: &[u8]) {
        match bytes.len() {
            count @ 0..=0xff => self.headed(0xc4, 1, count as u64),
            count @ 0x100..=0xffff => self.headed(0xc5, 2, count as u64),
            count => self.headed(0xc6, 4, count as u64),
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub fn integer(&mut self, number: i64) {
        match number {
            0..=0x7f => self.bytes.push(number as u8),
            0x80..=0xff => self.headed(0xcc, 1, number as u64),
            0x100..=0xffff => self.headed(0xcd, 2, number as u64),
            0x1_0000..=0xffff_ffff => self.headed(0xce, 4, number as u64),
            0x1_0000_0000.. => self.headed(0xcf, 8, number as u64),
            -0x20..=-1 => self.bytes.push(number as u8),
            -0x80..=-0x21 => self.headed(0xd0, 1, number as u64 & 0xff),
            -0x8000..=-0x81 => self.headed(0xd1, 2, number as u64 & 0xffff),
            -0x8000_0000..=-0x8001 => self.headed(0xd2, 4, number as u64 & 0xffff_ffff),
            _ => self.headed(0xd3, 8, number as u64),
        }
    }

    pub fn float(&mut self, number: f64) {
        self.headed(0xcb, 8, number.to_bits());
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}
