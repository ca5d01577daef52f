//! JSON, as events come in: read into values, or passed over.
//!
//! Owns the grammar, and is strict: what is odd about a text (a control sign, a number too large, a half of a letter) is
//! left to the engine in Python, which tells the producer or takes it for what it is.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::bail::{Bail, May};
use crate::value::{Pairs, Value};

/// What nests deeper is looked at in Python, where the bound is.
const DEEPEST: usize = 24;
/// Of so few names one is found sooner by looking along them than by its hash.
const FEW_NAMES: usize = 32;

/// Reads a whole text.
pub fn read_json(text: &[u8]) -> May<Value<'_>> {
    let mut json = Json::new(text);
    let value = json.value(0)?;
    json.end()?;
    Ok(value)
}

/// Reads JSON piece by piece, strictly: whatever is odd about it is left to the engine in Python.
pub struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Json { text, at: 0 }
    }

    /// Nothing but space may follow.
    pub fn end(&mut self) -> May<()> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Bail)
        }
    }

    /// Passes over the next sign, which must be this one.
    pub fn sign(&mut self, sign: u8) -> May<()> {
        if self.peek()? != sign {
            return Err(Bail);
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over a comma, or over the end of what it stands in; says whether there is more.
    pub fn is_more(&mut self, end: u8) -> May<bool> {
        let sign = self.peek()?;
        if sign != b',' && sign != end {
            return Err(Bail);
        }
        self.at += 1;
        Ok(sign == b',')
    }

    /// Passes over the next value, and gives its text.
    pub fn skip(&mut self) -> May<&'a [u8]> {
        self.space();
        let begin = self.at;
        self.skip_at(0)?;
        Ok(&self.text[begin..self.at])
    }

    fn skip_at(&mut self, depth: usize) -> May<()> {
        if depth > DEEPEST {
            return Err(Bail);
        }
        match self.peek()? {
            b'{' => self.skip_inside(b'}', depth, |json| {
                json.sign(b'"')?;
                json.skip_text()?;
                json.sign(b':')
            }),
            b'[' => self.skip_inside(b']', depth, |_| Ok(())),
            b'"' => {
                self.at += 1;
                self.skip_text()
            }
            b't' => self.expect(b"true"),
            b'f' => self.expect(b"false"),
            b'n' => self.expect(b"null"),
            _ => self.digits().map(|_| ()),
        }
    }

    fn skip_inside(&mut self, end: u8, depth: usize, before: fn(&mut Self) -> May<()>) -> May<()> {
        self.at += 1;
        if self.peek()? == end {
            self.at += 1;
            return Ok(());
        }
        loop {
            before(self)?;
            self.skip_at(depth + 1)?;
            if !self.is_more(end)? {
                return Ok(());
            }
        }
    }

    /// Passes over the rest of a text, behind its first quote.
    fn skip_text(&mut self) -> May<()> {
        loop {
            match *self.text.get(self.at).ok_or(Bail)? {
                b'"' => break,
                b'\\' => match *self.text.get(self.at + 1).ok_or(Bail)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
                    b'u' => {
                        self.at += 2;
                        self.unicode()?;
                    }
                    _ => return Err(Bail),
                },
                0..=31 => return Err(Bail),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Passes over a number in JSON's own form, and gives its digits.
    fn digits(&mut self) -> May<&'a str> {
        let begin = self.at;
        let run = |json: &mut Self| {
            let from = json.at;
            while json.text.get(json.at).is_some_and(u8::is_ascii_digit) {
                json.at += 1;
            }
            json.at - from
        };
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        let is_zero = self.text.get(self.at) == Some(&b'0');
        let whole = run(self);
        if whole == 0 || (is_zero && whole > 1) {
            return Err(Bail);
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if run(self) == 0 {
                return Err(Bail);
            }
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if run(self) == 0 {
                return Err(Bail);
            }
        }
        std::str::from_utf8(&self.text[begin..self.at]).map_err(|_| Bail)
    }

    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Looks at the next sign that is no space.
    pub fn peek(&mut self) -> May<u8> {
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

    /// Reads the next value, at so deep a place.
    pub fn value(&mut self, depth: usize) -> May<Value<'a>> {
        if depth > DEEPEST {
            return Err(Bail);
        }
        match self.peek()? {
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => self.text().map(Value::Text),
            b't' => self.expect(b"true").map(|()| Value::Truth(true)),
            b'f' => self.expect(b"false").map(|()| Value::Truth(false)),
            b'n' => self.expect(b"null").map(|()| Value::Missing),
            _ => self.number(),
        }
    }

    fn map(&mut self, depth: usize) -> May<Value<'a>> {
        self.at += 1;
        let mut pairs: Pairs<'a> = Vec::new();
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Map(pairs));
        }
        loop {
            let name = self.text()?;
            self.sign(b':')?;
            let value = self.value(depth + 1)?;
            // Of a name that is given twice the last counts, at the place of the first.
            let known = if pairs.len() <= FEW_NAMES {
                pairs.iter().position(|(known, _)| *known == name)
            } else {
                if places.is_empty() {
                    places.extend(pairs.iter().enumerate().map(|(at, (known, _))| (known.clone(), at)));
                }
                let at = *places.entry(name.clone()).or_insert(pairs.len());
                Some(at).filter(|at| *at < pairs.len())
            };
            match known {
                Some(at) => pairs[at].1 = value,
                None => pairs.push((name, value)),
            }
            if !self.is_more(b'}')? {
                return Ok(Value::Map(pairs));
            }
        }
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
            if !self.is_more(b']')? {
                return Ok(Value::List(items));
            }
        }
    }

    /// Reads a text.
    pub fn text(&mut self) -> May<Cow<'a, str>> {
        self.sign(b'"')?;
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
        let digits = self.digits()?;
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
