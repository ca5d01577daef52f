//! A customer's past, where somebody asks for it: segments, counts, silences (`model.state.Past`).
//!
//! Owns whether a turn may be taken here although it is asked for (`engine.stillness`), and what an event still does to
//! it: it breaks silences. Whoever comes into a segment or leaves one is a matter of Python.

use std::borrow::Cow;

use crate::bail::May;
use crate::expression::Scope;
use crate::pack::{Reader, Writer};
use crate::program::Audiences;
use crate::record::Text;

/// How many instants ahead Python tries for the next change (`engine.segments`).
const LOOKED_AHEAD: usize = 32;
/// How many instants one comparison names at most, where it counts no events.
const INSTANTS_OF_ONE: usize = 4;
const DAY_MS: i64 = 86_400_000;

type Instants<'a> = Vec<(Text<'a>, i64)>;

/// What is kept of it, in its parts.
pub struct Past<'a> {
    armed: &'a str,
    members: Vec<(&'a str, bool)>,
    counts: Vec<(&'a str, Vec<i64>)>,
    due: Instants<'a>,
    recurring: Instants<'a>,
    purchases: &'a [u8],
}

/// What a customer bought.
pub struct Purchases<'a> {
    pub count: i64,
    pub last_ms: i64,
    pub currency: &'a str,
    pub spent: &'a [u8],
}

impl<'a> Past<'a> {
    pub fn read(packed: &'a [u8]) -> May<Self> {
        let mut reader = Reader::new(packed);
        reader.array_of(6)?;
        let armed = reader.text()?;
        let members = pairs(&mut reader, Reader::truth)?;
        let counts = pairs(&mut reader, |reader| {
            let count = reader.array()?;
            (0..count).map(|_| reader.integer()).collect()
        })?;
        let mut instants = || -> May<Instants<'a>> {
            Ok(pairs(&mut reader, Reader::integer)?.into_iter().map(|(key, at)| (Cow::Borrowed(key), at)).collect())
        };
        let (due, recurring) = (instants()?, instants()?);
        Ok(Past { armed, members, counts, due, recurring, purchases: reader.raw()? })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut writer = Writer::with_room(256);
        writer.array(6);
        writer.text(self.armed);
        writer.map(self.members.len());
        for (key, is_in) in &self.members {
            writer.text(key);
            writer.truth(*is_in);
        }
        writer.map(self.counts.len());
        for (event, instants) in &self.counts {
            writer.text(event);
            writer.array(instants.len());
            instants.iter().for_each(|at_ms| writer.integer(*at_ms));
        }
        for instants in [&self.due, &self.recurring] {
            writer.map(instants.len());
            for (key, at_ms) in instants {
                writer.text(key);
                writer.integer(*at_ms);
            }
        }
        writer.raw(self.purchases);
        writer.bytes
    }

    /// The earliest instant at which a watch is due; 0 when none is.
    pub fn due_ms(&self) -> i64 {
        let all = self.due.iter().chain(&self.recurring);
        all.map(|(_, at_ms)| *at_ms).filter(|at_ms| *at_ms != 0).min().unwrap_or(0)
    }

    pub fn is_member(&self, segment: &str) -> Option<bool> {
        self.members.iter().find(|(key, _)| *key == segment).map(|(_, is_in)| *is_in)
    }

    /// Counts the events of one type in the window (now - within, now].
    pub fn count(&self, event: &str, now_ms: i64, within_ms: i64) -> i64 {
        let Some((_, instants)) = self.counts.iter().find(|(kind, _)| *kind == event) else { return 0 };
        let until = |end_ms: i64| instants.partition_point(|at_ms| *at_ms <= end_ms) as i64;
        until(now_ms) - until(now_ms - within_ms)
    }

    pub fn purchases(&self) -> May<Option<Purchases<'a>>> {
        let mut reader = Reader::new(self.purchases);
        if reader.skip_nil()? {
            return Ok(None);
        }
        reader.array_of(5)?;
        Ok(Some(Purchases {
            count: reader.integer()?,
            last_ms: reader.integer()?,
            currency: reader.text()?,
            spent: reader.raw()?,
        }))
    }

    /// Whether nothing of it is due, to be armed, or told of by a turn at this instant.
    pub fn is_still(&self, audiences: &Audiences, watch_ms: i64, scope: &Scope) -> May<bool> {
        if (0 < watch_ms && watch_ms <= scope.now_ms) || self.armed != audiences.key {
            return Ok(false);
        }
        let most = self.counts.iter().map(|(_, instants)| instants.len()).max().unwrap_or(0).max(INSTANTS_OF_ONE);
        for segment in &audiences.segments {
            if Some(segment.condition.holds(scope)?) != self.is_member(&segment.key) {
                return Ok(false);
            }
            if segment.moments == 0 {
                continue;
            }
            let due_ms = instant_of(&self.due, &segment.key);
            if (0 < due_ms && due_ms <= scope.now_ms) || !segment.is_own || segment.moments * most > LOOKED_AHEAD {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Begins silences anew that an event of a type breaks; says whether that is news of any.
    pub fn hear(&mut self, audiences: &Audiences, kind: &str, at_ms: i64, now_ms: i64) -> bool {
        let mut is_news = false;
        for silence in audiences.silences.get(kind).into_iter().flatten() {
            let due_ms = at_ms + silence.for_ms;
            let known_ms = match instant_of(&self.due, &silence.key) {
                0 => instant_of(&self.recurring, &silence.key),
                known_ms => known_ms,
            };
            if due_ms > now_ms.max(known_ms) {
                self.recurring.retain(|(key, _)| *key != silence.key);
                put(&mut self.due, &silence.key, due_ms);
                is_news = true;
            }
        }
        if !audiences.retention.is_empty() {
            let due_ms = at_ms + audiences.retention_ms;
            if due_ms >= instant_of(&self.recurring, &audiences.retention) + DAY_MS {
                put(&mut self.recurring, &audiences.retention, due_ms);
                is_news = true;
            }
        }
        is_news
    }

    /// Whether an event that nobody names comes to nothing: it adds nothing to the past.
    pub fn is_untouched(&self, audiences: &Audiences, at_ms: i64) -> bool {
        if self.armed != audiences.key {
            return false;
        }
        let kept_ms = audiences.retention_ms - DAY_MS; // a day more is noted
        audiences.retention.is_empty() || at_ms + kept_ms < instant_of(&self.recurring, &audiences.retention)
    }
}

fn pairs<'a, T>(reader: &mut Reader<'a>, read: impl Fn(&mut Reader<'a>) -> May<T>) -> May<Vec<(&'a str, T)>> {
    let count = reader.map()?;
    (0..count).map(|_| Ok((reader.text()?, read(reader)?))).collect()
}

fn instant_of(instants: &Instants, key: &str) -> i64 {
    instants.iter().find(|(known, _)| known == key).map_or(0, |(_, at_ms)| *at_ms)
}

fn put(instants: &mut Instants, key: &str, at_ms: i64) {
    match instants.iter_mut().find(|(known, _)| known == key) {
        Some(pair) => pair.1 = at_ms,
        None => instants.push((Cow::Owned(key.to_owned()), at_ms)),
    }
}
