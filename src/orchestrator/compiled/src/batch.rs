//! A batch: a partition's records one after another, and the timers that each of them passes.
//!
//! Owns the order of `runtime.kafka.partition`: timers that the clock has passed go before the record that passed it,
//! each at its own instant. It stops before whatever is not taken here, and says how far it came; nothing is lost by
//! stopping, as the clock and the timers stand as Python would have left them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::envelope::Envelope;
use crate::timers::Timers;
use crate::value::Value;
use crate::{Came, Turns, IGNORED};

/// So many customers' keys are remembered: each is a hash that is dear to make.
const MOST_KEYS: usize = 1 << 17;
/// The clock of the machine is looked at once in so many records.
const LOOKED_AT_EVERY: usize = 64;

/// A profile's id as text and as lines are keyed by it.
pub struct Key {
    id: Py<PyString>,
    bytes: Py<PyBytes>,
}

/// What a partition lends for a batch.
#[derive(FromPyObject)]
pub struct Lent<'py> {
    get: Bound<'py, PyAny>,
    put: Bound<'py, PyAny>,
    timers: Bound<'py, Timers>,
    profile_id_of: Bound<'py, PyAny>,
    /// The input that delivery writes: what is in it is for Python.
    receipts: Option<Bound<'py, PyString>>,
    changes: Bound<'py, PyDict>,
    decisions: Bound<'py, PyList>,
    actions: Bound<'py, PyList>,
}

/// How far a batch may go.
pub struct Room {
    pub facts: usize,
    pub bytes: usize,
    pub until: Option<Instant>,
}

impl Room {
    pub fn new(facts: usize, bytes: usize, seconds: f64) -> Self {
        let until = Duration::try_from_secs_f64(seconds).ok().and_then(|time| Instant::now().checked_add(time));
        Room { facts, bytes, until }
    }
}

/// How far it came.
pub struct Done {
    pub at: usize,
    pub clock_ms: i64,
    pub facts: usize,
    pub bytes: usize,
    pub ignored: usize,
    pub last_kind: Option<String>,
}

/// Why a batch does not go on with a record.
enum Halt {
    /// It, or a timer before it, is for Python; or there is no more room.
    Here,
    Failed(PyErr),
}

impl From<PyErr> for Halt {
    fn from(error: PyErr) -> Self {
        Halt::Failed(error)
    }
}

pub struct Batch<'b, 'py> {
    pub turns: &'b mut Turns,
    pub py: Python<'py>,
    pub lent: Lent<'py>,
    pub room: Room,
    pub wall_ms: i64,
    /// The topic of a record that was no receipt.
    pub plain_topic: Option<Bound<'py, PyAny>>,
    pub done: Done,
}

impl<'py> Batch<'_, 'py> {
    /// Takes records from `done.at` on.
    pub fn run(&mut self, records: &Bound<'py, PyList>) -> PyResult<()> {
        while self.done.at < records.len() && self.has_room() {
            match self.take(&records.get_item(self.done.at)?) {
                Ok(()) => self.done.at += 1,
                Err(Halt::Here) => break,
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        if self.done.facts >= self.room.facts || self.done.bytes >= self.room.bytes {
            return false;
        }
        self.done.at % LOOKED_AT_EVERY != 0 || self.room.until.is_none_or(|until| Instant::now() < until)
    }

    fn take(&mut self, record: &Bound<'py, PyAny>) -> Result<(), Halt> {
        let py = self.py;
        let value = record.getattr(intern!(py, "value"))?;
        let Ok(value) = value.cast::<PyBytes>() else { return Err(Halt::Here) };
        if self.is_receipt(record)? || record.getattr(intern!(py, "headers"))?.is_truthy()? {
            return Err(Halt::Here);
        }
        let at_ms: i64 = record.getattr(intern!(py, "timestamp"))?.extract()?;
        if self.done.clock_ms < at_ms && at_ms <= self.wall_ms {
            self.done.clock_ms = at_ms;
        }
        self.fire(self.done.clock_ms)?;
        let envelope = Envelope::read(value.as_bytes(), at_ms).map_err(|_| Halt::Here)?;
        let kind = &*envelope.kind;
        let now_ms = if self.done.clock_ms != 0 { self.done.clock_ms } else { self.wall_ms };
        if self.turns.program.takes(kind) {
            self.turn(&envelope, now_ms)?;
        } else if self.turns.program.wanted.as_ref().is_some_and(|wanted| !wanted.contains(kind)) {
            self.done.ignored += 1;
        } else if self.passes(&envelope, now_ms)? {
            if self.turns.program.labels.contains(kind) {
                self.turns.tally.hear(kind, IGNORED);
            } else {
                self.done.ignored += 1;
            }
        } else {
            return Err(Halt::Here);
        }
        self.done.facts += 1;
        if self.done.last_kind.as_deref() != Some(kind) {
            self.done.last_kind = Some(kind.to_owned());
        }
        Ok(())
    }

    /// Whether a record is one of delivery's. Those of a topic name it by one and the same text.
    fn is_receipt(&mut self, record: &Bound<'py, PyAny>) -> PyResult<bool> {
        let topic = record.getattr(intern!(self.py, "topic"))?;
        if self.plain_topic.as_ref().is_some_and(|plain| topic.is(plain)) {
            return Ok(false);
        }
        let is_receipt = topic.eq(self.lent.receipts.as_ref())?;
        if !is_receipt {
            self.plain_topic = Some(topic);
        }
        Ok(is_receipt)
    }

    fn passes(&mut self, envelope: &Envelope, now_ms: i64) -> PyResult<bool> {
        let (id, _) = self.key_of(&envelope.customer_id)?;
        let record = self.lent.get.call1((&id,))?;
        let Ok(record) = record.cast::<PyBytes>() else { return Ok(false) };
        Ok(self.turns.passes(envelope, record.as_bytes(), now_ms).unwrap_or(false))
    }

    fn turn(&mut self, envelope: &Envelope, now_ms: i64) -> Result<(), Halt> {
        let (id, key) = self.key_of(&envelope.customer_id)?;
        let record = self.lent.get.call1((&id,))?;
        // Whether a customer who is not known yet belongs here at all is asked in Python.
        let Ok(record) = record.cast::<PyBytes>() else { return Err(Halt::Here) };
        let old = record.as_bytes();
        let properties = match envelope.properties {
            [] => Ok(Value::Map(Vec::new())),
            text => crate::given_properties(text),
        };
        let properties = properties.map_err(|_| Halt::Here)?;
        let event = crate::turn::Event {
            id: &envelope.id,
            kind: &envelope.kind,
            time_ms: envelope.time_ms,
            channel: envelope.channel.as_deref(),
            properties,
        };
        let profile_id = std::str::from_utf8(key.as_bytes()).map_err(|_| Halt::Here)?;
        let came = self.turns.take_event(&event, Some(&envelope.customer_id), Some(old), profile_id, now_ms);
        let came = came.map_err(|_| Halt::Here)?;
        self.turns.tally.hear(&envelope.kind, came.outcome);
        self.take_over(came, &id, profile_id, &key, due_of(old))?;
        Ok(())
    }

    /// Wakes everybody who is due before an instant, each at their own.
    fn fire(&mut self, before_ms: i64) -> Result<(), Halt> {
        let py = self.py;
        while self.lent.timers.borrow().next() < before_ms {
            if !self.has_room() {
                return Err(Halt::Here);
            }
            let wake = self.lent.timers.borrow_mut().pop();
            let Some((due_ms, profile_id)) = wake else { return Ok(()) };
            let id = PyString::new(py, &profile_id);
            let record = self.lent.get.call1((&id,))?;
            let Ok(record) = record.cast::<PyBytes>() else { continue };
            let real_ms = due_of(record.as_bytes());
            if real_ms != due_ms {
                if real_ms > due_ms {
                    self.put_back(&profile_id, real_ms);
                }
                continue;
            }
            let ask = self.turns.quiet.bind(py).clone();
            let Ok(came) = self.turns.take_timers(&ask, record.as_bytes(), due_ms) else {
                self.put_back(&profile_id, due_ms);
                return Err(Halt::Here);
            };
            self.done.facts += 1;
            // Its wake has been taken, so whatever it is due at next needs a new one.
            let key = PyBytes::new(py, profile_id.as_bytes());
            self.take_over(came, &id, &profile_id, &key, 0)?;
        }
        Ok(())
    }

    fn put_back(&self, profile_id: &str, due_ms: i64) {
        self.lent.timers.borrow_mut().push(profile_id, due_ms);
    }

    fn take_over(
        &mut self,
        came: Came,
        id: &Bound<'py, PyString>,
        profile_id: &str,
        key: &Bound<'py, PyBytes>,
        old_due_ms: i64,
    ) -> PyResult<()> {
        if let Some((record, due_ms)) = came.record {
            self.done.bytes += record.len();
            let record = PyBytes::new(self.py, &record);
            self.lent.put.call1((id, &record))?;
            self.lent.changes.set_item(id, &record)?;
            if due_ms != 0 && (due_ms < old_due_ms || old_due_ms == 0) {
                self.put_back(profile_id, due_ms);
            }
        }
        for (lines, sink) in [(&came.decisions, &self.lent.decisions), (&came.actions, &self.lent.actions)] {
            self.done.bytes += lines.bytes.len();
            for line in lines.iter() {
                sink.append((key, PyBytes::new(self.py, line)))?;
            }
        }
        Ok(())
    }

    fn key_of(&mut self, customer_id: &str) -> PyResult<(Bound<'py, PyString>, Bound<'py, PyBytes>)> {
        let py = self.py;
        let keys = &mut self.turns.keys;
        if let Some(key) = keys.get(customer_id) {
            return Ok((key.id.bind(py).clone(), key.bytes.bind(py).clone()));
        }
        let id: Bound<PyString> = self.lent.profile_id_of.call1(("customer_id", customer_id))?.extract()?;
        let bytes = PyBytes::new(py, id.to_str()?.as_bytes());
        if keys.len() >= MOST_KEYS {
            keys.clear();
        }
        let key = Key { id: id.clone().unbind(), bytes: bytes.clone().unbind() };
        keys.insert(customer_id.to_owned(), key);
        Ok((id, bytes))
    }
}

pub type Keys = HashMap<String, Key>;

fn due_of(record: &[u8]) -> i64 {
    record.get(..8).map_or(0, |due| due.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
}
