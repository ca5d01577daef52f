//! The values of events and traits: JSON in, MessagePack at rest, JSON out, each as msgspec reads and writes it.
//!
//! Owns what a value is and how it is compared with another. Integers have 64 bits here; what is larger, nests deeply
//! or is no UTF-8 is left to the engine in Python, which tells the producer.

use std::borrow::Cow;

use crate::bail::{Bail, May};
use crate::pack::{Reader, Writer};

/// What nests deeper is looked at in Python, where the bound is.
const DEEPEST: usize = 24;

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

/// Reads JSON that somebody has found to be JSON before.
pub fn read_json(text: &[u8]) -> May<Value<'_>> {
    let mut json = Json { text, at: 0 };
    let value = json.value(0)?;
    json.space();
    if json.at == text.len() { Ok(value) } else { Err(Bail) }
}

struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> May<u8> {
        self.space();
        self.text.get(self.at).copied().ok_or(Bail)
    }

    fn expect(&mut self, word: &[u8]) -> May<()> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        Err(Bail)
    }

    fn value(&mut self, depth: usize) -> May<Value<'a>> {
        if depth > DEEPEST {
            return Err(Bail);
        }
        match self.peek()? {
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Value::Text),
            b't' => self.expect(b"true").map(|()| Value::Truth(true)),
            b'f' => self.expect(b"false").map(|()| Value::Truth(false)),
            b'n' => self.expect(b"null").map(|()| Value::Missing),
            _ => self.number(),
        }
    }

    fn map(&mut self, depth: usize) -> May<Value<'a>> {
        self.at += 1;
        let mut pairs: Pairs<'a> = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Map(pairs));
        }
        loop {
            if self.peek()? != b'"' {
                return Err(Bail);
            }
            let name = self.string()?;
            if self.peek()? != b':' {
                return Err(Bail);
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            // Of a name that is given twice the last counts, at the place of the first.
            match pairs.iter_mut().find(|(known, _)| *known == name) {
                Some(pair) => pair.1 = value,
                None => pairs.push((name, value)),
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(Bail),
            }
        }
        self.at += 1;
        Ok(Value::Map(pairs))
    }

    fn list(&mut self, depth: usize) -> May<Value<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(Bail),
            }
        }
        self.at += 1;
        Ok(Value::List(items))
    }

    fn string(&mut self) -> May<Cow<'a, str>> {
        self.at += 1;
        let begin = self.at;
        loop {
            match self.text.get(self.at).ok_or(Bail)? {
                b'"' => break,
                b'\\' => return self.escaped(begin),
                0..=31 => return Err(Bail),
                _ => self.at += 1,
            }
        }
        let text = std::str::from_utf8(&self.text[begin..self.at]).map_err(|_| Bail)?;
        self.at += 1;
        Ok(Cow::Borrowed(text))
    }

    /// Reads a text from its begin on, with its escapes resolved.
    fn escaped(&mut self, begin: usize) -> May<Cow<'a, str>> {
        let mut found: Vec<u8> = self.text[begin..self.at].to_vec();
        loop {
            match *self.text.get(self.at).ok_or(Bail)? {
                b'"' => break,
                b'\\' => {
                    let kind = *self.text.get(self.at + 1).ok_or(Bail)?;
                    self.at += 2;
                    let plain = match kind {
                        b'"' | b'\\' | b'/' => kind,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => 10,
                        b'r' => 13,
                        b't' => 9,
                        b'u' => {
                            let letter = self.unicode()?;
                            found.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                            continue;
                        }
                        _ => return Err(Bail),
                    };
                    found.push(plain);
                }
                0..=31 => return Err(Bail),
                byte => {
                    found.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        String::from_utf8(found).map(Cow::Owned).map_err(|_| Bail)
    }

    fn unicode(&mut self) -> May<char> {
        let first = self.four_digits()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or(Bail);
        }
        self.expect(b"\\u")?;
        let second = self.four_digits()?;
        if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
            return Err(Bail);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(Bail)
    }

    fn four_digits(&mut self) -> May<u32> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Bail)?;
        self.at += 4;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Bail);
        }
        let digits = std::str::from_utf8(digits).map_err(|_| Bail)?;
        u32::from_str_radix(digits, 16).map_err(|_| Bail)
    }

    fn number(&mut self) -> May<Value<'a>> {
        let begin = self.at;
        while matches!(self.text.get(self.at), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[begin..self.at]).map_err(|_| Bail)?;
        if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
            let number: f64 = digits.parse().map_err(|_| Bail)?;
            return if number.is_finite() { Ok(Value::Float(number)) } else { Err(Bail) };
        }
        if digits == "-0" {
            return Err(Bail);
        }
        digits.parse().map(Value::Integer).map_err(|_| Bail)
    }
}
