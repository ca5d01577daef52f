//! The plans of the engine, compiled: the commonest turns of a stream, from bytes to bytes.
//!
//! Owns the door to Python: one `Turns` for each partition. A call gives what a turn came to, or None where the turn is
//! the Python engine's; then nothing has been changed. Nothing here keeps a customer's state, reads a clock or draws.

mod bail;
mod events;
mod expression;
mod ids;
mod instants;
mod offers;
mod pack;
mod program;
mod record;
mod telling;
mod turn;
mod value;
mod wakes;

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::bail::May;
use crate::offers::{Quiet, Remembered};
use crate::program::Program;
use crate::record::State;
use crate::telling::Told;
use crate::turn::Event;
use crate::value::{read_json, Value};

/// What an event came to, beside what it told: the words of `runtime.turn.Turned`.
const IGNORED: &str = "ignored";
const DUPLICATE: &str = "duplicate";
const APPLIED: &str = "applied";

/// A new record with its due instant, and the lines of decisions and actions.
struct Came {
    outcome: &'static str,
    record: Option<(Vec<u8>, i64)>,
    decisions: Vec<Vec<u8>>,
    actions: Vec<Vec<u8>>,
}

impl Came {
    fn nothing(outcome: &'static str) -> Self {
        Came { outcome, record: None, decisions: Vec::new(), actions: Vec::new() }
    }
}

/// Decisions and actions since somebody last asked, counted for the metrics.
#[derive(Default)]
struct Tally {
    decisions: Vec<((String, &'static str, String), usize)>,
    actions: HashMap<(String, String), usize>,
}

impl Tally {
    fn count(&mut self, told: &Told) {
        for (journey, verdict, reason) in &told.counts {
            // A handful of kinds, the commonest first: looking along them costs less than making a key.
            let is_it = |known: &&mut ((String, &'static str, String), usize)| {
                let (at, by, why) = &known.0;
                by == verdict && why == reason && *at == journey.id
            };
            match self.decisions.iter_mut().find(is_it) {
                Some((_, count)) => *count += 1,
                None => self.decisions.push(((journey.id.clone(), verdict, (*reason).to_owned()), 1)),
            }
        }
        for asked in &told.asked {
            *self.actions.entry(asked.clone()).or_insert(0) += 1;
        }
    }
}

/// The turns of one partition by one catalog.
#[pyclass(module = "orchestrator.compiled.native")]
struct Turns {
    program: Program,
    quiet: Py<PyAny>,
    remembered: Remembered,
    tally: Tally,
}

#[pymethods]
impl Turns {
    /// `program` is what `compiled.program` wrote; `quiet(hour, which, zone)` tells quiet hours on a customer's clock.
    #[new]
    fn new(program: &str, quiet: Py<PyAny>) -> PyResult<Self> {
        let program = Program::read(program).map_err(|_| PyValueError::new_err("the program cannot be read"))?;
        Ok(Turns { program, quiet, remembered: Remembered::default(), tally: Tally::default() })
    }

    /// Applies an event of a customer who is known by nothing else. `key` is the profile's id as lines are keyed by it.
    #[allow(clippy::too_many_arguments)]
    fn on_event<'py>(
        &mut self,
        py: Python<'py>,
        kind: &str,
        id: &str,
        time_ms: i64,
        channel: Option<&str>,
        customer_id: Option<&str>,
        properties: &[u8],
        record: Option<&[u8]>,
        key: &Bound<'py, PyBytes>,
        now_ms: i64,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Ok(profile_id) = std::str::from_utf8(key.as_bytes()) else { return Ok(None) };
        let given = if properties.is_empty() { Ok(Value::Map(Vec::new())) } else { read_json(properties) };
        let properties = match given {
            Ok(Value::Missing) => Value::Map(Vec::new()),
            Ok(Value::Map(pairs)) => Value::Map(pairs),
            _ => return Ok(None),
        };
        let event = Event { id, kind, time_ms, channel, properties };
        let came = self.take_event(&event, customer_id, record, profile_id, now_ms);
        came.ok().map(|came| as_tuple(py, came, key)).transpose()
    }

    /// Wakes what is due of one customer.
    fn on_timers<'py>(
        &mut self,
        py: Python<'py>,
        record: &[u8],
        key: &Bound<'py, PyBytes>,
        now_ms: i64,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let ask = self.quiet.bind(py).clone();
        let came = self.take_timers(&ask, record, now_ms);
        came.ok().map(|came| as_tuple(py, came, key)).transpose()
    }

    /// Gives what was decided and asked for since the last call: (journey, verdict, reason) and (journey, channel).
    #[allow(clippy::type_complexity)]
    fn take_counts(&mut self) -> (Vec<((String, &'static str, String), usize)>, HashMap<(String, String), usize>) {
        let tally = std::mem::take(&mut self.tally);
        (tally.decisions, tally.actions)
    }
}

impl Turns {
    fn take_event(
        &mut self,
        event: &Event,
        customer_id: Option<&str>,
        record: Option<&[u8]>,
        profile_id: &str,
        now_ms: i64,
    ) -> May<Came> {
        let program = &self.program;
        let digest = ids::digest_of(event.id);
        let mut state = match record {
            Some(record) => State::read(record)?,
            None if !program.beginning.contains(event.kind) => return Ok(Came::nothing(IGNORED)),
            None => State::begin(profile_id, customer_id),
        };
        if state.has_seen(digest) {
            return Ok(Came::nothing(DUPLICATE));
        }
        let turn_id = ids::derive(&[state.profile_id, event.id]);
        let mut told = Told::new(turn_id, now_ms, state.profile_id, event.id)?;
        let changed = if let Some(arrival) = program.arrivals.get(event.kind) {
            events::arrive(program, arrival, &mut state, event, now_ms, &mut told)?
        } else {
            let departures = program.departures.get(event.kind).ok_or(bail::Bail)?;
            events::depart(program, departures, &mut state, event, now_ms, &mut told)?
        };
        let mut written = None;
        if changed {
            state.remember(digest);
            written = Some((state.write(record.map_or(0, <[u8]>::len))?, state.due_ms()));
        } else if told.decisions.is_empty() {
            return Ok(Came::nothing(IGNORED));
        }
        self.tally.count(&told);
        Ok(Came { outcome: APPLIED, record: written, decisions: told.decisions, actions: told.actions })
    }

    fn take_timers(&mut self, ask: &Bound<PyAny>, record: &[u8], now_ms: i64) -> May<Came> {
        let mut state = State::read(record)?;
        let mut quiet = Quiet { ask, known: &mut self.remembered };
        let told = wakes::wake(&self.program, &mut state, now_ms, &mut quiet)?;
        let written = Some((state.write(record.len())?, state.due_ms()));
        self.tally.count(&told);
        Ok(Came { outcome: APPLIED, record: written, decisions: told.decisions, actions: told.actions })
    }
}

/// (outcome, record or None, its due instant, decisions, actions, bytes of both); lines as (key, line).
fn as_tuple<'py>(py: Python<'py>, came: Came, key: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyTuple>> {
    let mut size = 0;
    let mut lines = |lines: Vec<Vec<u8>>| {
        size += lines.iter().map(Vec::len).sum::<usize>();
        let pairs = lines.into_iter().map(|line| (key, PyBytes::new(py, &line)).into_pyobject(py));
        PyList::new(py, pairs.collect::<PyResult<Vec<_>>>()?)
    };
    let (decisions, actions) = (lines(came.decisions)?, lines(came.actions)?);
    let (record, due_ms) = match came.record {
        Some((record, due_ms)) => (Some(PyBytes::new(py, &record)), due_ms),
        None => (None, 0),
    };
    (came.outcome, record, due_ms, decisions, actions, size).into_pyobject(py)
}

/// The compiled plans.
#[pymodule]
fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Turns>()
}
