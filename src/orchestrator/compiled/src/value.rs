//! The values of events and traits: MessagePack at rest, JSON out, each as msgspec reads and writes it.
//!
//! Owns what a value is. Integers have 64 bits here: whoever reads leaves what is larger to the engine in Python.

use std::borrow::Cow;

use crate::bail::May;
use crate::pack::{Reader, Writer};

pub type Pairs<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Missing,
    Truth(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Map(Pairs<'a>),
}

impl<'a> Value<'a> {
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Value::Text(text.into())
    }

    pub fn is_missing(&self) -> bool {
        matches!(self, Value::Missing)
    }

    /// As Python's `bool(value)`.
    pub fn holds(&self) -> bool {
        match self {
            Value::Missing => false,
            Value::Truth(is_so) => *is_so,
            Value::Integer(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Map(pairs) => !pairs.is_empty(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        match self {
            Value::Map(pairs) => pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Reads one value at rest.
    pub fn unpack(reader: &mut Reader<'a>) -> May<Self> {
        Ok(match reader.peek()? {
            0xc0 => {
                reader.skip_nil()?;
                Value::Missing
            }
            0xc2 | 0xc3 => Value::Truth(reader.truth()?),
            0xcb => Value::Float(reader.float()?),
            0xa0..=0xbf | 0xd9..=0xdb => Value::text(reader.text()?),
            0x90..=0x9f | 0xdc | 0xdd => {
                let count = reader.array()?;
                Value::List((0..count).map(|_| Value::unpack(reader)).collect::<May<_>>()?)
            }
            0x80..=0x8f | 0xde | 0xdf => {
                let count = reader.map()?;
                let pair = |_| Ok((Cow::Borrowed(reader.text()?), Value::unpack(reader)?));
                Value::Map((0..count).map(pair).collect::<May<_>>()?)
            }
            _ => Value::Integer(reader.integer()?),
        })
    }

    pub fn pack(&self, writer: &mut Writer) {
        match self {
            Value::Missing => writer.nil(),
            Value::Truth(is_so) => writer.truth(*is_so),
            Value::Integer(number) => writer.integer(*number),
            Value::Float(number) => writer.float(*number),
            Value::Text(text) => writer.text(text),
            Value::List(items) => {
                writer.array(items.len());
                items.iter().for_each(|item| item.pack(writer));
            }
            Value::Map(pairs) => {
                writer.map(pairs.len());
                for (name, value) in pairs {
                    writer.text(name);
                    value.pack(writer);
                }
            }
        }
    }

    pub fn write_json(&self, line: &mut Vec<u8>) {
        match self {
            Value::Missing => line.extend_from_slice(b"null"),
            Value::Truth(true) => line.extend_from_slice(b"true"),
            Value::Truth(false) => line.extend_from_slice(b"false"),
            Value::Integer(number) => write_integer(*number, line),
            Value::Float(number) => line.extend_from_slice(ryu::Buffer::new().format_finite(*number).as_bytes()),
            Value::Text(text) => write_text(text, line),
            Value::List(items) => {
                line.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        line.push(b',');
                    }
                    item.write_json(line);
                }
                line.push(b']');
            }
            Value::Map(pairs) => write_pairs(pairs, line),
        }
    }
}

pub fn write_pairs(pairs: &[(Cow<str>, Value)], line: &mut Vec<u8>) {
    line.push(b'{');
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            line.push(b',');
        }
        write_text(name, line);
        line.push(b':');
        value.write_json(line);
    }
    line.push(b'}');
}

pub fn write_integer(number: i64, line: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        line.push(b'-');
    }
    line.extend_from_slice(&digits[at..]);
}

/// Writes a text in quotes.
pub fn write_text(text: &str, line: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    line.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escaped = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..=31 => b'u',
            _ => continue,
        };
        line.extend_from_slice(&bytes[done..at]);
        line.extend_from_slice(&[b'\\', escaped]);
        if escaped == b'u' {
            line.extend_from_slice(&[b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
        }
        done = at + 1;
    }
    line.extend_from_slice(&bytes[done..]);
    line.push(b'"');
}
