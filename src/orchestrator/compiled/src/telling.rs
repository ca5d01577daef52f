//! What a turn tells: decisions and actions, as the lines that leave (CONTRACTS.md).
//!
//! Owns the order of their fields. A line is written once, when it is decided, and never looked at again.

use crate::bail::May;
use crate::instants;
use crate::program::Journey;
use crate::value::{write_integer, write_text};

pub const TIMER: &str = "timer";

/// One decision for the metrics: journey, verdict and reason.
pub type Count<'p> = (&'p Journey, &'static str, &'p str);

/// Lines, one behind the other.
#[derive(Default)]
pub struct Lines {
    pub bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Lines {
    fn with_room(lines: usize, bytes: usize) -> Self {
        Lines { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(lines) }
    }

    pub fn count(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Ends the line that was written into `bytes`.
    pub fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[begin..*end])
    }
}

/// What a turn has told so far, and the texts that all of it shares.
pub struct Told<'p> {
    turn_id: String,
    pub at: String,
    profile_id: &'p str,
    cause: &'p str,
    pub decisions: Lines,
    pub actions: Lines,
    pub counts: Vec<Count<'p>>,
    /// By journey and channel, "" for what takes a message back.
    pub asked: Vec<(String, String)>,
}

/// Where a decision was made.
#[derive(Clone, Copy, Default)]
pub struct Place<'t> {
    pub entry_id: Option<&'t str>,
    pub step: Option<&'t str>,
}

impl<'p> Told<'p> {
    pub fn new(turn_id: String, now_ms: i64, profile_id: &'p str, cause: &'p str) -> May<Self> {
        Ok(Told {
            turn_id,
            at: instants::to_text(now_ms)?,
            profile_id,
            cause,
            decisions: Lines::with_room(8, 2048),
            actions: Lines::default(),
            counts: Vec::with_capacity(4),
            asked: Vec::new(),
        })
    }

    /// Records a decision; `saw` is JSON already.
    pub fn tell(
        &mut self,
        journey: &'p Journey,
        place: Place,
        verdict: &'static str,
        reason: &'p str,
        saw: &[u8],
        action_id: Option<&str>,
    ) {
        let number = self.decisions.count() as i64;
        let line = &mut self.decisions.bytes;
        line.extend_from_slice(b"{\"id\":\"");
        line.extend_from_slice(self.turn_id.as_bytes());
        line.push(b'-');
        write_integer(number, line);
        line.extend_from_slice(b"\",\"at\":\"");
        line.extend_from_slice(self.at.as_bytes());
        line.extend_from_slice(b"\",\"profile_id\":");
        write_text(self.profile_id, line);
        line.push(b',');
        line.extend_from_slice(&journey.json);
        put(line, "entry_id", place.entry_id);
        put(line, "step", place.step);
        put(line, "verdict", Some(verdict));
        put(line, "reason", Some(reason));
        put(line, "cause", Some(self.cause));
        line.extend_from_slice(b",\"saw\":");
        line.extend_from_slice(saw);
        put(line, "action_id", action_id);
        line.push(b'}');
        self.decisions.end();
        self.counts.push((journey, verdict, reason));
    }
}

/// Writes `,"name":"text"`, or null.
pub fn put(line: &mut Vec<u8>, name: &str, text: Option<&str>) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    match text {
        Some(text) => write_text(text, line),
        None => line.extend_from_slice(b"null"),
    }
}

/// Writes `{"until":"..."}`.
pub fn until(due_ms: i64) -> May<Vec<u8>> {
    let mut saw = b"{\"until\":\"".to_vec();
    saw.extend_from_slice(instants::to_text(due_ms)?.as_bytes());
    saw.extend_from_slice(b"\"}");
    Ok(saw)
}

pub const NOTHING: &[u8] = b"{}";
