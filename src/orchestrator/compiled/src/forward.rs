//! What resolve passes on of a record: key, value, timestamp and headers, written as a batch takes them.

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::varints::{write, write_part, Varints};

/// For Python it is the four of them, as a tuple would be.
#[pyclass(frozen, module = "orchestrator.compiled.native")]
pub struct Forward {
    pub at_ms: i64,
    key: usize,
    value: usize,
    /// Key, value, and the headers in Kafka's own form, their number first.
    body: Box<[u8]>,
}

impl Forward {
    /// Makes one with a single header.
    pub fn of(key: &[u8], value: &[u8], at_ms: i64, name: &str, header: &[u8]) -> Self {
        let mut body = Vec::with_capacity(key.len() + value.len() + name.len() + header.len() + 8);
        body.extend_from_slice(key);
        body.extend_from_slice(value);
        write(&mut body, 1);
        write_part(&mut body, Some(name.as_bytes()));
        write_part(&mut body, Some(header));
        Forward { at_ms, key: key.len(), value: value.len(), body: body.into_boxed_slice() }
    }

    pub fn key(&self) -> &[u8] {
        &self.body[..self.key]
    }

    pub fn value(&self) -> &[u8] {
        &self.body[self.key..self.key + self.value]
    }

    pub fn headers(&self) -> &[u8] {
        &self.body[self.key + self.value..]
    }
}

#[pymethods]
impl Forward {
    fn __len__(&self) -> usize {
        4
    }

    fn __getitem__<'py>(&self, py: Python<'py>, at: usize) -> PyResult<Bound<'py, PyAny>> {
        Ok(match at {
            0 => PyBytes::new(py, self.key()).into_any(),
            1 => PyBytes::new(py, self.value()).into_any(),
            2 => self.at_ms.into_pyobject(py)?.into_any(),
            3 => {
                let mut rest = Varints { bytes: self.headers(), at: 0 };
                let count = rest.take().unwrap_or_default();
                let pairs = (0..count).filter_map(|_| {
                    let name = std::str::from_utf8(rest.part()??).ok()?;
                    Some((name, PyBytes::new(py, rest.part()??)))
                });
                PyList::new(py, pairs.collect::<Vec<_>>())?.into_any()
            }
            _ => return Err(PyIndexError::new_err("a forward has four parts")),
        })
    }
}
