//! A batch: a partition's records one after another, and the timers that each of them passes.
//!
//! Owns the order of `runtime.kafka.partition`: timers that the clock has passed go before the record that passed it,
//! each at its own instant. It stops before whatever is not taken here, and says how far it came; nothing is lost by
//! stopping, as the clock and the timers stand as Python would have left them.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::envelope::Envelope;
use crate::ids;
use crate::kafka_record::Record;
use crate::keys;
use crate::memory::Memory;
use crate::place::Place;
use crate::profiles;
use crate::timers::Timers;
use crate::value::Value;
use crate::{Came, Turns, IGNORED};

/// What a partition lends for a batch.
#[derive(FromPyObject)]
pub struct Lent<'py> {
    /// Where the records are, if that is here; or else how to get and put them.
    memory: Option<Bound<'py, Memory>>,
    get: Bound<'py, PyAny>,
    put: Bound<'py, PyAny>,
    timers: Bound<'py, Timers>,
    /// The input that delivery writes: what is in it is for Python.
    receipts: Option<Bound<'py, PyString>>,
    /// Behind resolve, the one header of what it passes on, whose keys are the profiles' ids.
    origin: Option<String>,
    /// Which partition it is, of how many, where each record's key has to lead to it.
    home: Option<(usize, usize)>,
    /// Tells whether somebody who was erased objected under an address that is told; None where no noes are remembered.
    is_objected: Option<Bound<'py, PyAny>>,
    changes: Bound<'py, PyDict>,
    decisions: Bound<'py, PyList>,
    actions: Bound<'py, PyList>,
}

/// How far a batch may go.
pub struct Room {
    facts: usize,
    bytes: usize,
    until: Option<Instant>,
}

impl Room {
    pub fn new((facts, bytes, seconds): (usize, usize, f64)) -> Self {
        // There may be no end to the time, or none may be left.
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).ok();
        let until = time.and_then(|time| Instant::now().checked_add(time));
        Room { facts, bytes, until }
    }
}

/// How far it came.
#[derive(Default)]
pub struct Done {
    pub at: usize,
    pub clock_ms: i64,
    pub facts: usize,
    pub bytes: usize,
    pub ignored: usize,
    pub last_kind: Option<String>,
    /// How late each was whom the wall clock woke, in ms.
    pub late: Vec<i64>,
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
    turns: &'b mut Turns,
    py: Python<'py>,
    lent: Lent<'py>,
    room: Room,
    pace: Pace,
    /// The topic of a record that was no receipt.
    plain_topic: Option<Bound<'py, PyString>>,
    pub done: Done,
}

impl<'b, 'py> Batch<'b, 'py> {
    pub fn new(turns: &'b mut Turns, py: Python<'py>, lent: Lent<'py>, room: Room, pace: Pace, done: Done) -> Self {
        Batch { turns, py, lent, room, pace, plain_topic: None, done }
    }

    /// Takes records from `done.at` on.
    pub fn run(&mut self, records: &Bound<'py, PyList>) -> PyResult<()> {
        while self.done.at < records.len() && self.has_room() {
            let Ok(record) = Record::from(&records.get_item(self.done.at)?) else { break };
            match self.take(record.get()) {
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

    fn take(&mut self, record: &Record) -> Result<(), Halt> {
        let value = record.value().ok_or(Halt::Here)?;
        if self.is_receipt(record)? || !self.is_plain(record) {
            return Err(Halt::Here);
        }
        let at_ms = record.timestamp;
        let now_ms = self.pass(at_ms)?;
        let envelope = Envelope::read(value, at_ms).map_err(|_| Halt::Here)?;
        let kind = &*envelope.kind;
        if self.turns.program.takes(kind) {
            let place = self.place_of(record, &envelope)?;
            if kind == profiles::UPDATED && self.is_objected(&envelope, &place)? {
                return Err(Halt::Here);
            }
            self.turn(record, &envelope, place, now_ms)?;
            self.done.facts += 1;
        } else if self.turns.program.wanted.as_ref().is_some_and(|wanted| !wanted.contains(kind)) {
            self.done.ignored += 1;
        } else {
            let place = self.place_of(record, &envelope)?;
            if !self.passes(&envelope, &place, now_ms)? {
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
        self.fire(instant_ms, None)?;
        self.done.clock_ms = self.done.clock_ms.max(instant_ms);
        let now_ms = self.done.clock_ms.max(if told_ms.is_some() { at_ms } else { 0 });
        Ok(if now_ms != 0 { now_ms } else { wall_ms })
    }

    /// Whether a record says all by its value: nearly all have no headers, or the one of resolve.
    fn is_plain(&self, record: &Record) -> bool {
        let mut headers = record.headers();
        match &self.lent.origin {
            None => headers.len() == 0,
            Some(origin) => headers.len() == 1 && headers.next().is_some_and(|(name, _)| name == origin),
        }
    }

    /// Whether a record is one of delivery's. Those of a topic name it by one and the same text.
    fn is_receipt(&mut self, record: &Record) -> PyResult<bool> {
        let topic = record.topic.bind(self.py);
        if self.plain_topic.as_ref().is_some_and(|plain| topic.is(plain)) {
            return Ok(false);
        }
        let is_receipt = topic.as_any().eq(self.lent.receipts.as_ref())?;
        if !is_receipt {
            self.plain_topic = Some(topic.clone());
        }
        Ok(is_receipt)
    }

    fn look(&self, place: &Place) -> PyResult<Option<Bound<'py, PyBytes>>> {
        match &self.lent.memory {
            Some(memory) => Ok(memory.borrow().look(self.py, place)),
            None => Ok(self.lent.get.call1((place.name(),))?.cast_into::<PyBytes>().ok()),
        }
    }

    fn passes(&self, envelope: &Envelope, place: &Place, now_ms: i64) -> PyResult<bool> {
        let Some(record) = self.look(place)? else { return Ok(false) };
        Ok(self.turns.passes(envelope, record.as_bytes(), now_ms).unwrap_or(false))
    }

    fn turn(&mut self, source: &Record, envelope: &Envelope, place: Place, now_ms: i64) -> Result<(), Halt> {
        let record = self.look(&place)?;
        let old = record.as_ref().map(|record| record.as_bytes());
        if old.is_none() && !self.is_home(source) {
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
        // Whoever is known knows their own id.
        let id = if old.is_none() { place.name() } else { String::new() };
        let came = self.turns.take_event(&event, Some(&envelope.customer_id), old, &id, now_ms);
        let came = came.map_err(|_| Halt::Here)?;
        self.turns.tally.hear(&envelope.kind, came.outcome);
        self.take_over(came, place, old.map_or(0, due_of))?;
        Ok(())
    }

    fn is_objected(&self, envelope: &Envelope, place: &Place) -> PyResult<bool> {
        let Some(ask) = &self.lent.is_objected else { return Ok(false) };
        let told = PyBytes::new(self.py, envelope.properties);
        ask.call1((told, &*envelope.customer_id, envelope.time_ms, place.name()))?.extract()
    }

    /// Whether a customer who is not known yet belongs here.
    fn is_home(&self, record: &Record) -> bool {
        let Some((number, count)) = self.lent.home else { return true };
        record.key().is_some_and(|key| keys::partition_of(key, count) == number)
    }

    /// Wakes everybody who is due before an instant, until one is for Python or there is no more room.
    pub fn fire_alone(&mut self, before_ms: i64, now_ms: Option<i64>) -> PyResult<()> {
        match self.fire(before_ms, now_ms) {
            Ok(()) | Err(Halt::Here) => Ok(()),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    /// Wakes everybody who is due before an instant, at `now_ms` or each at their own.
    fn fire(&mut self, before_ms: i64, now_ms: Option<i64>) -> Result<(), Halt> {
        let py = self.py;
        while self.lent.timers.borrow().next() < before_ms {
            if !self.has_room() {
                return Err(Halt::Here);
            }
            let wake = self.lent.timers.borrow_mut().pop();
            let Some((due_ms, place)) = wake else { return Ok(()) };
            let Some(record) = self.look(&place)? else { continue };
            let real_ms = due_of(record.as_bytes());
            if real_ms != due_ms {
                if real_ms > due_ms {
                    self.put_back(place, real_ms);
                }
                continue;
            }
            let ask = self.turns.quiet.bind(py).clone();
            let Ok(came) = self.turns.take_timers(&ask, record.as_bytes(), now_ms.unwrap_or(due_ms)) else {
                self.put_back(place, due_ms);
                return Err(Halt::Here);
            };
            self.done.facts += 1;
            if now_ms.is_some() {
                // What the log passes is on time, however long ago that was.
                self.done.late.push((self.pace.wall_ms - due_ms).max(0));
            }
            // Its wake has been taken, so whatever it is due at next needs a new one.
            self.take_over(came, place, 0)?;
        }
        Ok(())
    }

    fn put_back(&self, place: Place, due_ms: i64) {
        self.lent.timers.borrow_mut().push(place, due_ms);
    }

    fn take_over(&mut self, came: Came, place: Place, old_due_ms: i64) -> PyResult<()> {
        let py = self.py;
        if came.is_nothing() {
            return Ok(());
        }
        let id = place.name();
        let key = PyBytes::new(py, id.as_bytes());
        for (lines, sink) in [(&came.decisions, &self.lent.decisions), (&came.actions, &self.lent.actions)] {
            self.done.bytes += lines.bytes.len();
            for line in lines.iter() {
                sink.append((&key, PyBytes::new(py, line)))?;
            }
        }
        if let Some((record, due_ms)) = came.record {
            self.done.bytes += record.len();
            let record = PyBytes::new(py, &record);
            self.lent.changes.set_item(&id, &record)?;
            if due_ms != 0 && (due_ms < old_due_ms || old_due_ms == 0) {
                self.put_back(place.clone(), due_ms);
            }
            match &self.lent.memory {
                Some(memory) => memory.borrow_mut().keep(place, record.unbind()),
                None => drop(self.lent.put.call1((id, record))?),
            }
        }
        Ok(())
    }

    /// Tells where the profile lies that an event belongs to.
    fn place_of(&self, record: &Record, envelope: &Envelope) -> Result<Place, Halt> {
        if self.lent.origin.is_some() {
            let key = record.key().filter(|key| !key.is_empty()).ok_or(Halt::Here)?;
            return Ok(Place::of(std::str::from_utf8(key).map_err(|_| Halt::Here)?));
        }
        Ok(Place::Profile(ids::profile_of(&envelope.customer_id)))
    }
}

fn due_of(record: &[u8]) -> i64 {
    record.get(..8).map_or(0, |due| due.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)))
}
