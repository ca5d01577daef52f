//! Records that wait for their turn, as `runtime.kafka.waiting` has them: by their times, and then by their offsets.

use std::collections::BTreeMap;

use pyo3::exceptions::{PyIndexError, PyKeyError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::kafka_record::Record;

/// So many are looked at together.
const MOST_AHEAD: usize = 1_000;

type Mark = (i64, i64);

/// What counts here of a record of any kind.
struct About {
    offset: i64,
    timestamp: i64,
    /// The bytes of its value.
    size: usize,
}

impl About {
    fn of(record: &Bound<PyAny>) -> PyResult<Self> {
        if let Ok(own) = record.cast_exact::<Record>() {
            let own = own.get();
            return Ok(About {
                offset: own.offset,
                timestamp: own.timestamp,
                size: own.value().map_or(0, <[u8]>::len),
            });
        }
        let py = record.py();
        let value = record.getattr(intern!(py, "value"))?;
        Ok(About {
            offset: record.getattr(intern!(py, "offset"))?.extract()?,
            timestamp: record.getattr(intern!(py, "timestamp"))?.extract()?,
            size: if value.is_none() { 0 } else { value.len()? },
        })
    }
}

#[pyclass(module = "orchestrator.compiled.native")]
#[derive(Default)]
pub struct Waiting {
    /// Those whose turn has not come, in order, from `next` on; and those that came since.
    order: Vec<Mark>,
    next: usize,
    came: Vec<Mark>,
    /// Of those in order, some that were looked at together, with the place of the first of them.
    ahead: Option<Py<PyList>>,
    ahead_from: usize,
    /// All that was read and is not done, by its offset, with the bytes of its value.
    records: BTreeMap<i64, (Py<PyAny>, usize)>,
    #[pyo3(get)]
    bytes: usize,
}

impl Waiting {
    fn keep(&mut self, record: &Bound<PyAny>, about: About, at_ms: i64) {
        self.records.insert(about.offset, (record.clone().unbind(), about.size));
        self.came.push((at_ms, about.offset));
        self.bytes += about.size;
    }

    fn remove(&mut self, offset: i64) -> PyResult<Py<PyAny>> {
        let (record, size) = self.records.remove(&offset).ok_or_else(|| PyKeyError::new_err(offset))?;
        self.bytes -= size;
        Ok(record)
    }

    /// Puts what came in its place, all at once: it comes nearly in order, and sorting makes use of that.
    fn put_in_order(&mut self) {
        if self.came.is_empty() {
            return;
        }
        self.order.drain(..self.next);
        (self.next, self.ahead_from, self.ahead) = (0, 0, None);
        self.came.sort();
        let behind = self.order.partition_point(|key| *key < self.came[0]);
        self.order.append(&mut self.came);
        self.order[behind..].sort();
    }
}

#[pymethods]
impl Waiting {
    #[new]
    fn new() -> Self {
        Waiting::default()
    }

    fn __len__(&self) -> usize {
        self.order.len() - self.next + self.came.len()
    }

    #[getter]
    fn next_key(&mut self) -> Option<Mark> {
        self.put_in_order();
        self.order.get(self.next).copied()
    }

    #[getter]
    fn first(&self) -> Option<i64> {
        self.records.first_key_value().map(|(offset, _)| *offset)
    }

    fn ordered(&mut self) -> Vec<Mark> {
        self.put_in_order();
        self.order[self.next..].to_vec()
    }

    fn add(&mut self, record: &Bound<PyAny>, at_ms: i64) -> PyResult<()> {
        self.keep(record, About::of(record)?, at_ms);
        Ok(())
    }

    fn add_all(&mut self, records: &Bound<PyList>, wall_ms: i64, most: usize, most_bytes: usize) -> PyResult<usize> {
        let mut added = 0;
        for record in records {
            let about = About::of(&record)?;
            let at_ms = if about.timestamp <= wall_ms { about.timestamp } else { 0 };
            self.keep(&record, about, at_ms);
            added += 1;
            if self.__len__() >= most || self.bytes >= most_bytes {
                break;
            }
        }
        Ok(added)
    }

    fn look(&self, py: Python, offset: i64) -> PyResult<Py<PyAny>> {
        let found = self.records.get(&offset).map(|(record, _)| record.clone_ref(py));
        found.ok_or_else(|| PyKeyError::new_err(offset))
    }

    fn step(&mut self) -> PyResult<Mark> {
        let key = self.next_key().ok_or_else(|| PyIndexError::new_err("nothing waits"))?;
        self.next += 1;
        Ok(key)
    }

    fn drop(&mut self, offset: i64) -> PyResult<Py<PyAny>> {
        self.remove(offset)
    }

    /// Records up to a time in their order, and which of them is the next: many together, looked at once.
    fn ahead(&mut self, py: Python, until_ms: i64) -> PyResult<(Py<PyList>, usize)> {
        self.put_in_order();
        if let Some(ahead) = &self.ahead {
            let at = self.next - self.ahead_from;
            if at < ahead.bind(py).len() {
                return Ok((ahead.clone_ref(py), at));
            }
        }
        let some = self.order[self.next..].iter().take(MOST_AHEAD).take_while(|(at_ms, _)| *at_ms <= until_ms);
        let records = some.map(|(_, offset)| self.look(py, *offset)).collect::<PyResult<Vec<_>>>()?;
        let ahead = PyList::new(py, records)?.unbind();
        self.ahead_from = self.next;
        self.ahead = Some(ahead.clone_ref(py));
        Ok((ahead, 0))
    }

    fn drop_next(&mut self, count: usize) -> PyResult<Mark> {
        let end = (self.next + count).min(self.order.len());
        for at in self.next..end {
            self.remove(self.order[at].1)?;
        }
        self.next = end;
        self.order[..end].last().copied().ok_or_else(|| PyIndexError::new_err("nothing waits"))
    }
}

/// Counts the records from a place on that are of one topic and have one header, of this name.
#[pyfunction]
pub fn plain_count(records: &Bound<PyList>, at: usize, topic: &Bound<PyString>, header: &str) -> PyResult<usize> {
    let (py, mut count) = (records.py(), 0);
    for record in records.iter().skip(at) {
        let record = Record::from(&record)?;
        let record = record.get();
        let own = record.topic.bind(py);
        let mut headers = record.headers();
        let is_one = headers.len() == 1 && headers.next().is_some_and(|(name, _)| name == header);
        if !is_one || !(own.is(topic) || own.as_any().eq(topic)?) {
            break;
        }
        count += 1;
    }
    Ok(count)
}
