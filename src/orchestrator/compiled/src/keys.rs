//! Keys: the ids of profiles by the customer ids that they stand for, which are dear to make.
//!
//! Owns how many are remembered. Making one is Python's (`model.ids.profile_id_of`).

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

const MOST_KEYS: usize = 1 << 17;

/// A profile's id, as text and as lines are keyed by it.
pub struct Key {
    pub id: Py<PyString>,
    pub bytes: Py<PyBytes>,
}

#[derive(Default)]
pub struct Keys {
    known: HashMap<String, Key>,
}

impl Keys {
    pub fn of_customer(&mut self, py: Python, customer_id: &str, profile_id_of: &Bound<PyAny>) -> PyResult<&Key> {
        if !self.known.contains_key(customer_id) {
            let id = profile_id_of.call1(("customer_id", customer_id))?;
            let id = id.cast_into::<PyString>().map_err(PyErr::from)?;
            let bytes = PyBytes::new(py, id.to_str()?.as_bytes());
            if self.known.len() >= MOST_KEYS {
                self.known.clear();
            }
            self.known.insert(customer_id.to_owned(), Key { id: id.unbind(), bytes: bytes.unbind() });
        }
        Ok(&self.known[customer_id])
    }
}
