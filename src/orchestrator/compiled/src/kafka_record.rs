//! Records of Kafka as they were fetched, each with its own bytes: what is left of a fetch keeps nothing else of it.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use crate::varints::{write_part, Varints};

/// What is needed of a record of Kafka; `runtime.kafka.fetching` has the same in Python.
#[pyclass(frozen, module = "orchestrator.compiled.native")]
pub struct Record {
    pub topic: Py<PyString>,
    #[pyo3(get)]
    pub partition: i32,
    #[pyo3(get)]
    pub offset: i64,
    #[pyo3(get)]
    pub timestamp: i64,
    /// Bytes of the key and of the value; below 0 where there is none.
    key: i32,
    value: i32,
    headers: u32,
    /// Key, value, and the headers in Kafka's own form.
    body: Box<[u8]>,
}

/// A part of a record, or of a header, that may not be there.
pub type Part<'a> = Option<&'a [u8]>;

impl Record {
    /// `headers` are so many, in the form that Kafka has them in behind a record's value.
    #[allow(clippy::too_many_arguments)]
    pub fn of(
        topic: Py<PyString>,
        partition: i32,
        offset: i64,
        timestamp: i64,
        key: Part,
        value: Part,
        headers: (u32, &[u8]),
    ) -> Self {
        let (count, encoded) = headers;
        let mut body = Vec::with_capacity(key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + encoded.len());
        body.extend_from_slice(key.unwrap_or_default());
        body.extend_from_slice(value.unwrap_or_default());
        body.extend_from_slice(encoded);
        let length = |part: Part| part.map_or(-1, |part| part.len() as i32);
        let (key, value) = (length(key), length(value));
        Record { topic, partition, offset, timestamp, key, value, headers: count, body: body.into_boxed_slice() }
    }

    /// Takes over a record of any kind; one of ours is given as it is.
    pub fn from<'py>(record: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Record>> {
        if let Ok(own) = record.cast_exact::<Record>() {
            return Ok(own.clone());
        }
        let py = record.py();
        let headers: Vec<(String, Option<Vec<u8>>)> = record.getattr(intern!(py, "headers"))?.extract()?;
        Bound::new(
            py,
            Record::new(
                record.getattr(intern!(py, "topic"))?.cast_into::<PyString>()?,
                record.getattr(intern!(py, "partition"))?.extract()?,
                record.getattr(intern!(py, "offset"))?.extract()?,
                record.getattr(intern!(py, "timestamp"))?.extract()?,
                record.getattr(intern!(py, "key"))?.extract()?,
                record.getattr(intern!(py, "value"))?.extract()?,
                headers,
            ),
        )
    }

    pub fn key(&self) -> Part<'_> {
        (self.key >= 0).then(|| &self.body[..self.key as usize])
    }

    pub fn value(&self) -> Part<'_> {
        let begin = self.key.max(0) as usize;
        (self.value >= 0).then(|| &self.body[begin..begin + self.value as usize])
    }

    pub fn headers(&self) -> Headers<'_> {
        let begin = self.key.max(0) as usize + self.value.max(0) as usize;
        Headers { rest: Varints { bytes: &self.body[begin..], at: 0 }, left: self.headers }
    }
}

/// Runs over the headers of a record.
pub struct Headers<'a> {
    rest: Varints<'a>,
    left: u32,
}

impl Headers<'_> {
    pub fn len(&self) -> usize {
        self.left as usize
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Part<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // They were read once before they came here.
        let name = std::str::from_utf8(self.rest.part()??).ok()?;
        Some((name, self.rest.part()?))
    }
}

#[pymethods]
impl Record {
    #[new]
    #[pyo3(signature = (topic, partition, offset, timestamp, key, value, headers=Vec::new()))]
    fn new(
        topic: Bound<PyString>,
        partition: i32,
        offset: i64,
        timestamp: i64,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
    ) -> Self {
        let mut encoded = Vec::new();
        for (name, value) in &headers {
            write_part(&mut encoded, Some(name.as_bytes()));
            write_part(&mut encoded, value.as_deref());
        }
        let headers = (headers.len() as u32, &*encoded);
        Record::of(topic.unbind(), partition, offset, timestamp, key.as_deref(), value.as_deref(), headers)
    }

    #[getter]
    fn topic(&self, py: Python) -> Py<PyString> {
        self.topic.clone_ref(py)
    }

    #[getter(key)]
    fn key_given<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.key().map(|key| PyBytes::new(py, key))
    }

    #[getter(value)]
    fn value_given<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.value().map(|value| PyBytes::new(py, value))
    }

    #[getter(headers)]
    fn headers_given<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        if self.headers == 0 {
            return Ok(PyTuple::empty(py));
        }
        let pairs = self.headers().map(|(name, value)| (name, value.map(|value| PyBytes::new(py, value))));
        PyTuple::new(py, pairs.collect::<Vec<_>>())
    }

    /// A record equals one of any kind that has the same in all its parts.
    fn __eq__(&self, py: Python, other: &Bound<PyAny>) -> PyResult<bool> {
        let Ok(other) = Record::from(other) else { return Ok(false) };
        let other = other.get();
        let numbers = |each: &Record| (each.partition, each.offset, each.timestamp, each.key, each.value, each.headers);
        let is_same = numbers(self) == numbers(other) && self.body == other.body;
        Ok(is_same && self.topic.bind(py).as_any().eq(other.topic.bind(py))?)
    }

    fn __repr__(&self, py: Python) -> String {
        format!("Record({}/{}, offset {})", self.topic.bind(py), self.partition, self.offset)
    }
}
