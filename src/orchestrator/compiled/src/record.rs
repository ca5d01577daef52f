//! A customer's state at rest, as far as turns here look into it: the layout of `model.codec` and `model.state`.
//!
//! Owns which pieces are taken apart. What no turn here changes stays the bytes that it is, and is written as it came.

use std::borrow::Cow;

use crate::bail::{Bail, May};
use crate::pack::{Reader, Writer};
use crate::packed::{lookup, packed_items};
use crate::value::Value;

/// Due instant and format in front (`model.codec`).
const HEADER_BYTES: usize = 9;
const FORMAT: u8 = 1;
const ENTRY_FIELDS: usize = 20;
const DIGEST_BYTES: usize = 8;
const REMEMBERED_EVENTS: usize = 128;
/// A larger record is the engine's in Python to cut down (`runtime.turn.MOST_RECORD_BYTES`).
pub const MOST_RECORD_BYTES: usize = 512 << 10;

const NIL: &[u8] = &[0xc0];
const EMPTY_MAP: &[u8] = &[0x80];
const EMPTY_LIST: &[u8] = &[0x90];

pub type Text<'a> = Cow<'a, str>;
type Raw<'a> = Cow<'a, [u8]>;

/// One passage through a journey; fields as in `model.state.Entry`.
pub struct Entry<'a> {
    pub id: Text<'a>,
    pub journey: Text<'a>,
    pub version: i64,
    pub key: Option<Text<'a>>,
    pub entered_ms: i64,
    pub step: Text<'a>,
    pub due_ms: i64,
    pub properties: Raw<'a>,
    pub results: Vec<(Text<'a>, Raw<'a>)>,
    pub event: Raw<'a>,
    pub channel: Option<Text<'a>>,
    pub rounds: Raw<'a>,
    pub sent_ms: i64,
    pub converted: bool,
    pub held: Vec<Text<'a>>,
    pub held_ms: i64,
    pub stopped_ms: i64,
    pub parked: Option<Text<'a>>,
    pub done: Raw<'a>,
    pub messages: i64,
}

impl<'a> Entry<'a> {
    /// An entry that stands at its journey's first step.
    pub fn new(id: String, journey: Text<'a>, version: i64, key: Option<Text<'a>>, now_ms: i64) -> Self {
        Entry {
            id: Cow::Owned(id),
            journey,
            version,
            key,
            entered_ms: now_ms,
            step: Cow::Borrowed(""),
            due_ms: 0,
            properties: Cow::Borrowed(EMPTY_MAP),
            results: Vec::new(),
            event: Cow::Borrowed(NIL),
            channel: None,
            rounds: Cow::Borrowed(EMPTY_MAP),
            sent_ms: 0,
            converted: false,
            held: Vec::new(),
            held_ms: 0,
            stopped_ms: 0,
            parked: None,
            done: Cow::Borrowed(EMPTY_LIST),
            messages: 0,
        }
    }

    fn read(reader: &mut Reader<'a>) -> May<Self> {
        reader.array_of(ENTRY_FIELDS)?;
        Ok(Entry {
            id: Cow::Borrowed(reader.text()?),
            journey: Cow::Borrowed(reader.text()?),
            version: reader.integer()?,
            key: reader.text_or_nil()?.map(Cow::Borrowed),
            entered_ms: reader.integer()?,
            step: Cow::Borrowed(reader.text()?),
            due_ms: reader.integer()?,
            properties: Cow::Borrowed(reader.raw()?),
            results: {
                let count = reader.map()?;
                let pair = |_| Ok((Cow::Borrowed(reader.text()?), Cow::Borrowed(reader.raw()?)));
                (0..count).map(pair).collect::<May<_>>()?
            },
            event: Cow::Borrowed(reader.raw()?),
            channel: reader.text_or_nil()?.map(Cow::Borrowed),
            rounds: Cow::Borrowed(reader.raw()?),
            sent_ms: reader.integer()?,
            converted: reader.truth()?,
            held: {
                let count = reader.array()?;
                (0..count).map(|_| reader.text().map(Cow::Borrowed)).collect::<May<_>>()?
            },
            held_ms: reader.integer()?,
            stopped_ms: reader.integer()?,
            parked: reader.text_or_nil()?.map(Cow::Borrowed),
            done: Cow::Borrowed(reader.raw()?),
            messages: reader.integer()?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.array(ENTRY_FIELDS);
        writer.text(&self.id);
        writer.text(&self.journey);
        writer.integer(self.version);
        writer.text_or_nil(self.key.as_deref());
        writer.integer(self.entered_ms);
        writer.text(&self.step);
        writer.integer(self.due_ms);
        writer.raw(&self.properties);
        writer.map(self.results.len());
        for (step, result) in &self.results {
            writer.text(step);
            writer.raw(result);
        }
        writer.raw(&self.event);
        writer.text_or_nil(self.channel.as_deref());
        writer.raw(&self.rounds);
        writer.integer(self.sent_ms);
        writer.truth(self.converted);
        writer.array(self.held.len());
        self.held.iter().for_each(|each| writer.text(each));
        writer.integer(self.held_ms);
        writer.integer(self.stopped_ms);
        writer.text_or_nil(self.parked.as_deref());
        writer.raw(&self.done);
        writer.integer(self.messages);
    }

    pub fn result(&self, step: &str) -> Option<&Raw<'a>> {
        self.results.iter().find(|(id, _)| id == step).map(|(_, result)| result)
    }

    /// Puts a step's result in the place of an older one, or last.
    pub fn put_result(&mut self, step: &Text<'a>, result: Raw<'a>) {
        match self.results.iter_mut().find(|(id, _)| id == step) {
            Some(pair) => pair.1 = result,
            None => self.results.push((step.clone(), result)),
        }
    }

    pub fn drop_result(&mut self, step: &str) {
        self.results.retain(|(id, _)| id != step);
    }
}

/// What a step left behind: a piece of one, read when it is asked for. Fields as in `model.state.Result`.
#[derive(Default)]
pub struct Found<'a> {
    pub status: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub action_id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub event: Option<Kept<'a>>,
    pub events: &'a [u8],
    pub values: &'a [u8],
}

impl<'a> Found<'a> {
    pub fn read(raw: &'a [u8]) -> May<Self> {
        let mut reader = Reader::new(raw);
        reader.array_of(7)?;
        Ok(Found {
            status: reader.text_or_nil()?,
            channel: reader.text_or_nil()?,
            action_id: reader.text_or_nil()?,
            name: reader.text_or_nil()?,
            event: Kept::read(&mut reader)?,
            events: reader.raw()?,
            values: reader.raw()?,
        })
    }

    /// `steps.<id>.<name>`: what the verb left by itself comes first.
    pub fn value(&self, name: &str) -> May<Value<'a>> {
        let own = lookup(self.values, name)?;
        let known = match name {
            "status" => self.status,
            "channel" => self.channel,
            "action_id" => self.action_id,
            "name" => self.name,
            _ => return Ok(own.unwrap_or(Value::Missing)),
        };
        Ok(own.unwrap_or_else(|| known.map_or(Value::Missing, Value::text)))
    }
}

/// Writes a result in its parts: status, channel, action and name, and packed the event, all events, and other values.
pub fn write_result(texts: [Option<&str>; 4], event: &[u8], events: &[u8], values: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_room(event.len() + events.len() + values.len() + 64);
    writer.array(7);
    texts.into_iter().for_each(|text| writer.text_or_nil(text));
    [event, events, values].into_iter().for_each(|part| writer.raw(part));
    writer.bytes
}

/// Writes a result that a message or a split leaves.
pub fn result_of(status: Option<&str>, channel: Option<&str>, action_id: Option<&str>, name: Option<&str>) -> Vec<u8> {
    write_result([status, channel, action_id, name], NIL, EMPTY_LIST, EMPTY_MAP)
}

/// Writes the result of a wait that keeps its event, and all of them where `events` are asked for.
pub fn result_with(event: &[u8], is_listed: bool) -> Vec<u8> {
    let events = if is_listed { packed_items(&[event]) } else { EMPTY_LIST.to_vec() };
    write_result([None; 4], event, &events, EMPTY_MAP)
}

/// An event that was kept, as in `model.event.KeptEvent`; its properties at rest.
#[derive(Clone, Copy)]
pub struct Kept<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub time_ms: i64,
    pub channel: Option<&'a str>,
    pub properties: &'a [u8],
}

impl<'a> Kept<'a> {
    pub fn read(reader: &mut Reader<'a>) -> May<Option<Self>> {
        if reader.skip_nil()? {
            return Ok(None);
        }
        reader.array_of(5)?;
        Ok(Some(Kept {
            id: reader.text()?,
            kind: reader.text()?,
            time_ms: reader.integer()?,
            channel: reader.text_or_nil()?,
            properties: reader.raw()?,
        }))
    }
}

/// Writes an event that is kept; its properties are packed already.
pub fn kept_event(id: &str, kind: &str, time_ms: i64, channel: Option<&str>, properties: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_room(properties.len() + id.len() + kind.len() + 32);
    writer.array(5);
    writer.text(id);
    writer.text(kind);
    writer.integer(time_ms);
    writer.text_or_nil(channel);
    writer.raw(properties);
    writer.bytes
}

/// A customer as we know them: the parts of `model.profile.Profile` that are asked for here, packed.
pub struct Profile<'a> {
    pub customer_id: Option<&'a str>,
    pub identifiers: &'a [u8],
    pub traits: &'a [u8],
    pub consents: &'a [u8],
    pub prefers: &'a [u8],
    pub unreachable: &'a [u8],
    pub last_seen_ms: &'a [u8],
    pub quiet_hours: &'a [u8],
    pub lives: &'a [u8],
}

impl<'a> Profile<'a> {
    pub fn read(raw: &'a [u8]) -> May<Self> {
        let mut reader = Reader::new(raw);
        reader.array_of(16)?;
        reader.text()?;
        let customer_id = reader.text_or_nil()?;
        let mut next = || reader.raw();
        let [identifiers, traits, consents, prefers, unreachable, last_seen_ms] =
            [next()?, next()?, next()?, next()?, next()?, next()?];
        next()?; // first_seen_ms
        let quiet_hours = next()?;
        for _ in 0..4 {
            next()?; // what merging reads, and when preferences were said
        }
        let lives = next()?;
        next()?; // wrote_ms
        Ok(Profile {
            customer_id,
            identifiers,
            traits,
            consents,
            prefers,
            unreachable,
            last_seen_ms,
            quiet_hours,
            lives,
        })
    }
}

/// What was before, in the parts of `model.state.History`.
pub struct History<'a> {
    pub exits: Raw<'a>,
    pub ended: Raw<'a>,
    pub sent: Raw<'a>,
    pub cases: Raw<'a>,
    pub draws: Raw<'a>,
    pub refused: Raw<'a>,
}

impl<'a> History<'a> {
    fn read(raw: &'a [u8]) -> May<Self> {
        let mut reader = Reader::new(raw);
        reader.array_of(6)?;
        let mut next = || reader.raw().map(Cow::Borrowed);
        Ok(History { exits: next()?, ended: next()?, sent: next()?, cases: next()?, draws: next()?, refused: next()? })
    }
}

/// Everything kept for one customer. `history` and `profile` are taken apart when they are asked for.
pub struct State<'a> {
    pub profile_id: &'a str,
    pub entries: Vec<Entry<'a>>,
    seen: Cow<'a, [u8]>,
    profile: Raw<'a>,
    history_bytes: &'a [u8],
    history: Option<History<'a>>,
    /// The earliest instant of a watch, and the past itself, packed; None where nobody has asked for it.
    past: Option<(i64, &'a [u8])>,
    new_past: Option<(i64, Vec<u8>)>,
}

/// What `model.state` writes of somebody of whom nothing is known.
const NO_HISTORY: &[u8] = &[0x96, 0x80, 0x90, 0x90, 0x90, 0x80, 0x90];

impl<'a> State<'a> {
    pub fn read(record: &'a [u8]) -> May<Self> {
        if record.len() <= HEADER_BYTES || record[8] != FORMAT {
            return Err(Bail);
        }
        let mut reader = Reader::new(&record[HEADER_BYTES..]);
        let has_past = match reader.array()? {
            5 => false,
            7 => true,
            _ => return Err(Bail),
        };
        let profile_id = reader.text()?;
        let count = reader.array()?;
        let entries = (0..count).map(|_| Entry::read(&mut reader)).collect::<May<_>>()?;
        Ok(State {
            profile_id,
            entries,
            seen: Cow::Borrowed(reader.binary()?),
            profile: Cow::Borrowed(reader.raw()?),
            history_bytes: reader.raw()?,
            history: None,
            past: if has_past { Some((reader.integer()?, reader.raw()?)) } else { None },
            new_past: None,
        })
    }

    /// The state of a customer whom an event is the first to name.
    pub fn begin(profile_id: &'a str, customer_id: Option<&str>) -> Self {
        let mut writer = Writer::with_room(32);
        writer.array(16);
        writer.text("");
        writer.text_or_nil(customer_id);
        writer.raw(&[0x80, 0x80, 0x90, 0x90, 0x80, 0x80, 0x00, 0x90, 0x80, 0x80, 0x00, 0x00, 0x90, 0x80]);
        State {
            profile_id,
            entries: Vec::new(),
            seen: Cow::Borrowed(&[]),
            profile: Cow::Owned(writer.bytes),
            history_bytes: NO_HISTORY,
            history: None,
            past: None,
            new_past: None,
        }
    }

    pub fn profile(&self) -> May<Profile<'_>> {
        Profile::read(&self.profile)
    }

    /// The bytes of the profile: they outlive the state where it was read from a record.
    pub fn packed_profile(&self) -> Raw<'a> {
        self.profile.clone()
    }

    pub fn put_profile(&mut self, packed: Vec<u8>) {
        self.profile = Cow::Owned(packed);
    }

    pub fn history(&mut self) -> May<&mut History<'a>> {
        if self.history.is_none() {
            self.history = Some(History::read(self.history_bytes)?);
        }
        self.history.as_mut().ok_or(Bail)
    }

    /// The earliest instant of a watch, and the packed past, as they were read.
    pub fn past(&self) -> Option<(i64, &'a [u8])> {
        self.past
    }

    pub fn put_past(&mut self, watch_ms: i64, packed: Vec<u8>) {
        self.new_past = Some((watch_ms, packed));
    }

    fn past_now(&self) -> Option<(i64, &[u8])> {
        self.new_past.as_ref().map(|(watch_ms, packed)| (*watch_ms, &**packed)).or(self.past)
    }

    pub fn has_seen(&self, digest: [u8; DIGEST_BYTES]) -> bool {
        self.seen.chunks_exact(DIGEST_BYTES).any(|seen| seen == digest)
    }

    pub fn remember(&mut self, digest: [u8; DIGEST_BYTES]) {
        let seen = self.seen.to_mut();
        seen.extend_from_slice(&digest);
        let spare = seen.len().saturating_sub(REMEMBERED_EVENTS * DIGEST_BYTES);
        seen.drain(..spare);
    }

    pub fn due_ms(&self) -> i64 {
        let watch_ms = self.past_now().map_or(0, |(watch_ms, _)| watch_ms);
        let all = self.entries.iter().map(|entry| entry.due_ms).chain([watch_ms]);
        all.filter(|due_ms| *due_ms != 0).min().unwrap_or(0)
    }

    /// Writes the record, with its next wake-up in front.
    pub fn write(&self, room: usize) -> May<Vec<u8>> {
        let mut writer = Writer::with_room(room + 256);
        writer.raw(&self.due_ms().to_be_bytes());
        writer.raw(&[FORMAT]);
        let past = self.past_now();
        writer.array(if past.is_some() { 7 } else { 5 });
        writer.text(self.profile_id);
        writer.array(self.entries.len());
        self.entries.iter().for_each(|entry| entry.write(&mut writer));
        writer.binary(&self.seen);
        writer.raw(&self.profile);
        match &self.history {
            None => writer.raw(self.history_bytes),
            Some(history) => {
                writer.array(6);
                for part in
                    [&history.exits, &history.ended, &history.sent, &history.cases, &history.draws, &history.refused]
                {
                    writer.raw(part);
                }
            }
        }
        if let Some((watch_ms, past)) = past {
            writer.integer(watch_ms);
            writer.raw(past);
        }
        if writer.bytes.len() > MOST_RECORD_BYTES {
            Err(Bail)
        } else {
            Ok(writer.bytes)
        }
    }
}
