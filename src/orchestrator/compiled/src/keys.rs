//! Keys: the id of the profile that a customer id stands for, as text and as lines are keyed by it.
//!
//! Making one is Python's (`model.ids.profile_id_of`), which remembers those made last, for all partitions together.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Names the profile of a customer.
pub fn of_customer<'py>(
    customer_id: &str,
    profile_id_of: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyString>, Bound<'py, PyBytes>)> {
    let id = profile_id_of.call1(("customer_id", customer_id))?.cast_into::<PyString>().map_err(PyErr::from)?;
    let key = PyBytes::new(id.py(), id.to_str()?.as_bytes());
    Ok((id, key))
}
