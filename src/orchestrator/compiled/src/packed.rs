//! Packed lists and maps: what of a record is looked into, or added to, without taking it apart.
//!
//! Owns these few operations, each from bytes to bytes.

use crate::bail::May;
use crate::pack::{Reader, Writer};
use crate::value::Value;

/// Looks one name up in a packed map.
pub fn lookup<'a>(packed: &'a [u8], name: &str) -> May<Option<Value<'a>>> {
    let mut reader = Reader::new(packed);
    for _ in 0..reader.map()? {
        if reader.text()? == name {
            return Value::unpack(&mut reader).map(Some);
        }
        reader.raw()?;
    }
    Ok(None)
}

pub fn is_empty(packed: &[u8]) -> bool {
    matches!(packed, [0x80] | [0x90])
}

/// Splits a packed array into its items.
pub fn items(packed: &[u8]) -> May<Vec<&[u8]>> {
    let mut reader = Reader::new(packed);
    let count = reader.array()?;
    (0..count).map(|_| reader.raw()).collect()
}

/// Puts items together to a packed array.
pub fn packed_items<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let mut writer = Writer::with_room(items.iter().map(|item| item.as_ref().len()).sum::<usize>() + 8);
    writer.array(items.len());
    items.iter().for_each(|item| writer.raw(item.as_ref()));
    writer.bytes
}

/// Adds one item to a packed array.
pub fn with_item(packed: &[u8], item: &[u8]) -> May<Vec<u8>> {
    let mut reader = Reader::new(packed);
    let count = reader.array()?;
    let mut writer = Writer::with_room(packed.len() + item.len() + 4);
    writer.array(count + 1);
    writer.raw(reader.rest());
    writer.raw(item);
    Ok(writer.bytes)
}

/// Adds a pair to a packed map that does not have this name yet.
pub fn with_pair(packed: &[u8], name: &str, value: &[u8]) -> May<Vec<u8>> {
    let mut reader = Reader::new(packed);
    let count = reader.map()?;
    let mut writer = Writer::with_room(packed.len() + name.len() + value.len() + 8);
    writer.map(count + 1);
    writer.raw(reader.rest());
    writer.text(name);
    writer.raw(value);
    Ok(writer.bytes)
}
