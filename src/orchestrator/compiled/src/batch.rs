//! A batch: a partition's records one after another, and the timers that each of them passes.
//!
//! Owns the order of `runtime.kafka.partition`: timers that the clock has passed go before the record that passed it,
//! each at its own instant. It stops before whatever is not taken here, and says how far it came; nothing is lost by
//! stopping, as the clock and the timers stand as Python would have left them.

use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::envelope::Envelope;
use crate::keys;
use crate::profiles;
use crate::timers::Timers;
use crate::value::Value;
use crate::{Came, Turns, IGNORED};

/// What a partition lends for a batch.
#[derive(FromPyObject)]
pub struct Lent<'py> {
    get: Bound<'py, PyAny>,
    put: Bound<'py, PyAny>,
    timers: Bound<'py, Timers>,
    profile_id_of: Bound<'py, PyAny>,
    /// The input that delivery writes: what is in it is for Python.
    receipts: Option<Bound<'py, PyString>>,
    /// Behind resolve, the one header of what it passes on, whose keys are the profiles' ids.
    origin: Option<Bound<'py, PyString>>,
    /// Which partition it is, of how many, where each record's key has to lead to it.
    place: Option<(usize, usize)>,
    /// Tells whether somebody who was erased objected under an address that is told; None where no noes are remembered.
    is_objected: Option<Bound<'py, PyAny>>,
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
        // There may be no end to the time, or none may be left.
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).ok();
        let until = time.and_then(|time| Instant::now().checked_add(time));
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

/// How the clock goes.
#[derive(Clone, Copy)]
pub struct Pace {
    pub wall_ms: i64,
    /// Behind resolve records pass the clock up to what all sources have told; without it, each moves it.
    pub told_ms: Option<i64>,
}

pub struct Batch<'b, 'py> {
    pub turns: &'b mut Turns,
    pub py: Python<'py>,
    pub lent: Lent<'py>,
    pub room: Room,
    pub pace: Pace,
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
        // Something is done each time, however late it is.
        self.done.facts == 0 || self.room.until.is_none_or(|until| Instant::now() < until)
    }

    fn take(&mut self, record: &Bound<'py, PyAny>) -> Result<(), Halt> {
        let py = self.py;
        let value = record.getattr(intern!(py, "value"))?;
        let Ok(value) = value.cast::<PyBytes>() else { return Err(Halt::Here) };
        if self.is_receipt(record)? || !self.is_plain(record)? {
            return Err(Halt::Here);
        }
        let at_ms: i64 = record.getattr(intern!(py, "timestamp"))?.extract()?;
        let now_ms = self.pass(at_ms)?;
        let envelope = Envelope::read(value.as_bytes(), at_ms).map_err(|_| Halt::Here)?;
        let kind = &*envelope.kind;
        if self.turns.program.takes(kind) {
            let (id, key) = self.key_of(record, &envelope)?;
            if kind == profiles::UPDATED && self.is_objected(&envelope, &id)? {
                return Err(Halt::Here);
            }
            self.turn(record, &envelope, &id, &key, now_ms)?;
            self.done.facts += 1;
        } else if self.turns.program.wanted.as_ref().is_some_and(|wanted| !wanted.contains(kind)) {
            self.done.ignored += 1;
        } else {
            let (id, _) = self.key_of(record, &envelope)?;
            if !self.passes(&envelope, &id, now_ms)? {
                return Err(Halt::Here);
            }
            self.done.facts += 1;
            if self.turns.program.labels.contains(kind) {
                self.turns.tally.hear(kind, IGNORED);
            } else {
                self.done.ignored += 1;
            }
        }
        if self.done.last_kind.as_deref() != Some(kind) {
            self.done.last_kind = Some(kind.to_owned());
        }
        Ok(())
    }

    /// Lets the clock go on to a record, timers first, and gives the instant of its turn.
    fn pass(&mut self, at_ms: i64) -> Result<i64, Halt> {
        let Pace { wall_ms, told_ms } = self.pace;
        let at_ms = if at_ms <= wall_ms { at_ms } else { 0 };
        let instant_ms = match told_ms {
            None => {
                self.done.clock_ms = self.done.clock_ms.max(at_ms);
                self.done.clock_ms
            }
            Some(told_ms) => at_ms.min(told_ms),
        };
        self.fire(instant_ms)?;
        self.done.clock_ms = self.done.clock_ms.max(instant_ms);
        let now_ms = self.done.clock_ms.max(if told_ms.is_some() { at_ms } else { 0 });
        Ok(if now_ms != 0 { now_ms } else { wall_ms })
    }

    /// Whether a record says all by its value: nearly all have no headers, or the one of resolve.
    fn is_plain(&self, record: &Bound<'py, PyAny>) -> PyResult<bool> {
        let headers = record.getattr(intern!(self.py, "headers"))?;
        match &self.lent.origin {
            None => Ok(!headers.is_truthy()?),
            Some(origin) => Ok(headers.len()? == 1 && headers.get_item(0)?.get_item(0)?.eq(origin)?),
        }
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

    fn passes(&self, envelope: &Envelope, id: &Bound<'py, PyString>, now_ms: i64) -> PyResult<bool> {
        let record = self.lent.get.call1((id,))?;
        let Ok(record) = record.cast::<PyBytes>() else { return Ok(false) };
        Ok(self.turns.passes(envelope, record.as_bytes(), now_ms).unwrap_or(false))
    }

    fn turn(
        &mut self,
        source: &Bound<'py, PyAny>,
        envelope: &Envelope,
        id: &Bound<'py, PyString>,
        key: &Bound<'py, PyBytes>,
        now_ms: i64,
    ) -> Result<(), Halt> {
        let record = self.lent.get.call1((id,))?;
        let old = record.cast::<PyBytes>().ok().map(|record| record.as_bytes());
        if old.is_none() && !self.is_home(source)? {
            return Err(Halt::Here);
        }
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
        let came = self.turns.take_event(&event, Some(&envelope.customer_id), old, profile_id, now_ms);
        let came = came.map_err(|_| Halt::Here)?;
        self.turns.tally.hear(&envelope.kind, came.outcome);
        self.take_over(came, id, profile_id, key, old.map_or(0, due_of))?;
        Ok(())
    }

    fn is_objected(&self, envelope: &Envelope, id: &Bound<'py, PyString>) -> PyResult<bool> {
        let Some(ask) = &self.lent.is_objected else { return Ok(false) };
        let told = PyBytes::new(self.py, envelope.properties);
        ask.call1((told, &*envelope.customer_id, envelope.time_ms, id))?.extract()
    }

    /// Whether a customer who is not known yet belongs here.
    fn is_home(&self, record: &Bound<'py, PyAny>) -> PyResult<bool> {
        let Some((number, count)) = self.lent.place else { return Ok(true) };
        let key = record.getattr(intern!(self.py, "key"))?;
        Ok(key.cast::<PyBytes>().is_ok_and(|key| keys::partition_of(key.as_bytes(), count) == number))
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

    /// Gives the profile's id, as text and as lines are keyed by it.
    fn key_of(
        &self,
        record: &Bound<'py, PyAny>,
        envelope: &Envelope,
    ) -> Result<(Bound<'py, PyString>, Bound<'py, PyBytes>), Halt> {
        let py = self.py;
        if self.lent.origin.is_some() {
            let key = record.getattr(intern!(py, "key"))?;
            let Ok(key) = key.cast_into::<PyBytes>() else { return Err(Halt::Here) };
            let id = std::str::from_utf8(key.as_bytes()).map_err(|_| Halt::Here)?;
            return if id.is_empty() { Err(Halt::Here) } else { Ok((PyString::new(py, id), key)) };
        }
        Ok(keys::of_customer(&envelope.customer_id, &self.lent.profile_id_of)?)
    }
}

fn due_of(record: &[u8]) -> i64 {
    record.get(..8).map_or(0, |due| due.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
}
