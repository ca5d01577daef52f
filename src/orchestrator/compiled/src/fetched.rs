//! What was fetched of one partition: batches of records, as a broker sent them.
//!
//! Owns Kafka's form of a batch (the second, which is all that brokers write today), its checksum, and which batches a
//! reader of committed records passes over. A fetch with anything older is not taken here. Must never decompress: that
//! is done by the libraries that the client has for it.

use std::collections::{HashSet, VecDeque};

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyUnicodeDecodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::batch_format::{
    ATTRIBUTES, BEHIND_LENGTH, CHECKSUM, CODEC, CONTROL, COUNT, FIRST_TIMESTAMP, FORMAT, HEAD, LAST_OFFSET, LENGTH,
    LOG_APPEND_TIME, MAGIC, MOST_TIMESTAMP, PRODUCER, TRANSACTIONAL,
};
use crate::kafka_record::{Part, Record};
use crate::varints::Varints;

create_exception!(native, CorruptError, PyException, "What was fetched is not as it was sent.");

/// Room that is made at once for what is taken.
const MOST_ROOM: usize = 1024;

/// The type of a marker that ends a transaction, in its key behind a version.
const ABORTED: &[u8] = &[0, 0];

/// The head of a batch, and where its records are.
struct Head {
    first_offset: i64,
    next_offset: i64,
    attributes: u16,
    first_ms: i64,
    most_ms: i64,
    producer: i64,
    count: u32,
    end: usize,
}

/// Records that are read one after another: of a batch as it lies there, or decompressed.
struct Open {
    head: Head,
    /// None for those of the fetch itself.
    inflated: Option<Vec<u8>>,
    at: usize,
    left: u32,
}

/// One partition's part of a fetch, from an offset on.
#[pyclass(module = "orchestrator.compiled.native")]
pub struct Fetched {
    topic: Py<PyString>,
    partition: i32,
    data: Py<PyBytes>,
    at: usize,
    open: Option<Open>,
    /// Transactions that were aborted, by their first offsets, and the producers whose are under way.
    aborted: VecDeque<(i64, i64)>,
    aborting: HashSet<i64>,
    is_committed_only: bool,
    /// `inflate(codec, bytes)`.
    inflate: Py<PyAny>,
    #[pyo3(get)]
    next_fetch_offset: i64,
}

#[pymethods]
impl Fetched {
    /// None where a batch is of an older form. `aborted` are (producer, first offset).
    #[staticmethod]
    #[allow(clippy::too_many_arguments)]
    fn of(
        py: Python,
        topic: Py<PyString>,
        partition: i32,
        data: Py<PyBytes>,
        offset: i64,
        aborted: Vec<(i64, i64)>,
        is_committed_only: bool,
        inflate: Py<PyAny>,
    ) -> Option<Self> {
        let bytes = data.bind(py).as_bytes();
        let mut at = 0;
        while let Some(end) = end_of(bytes, at) {
            if end - at < HEAD || bytes[at + MAGIC] != FORMAT {
                return None;
            }
            at = end;
        }
        let mut aborted: Vec<_> = aborted.into_iter().map(|(producer, first)| (first, producer)).collect();
        aborted.sort_unstable();
        let (aborted, aborting) = (aborted.into(), HashSet::new());
        let next_fetch_offset = offset;
        Some(Fetched {
            topic,
            partition,
            data,
            at: 0,
            open: None,
            aborted,
            aborting,
            is_committed_only,
            inflate,
            next_fetch_offset,
        })
    }

    #[getter]
    fn is_done(&self, py: Python) -> bool {
        self.open.is_none() && end_of(self.data.bind(py).as_bytes(), self.at).is_none()
    }

    /// Takes the next records, at most so many.
    ///
    /// Raises UnicodeDecodeError at a record one of whose headers has no text for a name, again and again;
    /// CorruptError, or what `inflate` raises, once, and then there are no more.
    fn take(&mut self, py: Python, limit: usize) -> PyResult<Vec<Py<Record>>> {
        let mut taken = Vec::with_capacity(limit.min(MOST_ROOM));
        let Err(error) = self.fill(py, &mut taken, limit) else { return Ok(taken) };
        if !error.is_instance_of::<PyUnicodeDecodeError>(py) {
            self.at = self.data.bind(py).as_bytes().len();
            self.open = None;
        } else if !taken.is_empty() {
            return Ok(taken); // what stands before it goes first
        }
        Err(error)
    }
}

impl Fetched {
    fn fill(&mut self, py: Python, taken: &mut Vec<Py<Record>>, limit: usize) -> PyResult<()> {
        let data = self.data.clone_ref(py);
        let data = data.bind(py).as_bytes();
        while taken.len() < limit {
            let Some(mut open) = self.open.take() else {
                if !self.open_next(py, data)? {
                    return Ok(());
                }
                continue;
            };
            let bytes = open.inflated.as_deref().unwrap_or(&data[..open.head.end]);
            let mut rest = Varints { bytes, at: open.at };
            while open.left > 0 && taken.len() < limit {
                let Some(read) = Read::next(&open.head, &mut rest) else {
                    return Err(corrupt(&format!("a record behind offset {}", self.next_fetch_offset)));
                };
                let Read { offset, timestamp, key, value, headers } = read;
                if offset >= self.next_fetch_offset {
                    self.next_fetch_offset = offset;
                    if let Err(error) = check_names(py, headers) {
                        self.open = Some(open);
                        return Err(error);
                    }
                    let topic = self.topic.clone_ref(py);
                    let record = Record::of(topic, self.partition, offset, timestamp, key, value, headers);
                    taken.push(Py::new(py, record)?);
                    self.next_fetch_offset = offset + 1;
                }
                open.at = rest.at;
                open.left -= 1;
            }
            if open.left > 0 {
                self.open = Some(open);
            } else if rest.at != bytes.len() {
                return Err(corrupt(&format!("the end of the batch at offset {}", open.head.first_offset)));
            } else {
                // Its last records may have been compacted away.
                self.next_fetch_offset = open.head.next_offset;
            }
        }
        Ok(())
    }

    /// Opens the next batch whose records are for the reader; false where there is none.
    fn open_next(&mut self, py: Python, data: &[u8]) -> PyResult<bool> {
        while let Some(end) = end_of(data, self.at) {
            let batch = &data[self.at..end];
            let begin = self.at + HEAD;
            self.at = end;
            let head = Head::read(batch, end);
            if crc32c::crc32c(&batch[ATTRIBUTES..]) != u32::from_be_bytes(part(batch, CHECKSUM)) {
                return Err(corrupt(&format!("the checksum of the batch at offset {}", head.first_offset)));
            }
            if self.passes_over(&head, batch) {
                self.next_fetch_offset = head.next_offset;
                continue;
            }
            let codec = head.attributes & CODEC;
            let inflated = match codec {
                0 => None,
                _ => Some(self.inflate.bind(py).call1((codec, PyBytes::new(py, &batch[HEAD..])))?.extract()?),
            };
            let at = if inflated.is_some() { 0 } else { begin };
            self.open = Some(Open { left: head.count, head, inflated, at });
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a batch holds nothing for the reader: a marker, or what was aborted.
    fn passes_over(&mut self, head: &Head, batch: &[u8]) -> bool {
        let is_marker = head.attributes & CONTROL != 0;
        if !self.is_committed_only {
            return is_marker;
        }
        while self.aborted.front().is_some_and(|(first, _)| *first <= head.first_offset) {
            self.aborting.extend(self.aborted.pop_front().map(|(_, producer)| producer));
        }
        if is_marker {
            if is_abort(head, batch) {
                self.aborting.remove(&head.producer);
            }
            return true;
        }
        head.attributes & TRANSACTIONAL != 0 && self.aborting.contains(&head.producer)
    }
}

impl Head {
    fn read(batch: &[u8], end: usize) -> Self {
        let first_offset = i64::from_be_bytes(part(batch, 0));
        let last = i64::from(i32::from_be_bytes(part(batch, LAST_OFFSET)));
        Head {
            first_offset,
            next_offset: first_offset + last + 1,
            attributes: u16::from_be_bytes(part(batch, ATTRIBUTES)),
            first_ms: i64::from_be_bytes(part(batch, FIRST_TIMESTAMP)),
            most_ms: i64::from_be_bytes(part(batch, MOST_TIMESTAMP)),
            producer: i64::from_be_bytes(part(batch, PRODUCER)),
            count: i32::from_be_bytes(part(batch, COUNT)).max(0) as u32,
            end,
        }
    }
}

/// A record as it lies in a batch.
struct Read<'a> {
    offset: i64,
    timestamp: i64,
    key: Part<'a>,
    value: Part<'a>,
    headers: (u32, &'a [u8]),
}

impl<'a> Read<'a> {
    /// None for what is no record.
    fn next(head: &Head, rest: &mut Varints<'a>) -> Option<Self> {
        let length = usize::try_from(rest.take()?).ok()?;
        let end = rest.at.checked_add(length)?;
        rest.at += 1; // attributes, of which there are none
        let (behind_ms, behind) = (rest.take()?, rest.take()?);
        let is_appended = head.attributes & LOG_APPEND_TIME != 0;
        let timestamp = if is_appended { head.most_ms } else { head.first_ms.wrapping_add(behind_ms) };
        let offset = head.first_offset.checked_add(behind)?;
        let (key, value) = (rest.part()?, rest.part()?);
        let count = u32::try_from(rest.take()?).ok()?;
        let begin = rest.at;
        for _ in 0..count {
            rest.part()??;
            rest.part()?;
        }
        let headers = (count, &rest.bytes[begin..rest.at]);
        (rest.at == end).then_some(Read { offset, timestamp, key, value, headers })
    }
}

/// Gives the end of the batch that begins at a place; None where the rest is no whole batch, as at the end of a fetch.
fn end_of(data: &[u8], at: usize) -> Option<usize> {
    let length = i32::from_be_bytes(data.get(at + LENGTH..at + BEHIND_LENGTH)?.try_into().ok()?);
    let end = at + BEHIND_LENGTH + usize::try_from(length).ok()?;
    (end <= data.len()).then_some(end)
}

fn part<const N: usize>(batch: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&batch[at..at + N]);
    part
}

fn is_abort(head: &Head, batch: &[u8]) -> bool {
    let read = Read::next(head, &mut Varints { bytes: batch, at: HEAD });
    read.and_then(|read| read.key).is_some_and(|key| key.get(2..4) == Some(ABORTED))
}

/// Raises UnicodeDecodeError where the name of a header is no text.
fn check_names(py: Python, (count, encoded): (u32, &[u8])) -> PyResult<()> {
    let mut rest = Varints { bytes: encoded, at: 0 };
    for _ in 0..count {
        let name = rest.part().flatten().unwrap_or_default();
        if let Err(error) = std::str::from_utf8(name) {
            return Err(PyErr::from_value(PyUnicodeDecodeError::new_utf8(py, name, error)?.into_any()));
        }
        rest.part();
    }
    Ok(())
}

fn corrupt(what: &str) -> PyErr {
    CorruptError::new_err(format!("{what} cannot be read"))
}
