//! A batch of records as a log takes it: Kafka's message format 2, not compressed (`runtime.kafka.batches`).
//!
//! Owns those bytes, the same as aiokafka's own builder makes, and when a batch is full. Sending it, and again, is left to
//! aiokafka's producer, which takes this for a builder of its own.

use std::cell::RefCell;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyIterator, PyList, PyString, PyTuple};

use crate::batch_format::{ATTRIBUTES, BEHIND_LENGTH, CHECKSUM, FORMAT, HEAD, TRANSACTIONAL};
use crate::forward::Forward;
use crate::varints::{size_of, size_of_part, write, write_part};

const NO_EPOCH: i32 = -1;
/// How many headers a record has, where it has none.
const NO_HEADERS: &[u8] = &[0];

/// More than a full batch; what a very large record took is given back.
const MOST_SPARE: usize = 4 << 20;

thread_local! {
    /// What the last batch was filled in: memory that is new to the process costs more than to fill it.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

#[pyclass(module = "orchestrator.compiled.native")]
pub struct RecordBatch {
    most_bytes: usize,
    is_transactional: bool,
    /// Room for the head, then the records; until the batch is closed.
    bytes: Vec<u8>,
    /// The same from then on, and no larger than it is.
    closed: Option<Py<PyByteArray>>,
    /// Whether the head has been written, once for all times that it is sent.
    is_built: bool,
    count: i32,
    first_ms: i64,
    latest_ms: i64,
    /// Id, epoch, base sequence.
    producer: (i64, i16, i32),
}

#[pymethods]
impl RecordBatch {
    #[new]
    fn new(most_bytes: usize, is_transactional: bool) -> Self {
        let mut bytes = SPARE.take();
        bytes.clear();
        bytes.resize(HEAD, 0);
        RecordBatch {
            most_bytes,
            is_transactional,
            bytes,
            closed: None,
            is_built: false,
            count: 0,
            first_ms: -1,
            latest_ms: -1,
            producer: (-1, -1, 0),
        }
    }

    /// Adds a record; false where it finds no room, and then the batch is closed. The first always has room.
    fn add(&mut self, key: &Bound<PyAny>, value: &Bound<PyAny>, at_ms: i64, headers: &Bound<PyAny>) -> PyResult<bool> {
        let headers = written_headers(headers)?;
        Ok(self.push(key.py(), bytes_of_key(key)?, bytes_of(value)?, at_ms, headers.as_deref().unwrap_or(NO_HEADERS)))
    }

    /// Adds (key, value) from an iterator at one instant. Gives the first that finds no room, None where all have.
    fn add_lines<'py>(&mut self, lines: &Bound<'py, PyIterator>, at_ms: i64) -> PyResult<Option<Bound<'py, PyAny>>> {
        for line in lines.clone() {
            let line = line?;
            let pair = line.cast::<PyTuple>()?;
            let (key, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
            if !self.push(line.py(), bytes_of_key(&key)?, bytes_of(&value)?, at_ms, NO_HEADERS) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Adds (key, value, timestamp, headers) from an iterator, as `add_lines` does.
    fn add_forwards<'py>(&mut self, forwards: &Bound<'py, PyIterator>) -> PyResult<Option<Bound<'py, PyAny>>> {
        for forward in forwards.clone() {
            let forward = forward?;
            if let Ok(own) = forward.cast_exact::<Forward>() {
                let own = own.get();
                if !self.push(forward.py(), Some(own.key()), Some(own.value()), own.at_ms, own.headers()) {
                    return Ok(Some(forward));
                }
                continue;
            }
            let record = forward.cast::<PyTuple>()?;
            let (key, value) = (record.get_borrowed_item(0)?, record.get_borrowed_item(1)?);
            let (at_ms, headers) = (record.get_borrowed_item(2)?.extract()?, record.get_borrowed_item(3)?);
            if !self.add(&key, &value, at_ms, &headers)? {
                return Ok(Some(forward));
            }
        }
        Ok(None)
    }

    // What aiokafka's producer asks of a builder.

    fn close(&mut self, py: Python) {
        self.close_once(py);
    }

    fn closed(&self) -> bool {
        self.closed.is_some()
    }

    fn record_count(&self) -> i32 {
        self.count
    }

    fn size(&self, py: Python) -> usize {
        self.closed.as_ref().map_or(self.bytes.len(), |closed| closed.bind(py).len())
    }

    #[pyo3(name = "_set_producer_state")]
    fn set_producer_state(&mut self, id: i64, epoch: i16, base_sequence: i32) -> PyResult<()> {
        if self.is_built {
            return Err(PyRuntimeError::new_err("the batch is built already"));
        }
        self.producer = (id, epoch, base_sequence);
        Ok(())
    }

    /// Gives the batch, closed; the same each time.
    #[pyo3(name = "_build")]
    fn build(&mut self, py: Python) -> Py<PyByteArray> {
        let closed = self.close_once(py);
        if !self.is_built {
            // SAFETY: nobody else has seen it yet, and no Python runs before the last use of this.
            let bytes = unsafe { closed.bind(py).as_bytes_mut() };
            let head = self.head(bytes.len());
            bytes[..HEAD].copy_from_slice(&head);
            let checksum = crc32c::crc32c(&bytes[ATTRIBUTES..]);
            bytes[CHECKSUM..ATTRIBUTES].copy_from_slice(&checksum.to_be_bytes());
            self.is_built = true;
        }
        closed
    }
}

impl RecordBatch {
    fn close_once(&mut self, py: Python) -> Py<PyByteArray> {
        if let Some(closed) = &self.closed {
            return closed.clone_ref(py);
        }
        let closed = PyByteArray::new(py, &self.bytes).unbind();
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() <= MOST_SPARE {
            SPARE.set(bytes);
        }
        self.closed = Some(closed.clone_ref(py));
        closed
    }

    /// Adds a record whose headers are written already, unless it finds no room.
    fn push(&mut self, py: Python, key: Option<&[u8]>, value: Option<&[u8]>, at_ms: i64, headers: &[u8]) -> bool {
        let is_first = self.count == 0;
        let later_ms = if is_first { 0 } else { at_ms.wrapping_sub(self.first_ms) };
        let offset = i64::from(self.count);
        // Its attributes, of which there are none, take a byte.
        let size = 1 + size_of(later_ms) + size_of(offset) + size_of_part(key) + size_of_part(value) + headers.len();
        // As aiokafka's builder has it, which leaves a byte.
        let is_full = self.bytes.len() + size_of(size as i64) + size >= self.most_bytes;
        if self.closed.is_some() || (is_full && !is_first) {
            self.close_once(py);
            return false;
        }
        let bytes = &mut self.bytes;
        write(bytes, size as i64);
        bytes.push(0);
        write(bytes, later_ms);
        write(bytes, offset);
        write_part(bytes, key);
        write_part(bytes, value);
        bytes.extend_from_slice(headers);
        if is_first {
            (self.first_ms, self.latest_ms) = (at_ms, at_ms);
        }
        self.latest_ms = self.latest_ms.max(at_ms);
        self.count += 1;
        true
    }

    /// Writes the head, but for the checksum. Where the log puts the batch, and in which epoch, is the broker's to say.
    fn head(&self, length: usize) -> [u8; HEAD] {
        let (id, epoch, base_sequence) = self.producer;
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&0_i64.to_be_bytes());
        head.extend_from_slice(&((length - BEHIND_LENGTH) as i32).to_be_bytes());
        head.extend_from_slice(&NO_EPOCH.to_be_bytes());
        head.push(FORMAT);
        head.extend_from_slice(&0_u32.to_be_bytes());
        head.extend_from_slice(&if self.is_transactional { TRANSACTIONAL } else { 0 }.to_be_bytes());
        head.extend_from_slice(&(self.count - 1).max(0).to_be_bytes());
        head.extend_from_slice(&self.first_ms.to_be_bytes());
        head.extend_from_slice(&self.latest_ms.to_be_bytes());
        head.extend_from_slice(&id.to_be_bytes());
        head.extend_from_slice(&epoch.to_be_bytes());
        head.extend_from_slice(&base_sequence.to_be_bytes());
        head.extend_from_slice(&self.count.to_be_bytes());
        head.try_into().expect("all its fields are of a fixed size")
    }
}

fn bytes_of<'a>(given: &'a Bound<PyAny>) -> PyResult<Option<&'a [u8]>> {
    match given.cast::<PyBytes>() {
        Ok(bytes) => Ok(Some(bytes.as_bytes())),
        Err(_) if given.is_none() => Ok(None),
        Err(_) => Err(PyTypeError::new_err(format!("a record is made of bytes, not of {}", given.get_type()))),
    }
}

/// A profile's id is a key as it is.
fn bytes_of_key<'a>(given: &'a Bound<PyAny>) -> PyResult<Option<&'a [u8]>> {
    match given.cast::<PyString>() {
        Ok(text) => Ok(Some(text.to_str()?.as_bytes())),
        Err(_) => bytes_of(given),
    }
}

/// Writes headers, a list of (name, value); None where there are none.
fn written_headers(given: &Bound<PyAny>) -> PyResult<Option<Vec<u8>>> {
    let headers = given.cast::<PyList>()?;
    if headers.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(64);
    write(&mut bytes, headers.len() as i64);
    for header in headers {
        let pair = header.cast::<PyTuple>()?;
        let (name, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
        write_part(&mut bytes, Some(name.cast::<PyString>()?.to_str()?.as_bytes()));
        write_part(&mut bytes, bytes_of(&value)?);
    }
    Ok(Some(bytes))
}
