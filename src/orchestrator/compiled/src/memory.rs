//! The records of one partition in memory, each under the id of its profile, or the name of a place among them.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyString};

use crate::place::Place;

#[pyclass(module = "orchestrator.compiled.native")]
#[derive(Default)]
pub struct Memory {
    profiles: HashMap<u128, Py<PyBytes>>,
    others: HashMap<Box<str>, Py<PyBytes>>,
}

impl Memory {
    pub fn look<'py>(&self, py: Python<'py>, place: &Place) -> Option<Bound<'py, PyBytes>> {
        let found = match place {
            Place::Profile(number) => self.profiles.get(number),
            Place::Other(name) => self.others.get(name),
        };
        found.map(|record| record.bind(py).clone())
    }

    pub fn keep(&mut self, place: Place, record: Py<PyBytes>) {
        match place {
            Place::Profile(number) => self.profiles.insert(number, record),
            Place::Other(name) => self.others.insert(name, record),
        };
    }

    /// Gives all places, in the same order whatever the tables make of them.
    fn places(&self) -> Vec<Place> {
        let profiles = self.profiles.keys().map(|number| Place::Profile(*number));
        let mut places: Vec<_> = profiles.chain(self.others.keys().cloned().map(Place::Other)).collect();
        places.sort_unstable();
        places
    }
}

#[pymethods]
impl Memory {
    #[new]
    fn new() -> Self {
        Memory::default()
    }

    fn get<'py>(&self, py: Python<'py>, name: &str) -> Option<Bound<'py, PyBytes>> {
        self.look(py, &Place::of(name))
    }

    fn put(&mut self, name: &str, record: Py<PyBytes>) {
        self.keep(Place::of(name), record);
    }

    fn drop(&mut self, name: &str) {
        match Place::of(name) {
            Place::Profile(number) => self.profiles.remove(&number),
            Place::Other(name) => self.others.remove(&name),
        };
    }

    /// Applies changes: (name, record), None for one that is gone.
    fn load(&mut self, changes: &Bound<PyAny>) -> PyResult<()> {
        for change in PyIterator::from_object(changes)? {
            let (name, record): (Bound<PyString>, Option<Py<PyBytes>>) = change?.extract()?;
            match record {
                Some(record) => self.keep(Place::of(name.to_str()?), record),
                None => self.drop(name.to_str()?),
            }
        }
        Ok(())
    }

    fn wipe(&mut self) {
        *self = Memory::default();
    }

    fn __len__(&self) -> usize {
        self.profiles.len() + self.others.len()
    }

    fn __iter__(this: Bound<Self>) -> Items {
        let places = this.borrow().places();
        Items { memory: this.unbind(), places: places.into_iter() }
    }

    fn walk(&self) -> Names {
        Names { places: self.places().into_iter() }
    }
}

/// All records that were there when it began, and still are.
#[pyclass(module = "orchestrator.compiled.native")]
pub struct Items {
    memory: Py<Memory>,
    places: std::vec::IntoIter<Place>,
}

#[pymethods]
impl Items {
    fn __iter__(this: PyRef<Self>) -> PyRef<Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> Option<(String, Bound<'py, PyBytes>)> {
        let memory = self.memory.bind(py).borrow();
        self.places.find_map(|place| memory.look(py, &place).map(|record| (place.name(), record)))
    }
}

/// The names of all records that were there when it began.
#[pyclass(module = "orchestrator.compiled.native")]
pub struct Names {
    places: std::vec::IntoIter<Place>,
}

#[pymethods]
impl Names {
    fn __iter__(this: PyRef<Self>) -> PyRef<Self> {
        this
    }

    fn __next__(&mut self) -> Option<String> {
        self.places.next().map(|place| place.name())
    }
}
