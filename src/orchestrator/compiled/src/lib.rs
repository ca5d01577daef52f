//! The plans of the engine, compiled: the commonest turns of a stream, from bytes to bytes; and what carries records to
//! them and away, for `runtime`.
//!
//! Owns the door to Python: one `Turns` for each partition. A call gives what a turn came to, or None where the turn is
//! the Python engine's; then nothing has been changed. A turn knows the state that it is given and no other, reads no
//! clock and does not draw.

mod bail;
mod batch;
mod batch_format;
mod envelope;
mod events;
mod expression;
mod fetched;
mod forward;
mod ids;
mod instants;
mod json;
mod kafka_record;
mod keys;
mod memory;
mod offers;
mod pack;
mod packed;
mod passing;
mod past;
mod place;
mod profiles;
mod program;
mod record;
mod record_batch;
mod telling;
mod timers;
mod turn;
mod value;
mod varints;
mod waiting;
mod wakes;
mod written;

use std::collections::HashMap;

use mimalloc::MiMalloc;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::bail::{Bail, May};
use crate::batch::{Batch, Done, Lent, Pace, Room};
use crate::envelope::Envelope;
use crate::expression::{Properties, Scope};
use crate::json::read_json;
use crate::offers::{Quiet, Remembered};
use crate::past::Past;
use crate::program::Program;
use crate::record::State;
use crate::telling::{Lines, Told};
use crate::turn::Event;
use crate::value::Value;

/// Turns make and drop many small things; the C library takes a sixth of their time for that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What an event came to, beside what it told: the words of `runtime.turn.Turned`.
const IGNORED: &str = "ignored";
const DUPLICATE: &str = "duplicate";
const APPLIED: &str = "applied";

/// A new record with its due instant, and the lines of decisions and actions.
struct Came {
    outcome: &'static str,
    record: Option<(Vec<u8>, i64)>,
    decisions: Lines,
    actions: Lines,
}

impl Came {
    fn nothing(outcome: &'static str) -> Self {
        Came { outcome, record: None, decisions: Lines::default(), actions: Lines::default() }
    }

    fn is_nothing(&self) -> bool {
        self.record.is_none() && self.decisions.bytes.is_empty() && self.actions.bytes.is_empty()
    }
}

/// Decisions and actions since somebody last asked, counted for the metrics.
#[derive(Default)]
struct Tally {
    /// By type of event and what it came to.
    events: HashMap<(String, &'static str), usize>,
    decisions: Vec<((String, &'static str, String), usize)>,
    actions: HashMap<(String, String), usize>,
}

impl Tally {
    fn hear(&mut self, kind: &str, outcome: &'static str) {
        *self.events.entry((kind.to_owned(), outcome)).or_insert(0) += 1;
    }

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
        let Ok(properties) = given_properties(properties) else { return Ok(None) };
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

    /// Takes records from a place on, with the timers that they pass, until one is not for here or there is no room.
    ///
    /// `pace` is the wall clock, and behind resolve what all sources have told; `room` is facts, bytes and seconds.
    /// Gives where it stopped, the clock, the facts and bytes that it made, the events that nobody asks for, and the
    /// type of the last one.
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        records: &Bound<'py, PyList>,
        at: usize,
        clock_ms: i64,
        pace: (i64, Option<i64>),
        room: (usize, usize, f64),
        lent: Lent<'py>,
    ) -> PyResult<(usize, i64, usize, usize, usize, Option<String>)> {
        let pace = Pace { wall_ms: pace.0, told_ms: pace.1 };
        let mut batch = Batch::new(self, py, lent, Room::new(room), pace, Done { at, clock_ms, ..Done::default() });
        batch.run(records)?;
        let done = batch.done;
        Ok((done.at, done.clock_ms, done.facts, done.bytes, done.ignored, done.last_kind))
    }

    /// Wakes those who are due before an instant, at `now_ms` or each at their own, until one is not for here or there
    /// is no room. Gives the facts and bytes that it made, and how late each was whom the wall clock woke.
    fn fire<'py>(
        &mut self,
        py: Python<'py>,
        before_ms: i64,
        now_ms: Option<i64>,
        wall_ms: i64,
        room: (usize, usize, f64),
        lent: Lent<'py>,
    ) -> PyResult<(usize, usize, Vec<i64>)> {
        let pace = Pace { wall_ms, told_ms: None };
        let mut batch = Batch::new(self, py, lent, Room::new(room), pace, Done::default());
        batch.fire_alone(before_ms, now_ms)?;
        let done = batch.done;
        Ok((done.facts, done.bytes, done.late))
    }

    /// Gives what was counted since the last call: (journey, verdict, reason), (journey, channel), (type, outcome).
    #[allow(clippy::type_complexity)]
    fn take_counts(
        &mut self,
    ) -> (
        Vec<((String, &'static str, String), usize)>,
        HashMap<(String, String), usize>,
        HashMap<(String, &'static str), usize>,
    ) {
        let tally = std::mem::take(&mut self.tally);
        (tally.decisions, tally.actions, tally.events)
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
        let mut past = still_past(program, &state, now_ms)?;
        if program.audiences.as_ref().is_some_and(|audiences| audiences.last_seen) && event.channel.is_some() {
            return Err(Bail);
        }
        if program.telling.contains(event.kind) {
            profiles::apply(program, &mut state, event, past.as_ref(), now_ms)?;
            hear(program, &mut state, past.as_mut(), event, now_ms);
            state.remember(digest);
            let written = (state.write(record.map_or(0, <[u8]>::len))?, state.due_ms());
            return Ok(Came { record: Some(written), ..Came::nothing(APPLIED) });
        }
        let turn_id = ids::derive(&[state.profile_id, event.id]);
        let mut told = Told::new(turn_id, now_ms, state.profile_id, event.id)?;
        let mut changed = if let Some(arrival) = program.arrivals.get(event.kind) {
            events::arrive(program, arrival, &mut state, event, past.as_ref(), now_ms, &mut told)?
        } else {
            let departures = program.departures.get(event.kind).ok_or(Bail)?;
            events::depart(program, departures, &mut state, event, past.as_ref(), now_ms, &mut told)?
        };
        changed |= hear(program, &mut state, past.as_mut(), event, now_ms);
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
        let program = &self.program;
        let mut state = State::read(record)?;
        let past = still_past(program, &state, now_ms)?;
        let mut quiet = Quiet { ask, known: &mut self.remembered };
        let told = wakes::wake(program, &mut state, past.as_ref(), now_ms, &mut quiet)?;
        let written = Some((state.write(record.len())?, state.due_ms()));
        self.tally.count(&told);
        Ok(Came { outcome: APPLIED, record: written, decisions: told.decisions, actions: told.actions })
    }

    /// Whether an event that nobody names comes to nothing for a customer who is known.
    fn passes(&self, envelope: &Envelope, record: &[u8], now_ms: i64) -> May<bool> {
        let Some(audiences) = &self.program.audiences else { return Ok(false) };
        let Some(named) = &audiences.named else { return Ok(false) };
        if named.contains(&*envelope.kind) || (audiences.last_seen && envelope.channel.is_some()) {
            return Ok(false);
        }
        let state = State::read(record)?;
        let Some((_, packed)) = state.past() else { return Ok(false) };
        let is_known = state.has_seen(ids::digest_of(&envelope.id));
        let stands = state.entries.iter().any(|entry| entry.stopped_ms != 0);
        let at_ms = envelope.time_ms.min(now_ms);
        Ok(!is_known && !stands && Past::read(packed)?.is_untouched(audiences, at_ms))
    }
}

/// Gives the past of a customer, where it is asked for. The turn is Python's unless nothing of it is due, to be armed, or
/// told of by it, and where a past is left that nobody asks for.
fn still_past<'a>(program: &Program, state: &State<'a>, now_ms: i64) -> May<Option<Past<'a>>> {
    let (audiences, (watch_ms, packed)) = match (&program.audiences, state.past()) {
        (None, None) => return Ok(None),
        (Some(audiences), Some(past)) => (audiences, past),
        _ => return Err(Bail),
    };
    let (past, profile) = (Past::read(packed)?, state.profile()?);
    let (event, properties, entry) = (None, Properties::None, None);
    let scope = Scope { now_ms, event, properties, entry, profile: &profile, past: Some(&past) };
    let is_still = past.is_still(audiences, watch_ms, &scope)?;
    if is_still {
        Ok(Some(past))
    } else {
        Err(Bail)
    }
}

/// Lets an event break the silences that it breaks; says whether that changed the past.
fn hear(program: &Program, state: &mut State, past: Option<&mut Past>, event: &Event, now_ms: i64) -> bool {
    let (Some(audiences), Some(past)) = (&program.audiences, past) else { return false };
    let is_news = past.hear(audiences, event.kind, event.time_ms.min(now_ms), now_ms);
    if is_news {
        state.put_past(past.due_ms(), past.write());
    }
    is_news
}

/// Reads an event's properties; none given and null are the same as none.
fn given_properties(text: &[u8]) -> May<Value<'_>> {
    if text.is_empty() {
        return Ok(Value::Map(Vec::new()));
    }
    match read_json(text)? {
        Value::Missing => Ok(Value::Map(Vec::new())),
        properties @ Value::Map(_) => Ok(properties),
        _ => Err(Bail),
    }
}

/// (outcome, record or None, its due instant, decisions, actions, bytes of both); lines as (key, line).
fn as_tuple<'py>(py: Python<'py>, came: Came, key: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyTuple>> {
    let lines = |lines: &Lines| {
        let pairs = lines.iter().map(|line| (key, PyBytes::new(py, line)).into_pyobject(py));
        PyList::new(py, pairs.collect::<PyResult<Vec<_>>>()?)
    };
    let size = came.decisions.bytes.len() + came.actions.bytes.len();
    let (decisions, actions) = (lines(&came.decisions)?, lines(&came.actions)?);
    let (record, due_ms) = match came.record {
        Some((record, due_ms)) => (Some(PyBytes::new(py, &record)), due_ms),
        None => (None, 0),
    };
    (came.outcome, record, due_ms, decisions, actions, size).into_pyobject(py)
}

/// The compiled plans.
#[pymodule]
fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CorruptError", module.py().get_type::<fetched::CorruptError>())?;
    module.add_class::<fetched::Fetched>()?;
    module.add_class::<kafka_record::Record>()?;
    module.add_class::<memory::Memory>()?;
    module.add_class::<passing::Passing>()?;
    module.add_class::<record_batch::RecordBatch>()?;
    module.add_class::<timers::Timers>()?;
    module.add_class::<waiting::Waiting>()?;
    module.add_function(wrap_pyfunction!(waiting::plain_count, module)?)?;
    module.add_class::<Turns>()
}
