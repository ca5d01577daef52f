//! Who wakes next, as `runtime.timers` has it: a heap of (due instant, profile), from which nothing is ever removed inside.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;

use crate::place::Place;

const NEVER_MS: i64 = 1 << 62;
/// Room for wakes that came to nothing before the heap is cleaned; below it cleaning is not worth its while.
const SLACK: usize = 1024;

type Wake = (i64, Place);

/// The wakes of one partition, or of one embedded store.
#[pyclass(module = "orchestrator.compiled.native")]
pub struct Timers {
    heap: BinaryHeap<Reverse<Wake>>,
    clean_at: usize,
}

impl Timers {
    fn of(wakes: Vec<Reverse<Wake>>) -> Self {
        let heap = BinaryHeap::from(wakes);
        let clean_at = 2 * heap.len() + SLACK;
        Timers { heap, clean_at }
    }

    pub fn next(&self) -> i64 {
        self.heap.peek().map_or(NEVER_MS, |Reverse((due_ms, _))| *due_ms)
    }

    pub fn pop(&mut self) -> Option<Wake> {
        self.heap.pop().map(|Reverse(wake)| wake)
    }

    pub fn push(&mut self, place: Place, due_ms: i64) {
        if self.heap.len() >= self.clean_at {
            self.clean();
        }
        self.heap.push(Reverse((due_ms, place)));
    }

    /// Keeps each profile's earliest wake only.
    fn clean(&mut self) {
        let mut earliest: HashMap<Place, i64> = HashMap::new();
        for Reverse((due_ms, place)) in self.heap.drain() {
            let known_ms = earliest.entry(place).or_insert(due_ms);
            *known_ms = due_ms.min(*known_ms);
        }
        *self = Timers::of(earliest.into_iter().map(|(place, due_ms)| Reverse((due_ms, place))).collect());
    }
}

fn as_text((due_ms, place): Wake) -> (i64, String) {
    (due_ms, place.name())
}

#[pymethods]
impl Timers {
    #[new]
    #[pyo3(signature = (waiting=None))]
    fn new(waiting: Option<&Bound<PyAny>>) -> PyResult<Self> {
        let mut wakes = Vec::new();
        if let Some(waiting) = waiting {
            for wake in PyIterator::from_object(waiting)? {
                let (due_ms, profile_id): (i64, String) = wake?.extract()?;
                wakes.push(Reverse((due_ms, Place::of(&profile_id))));
            }
        }
        Ok(Timers::of(wakes))
    }

    fn __len__(&self) -> usize {
        self.heap.len()
    }

    #[getter]
    fn next_ms(&self) -> i64 {
        self.next()
    }

    fn schedule(&mut self, profile_id: &str, old_due_ms: i64, due_ms: i64) {
        if due_ms != 0 && (due_ms < old_due_ms || old_due_ms == 0) {
            self.push(Place::of(profile_id), due_ms);
        }
    }

    fn put_back(&mut self, profile_id: &str, due_ms: i64) {
        self.push(Place::of(profile_id), due_ms);
    }

    fn take(&mut self) -> PyResult<(i64, String)> {
        self.pop().map(as_text).ok_or_else(|| PyIndexError::new_err("nobody waits"))
    }

    fn take_before(timers: Py<Timers>, instant_ms: i64) -> TakenBefore {
        TakenBefore { timers, instant_ms }
    }
}

/// All wakes strictly before an instant, those included that are put in meanwhile.
#[pyclass(module = "orchestrator.compiled.native")]
pub struct TakenBefore {
    timers: Py<Timers>,
    instant_ms: i64,
}

#[pymethods]
impl TakenBefore {
    fn __iter__(this: PyRef<Self>) -> PyRef<Self> {
        this
    }

    fn __next__(&self, py: Python) -> Option<(i64, String)> {
        let mut timers = self.timers.borrow_mut(py);
        if timers.next() < self.instant_ms {
            timers.pop().map(as_text)
        } else {
            None
        }
    }
}
