//! One turn at work, and what both events and timers lead to: events that are kept, entries that end.
//!
//! Owns what `engine.endings` and `engine.cancelling` own, for the one entry that turns here are about.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::bail::{Bail, May};
use crate::expression::Scope;
use crate::ids;
use crate::pack::{Reader, Writer};
use crate::packed::{items, packed_items, with_item};
use crate::program::{AgainKind, Asked, Journey};
use crate::record::{kept_event, Entry, Found, Profile, State, Text};
use crate::telling::{put, Place, Told, NOTHING};
use crate::value::{write_integer, write_pairs, Pairs, Value};

/// A profile remembers at most so many ended entries whose goal can still be reached, the newest.
const MOST_ENDED: usize = 20;

/// The event at hand.
pub struct Event<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub time_ms: i64,
    pub channel: Option<&'a str>,
    pub properties: Value<'a>,
}

/// Packs the properties that are in `names` (all where it is None), in the event's own order.
pub fn pick(properties: &Value, names: &Option<HashSet<String>>) -> May<Vec<u8>> {
    let Value::Map(pairs) = properties else { return Err(Bail) };
    let is_kept = |name: &str| names.as_ref().is_none_or(|names| names.contains(name));
    let kept: Vec<_> = pairs.iter().filter(|(name, _)| is_kept(name)).collect();
    let mut writer = Writer::with_room(128);
    writer.map(kept.len());
    for (name, value) in kept {
        writer.text(name);
        value.pack(&mut writer);
    }
    Ok(writer.bytes)
}

/// The same of properties that are packed already.
pub fn pick_packed(packed: &[u8], names: &Option<HashSet<String>>) -> May<Vec<u8>> {
    pick(&Value::unpack(&mut Reader::new(packed))?, names)
}

/// Cuts an event down to what is kept of it.
pub fn keep(event: &Event, names: &Option<HashSet<String>>) -> May<Vec<u8>> {
    Ok(kept_event(event.id, event.kind, event.time_ms, event.channel, &pick(&event.properties, names)?))
}

/// Collects the values that a condition looks at, by their names: of a list or a map only its size.
pub fn add_seen<'s>(asked: &'s Asked, scope: &Scope<'s>, saw: &mut Pairs<'s>) -> May<()> {
    for (name, expression) in &asked.saw {
        let value = match expression.evaluate(scope)? {
            Value::List(items) => Value::text(format!("{} items", items.len())),
            Value::Map(pairs) => Value::text(format!("{} items", pairs.len())),
            value => value,
        };
        put_pair(saw, name, value);
    }
    Ok(())
}

/// Puts a value under a name, in the place of an older one or last, as a dict does.
pub fn put_pair<'s>(pairs: &mut Pairs<'s>, name: &'s str, value: Value<'s>) {
    match pairs.iter_mut().find(|(known, _)| known == name) {
        Some(pair) => pair.1 = value,
        None => pairs.push((Cow::Borrowed(name), value)),
    }
}

pub fn as_json(pairs: &Pairs) -> Vec<u8> {
    let mut json = Vec::with_capacity(96);
    write_pairs(pairs, &mut json);
    json
}

/// Ends the only entry of a state: its decision, and what an end leaves behind.
pub fn end<'p>(
    told: &mut Told<'p>,
    state: &mut State,
    journey: &'p Journey,
    reason: &'p str,
    step: Option<&str>,
    now_ms: i64,
) -> May<()> {
    let entry = state.entries.pop().ok_or(Bail)?;
    let place = Place { entry_id: Some(&entry.id), step };
    told.tell(journey, place, "exited", reason, NOTHING, None);
    if matches!(journey.again, AgainKind::Once | AgainKind::After) {
        remember_exit(state, journey, entry.key.as_deref().unwrap_or(""), now_ms)?;
    }
    if !entry.converted {
        keep_open(state, journey, &entry, now_ms)?;
    }
    Ok(())
}

fn remember_exit(state: &mut State, journey: &Journey, key: &str, now_ms: i64) -> May<()> {
    let history = state.history()?;
    let mut exits = Value::unpack(&mut Reader::new(&history.exits))?;
    let Value::Map(journeys) = &mut exits else { return Err(Bail) };
    if !journeys.iter().any(|(id, _)| *id == journey.id) {
        journeys.push((Cow::Borrowed(&journey.id), Value::Map(Vec::new())));
    }
    let left = journeys.iter_mut().find(|(id, _)| *id == journey.id).map(|(_, left)| left);
    let Some(Value::Map(left)) = left else { return Err(Bail) };
    put_pair(left, key, Value::Integer(now_ms));
    let mut writer = Writer::with_room(history.exits.len() + 64);
    exits.pack(&mut writer);
    history.exits = Cow::Owned(writer.bytes);
    Ok(())
}

/// Whether the customer never left a journey before, or left long enough ago.
pub fn may_enter_again(state: &mut State, journey: &Journey, key: Option<&str>, now_ms: i64) -> May<bool> {
    let exits = Value::unpack(&mut Reader::new(&state.history()?.exits))?;
    let left = exits.get(&journey.id).and_then(|left| left.get(key.unwrap_or("")));
    match left {
        None => Ok(true),
        Some(Value::Integer(left_ms)) => {
            Ok(journey.again == AgainKind::After && now_ms >= left_ms + journey.again_after_ms)
        }
        Some(_) => Err(Bail),
    }
}

/// An entry that has ended and whose goal can still be reached, in the parts that are asked for.
pub struct Ended<'a> {
    pub id: &'a str,
    pub journey: &'a str,
    pub version: i64,
    pub key: Option<&'a str>,
    pub from_ms: i64,
    pub until_ms: i64,
    pub properties: &'a [u8],
    pub results: Vec<(Text<'a>, Cow<'a, [u8]>)>,
}

impl<'a> Ended<'a> {
    pub fn read(raw: &'a [u8]) -> May<Self> {
        let mut reader = Reader::new(raw);
        reader.array_of(9)?;
        let (id, journey, version) = (reader.text()?, reader.text()?, reader.integer()?);
        let (key, from_ms, until_ms) = (reader.text_or_nil()?, reader.integer()?, reader.integer()?);
        let properties = reader.raw()?;
        reader.raw()?; // its messages
        let count = reader.map()?;
        let pair = |_| Ok((Cow::Borrowed(reader.text()?), Cow::Borrowed(reader.raw()?)));
        let results = (0..count).map(pair).collect::<May<_>>()?;
        Ok(Ended { id, journey, version, key, from_ms, until_ms, properties, results })
    }
}

/// Keeps those ended entries whose goal can still be reached.
pub fn open_still(ended: &[u8], now_ms: i64) -> May<Vec<&[u8]>> {
    let mut open = Vec::new();
    for raw in items(ended)? {
        if Ended::read(raw)?.until_ms >= now_ms {
            open.push(raw);
        }
    }
    Ok(open)
}

/// Remembers an ended entry for as long as its goal can still be reached.
fn keep_open(state: &mut State, journey: &Journey, entry: &Entry, now_ms: i64) -> May<()> {
    let Some(longest_ms) = journey.longest_goal_ms else { return Ok(()) };
    let from_ms = if entry.sent_ms != 0 { entry.sent_ms } else { entry.entered_ms };
    let until_ms = from_ms + longest_ms;
    if until_ms <= now_ms {
        return Ok(());
    }
    let mut writer = Writer::with_room(entry.properties.len() + 192);
    writer.array(9);
    writer.text(&entry.id);
    writer.text(&entry.journey);
    writer.integer(entry.version);
    writer.text_or_nil(entry.key.as_deref());
    writer.integer(from_ms);
    writer.integer(until_ms);
    writer.raw(&entry.properties);
    let mut actions = Vec::new();
    for (_, result) in &entry.results {
        actions.extend(Found::read(result)?.action_id);
    }
    writer.array(actions.len());
    actions.iter().for_each(|action_id| writer.text(action_id));
    let results: Vec<_> = journey.read_by_goals.iter().filter_map(|step| Some((step, entry.result(step)?))).collect();
    writer.map(results.len());
    for (step, result) in results {
        writer.text(step);
        writer.raw(result);
    }
    let history = state.history()?;
    let mut ended: Vec<Cow<[u8]>> = open_still(&history.ended, now_ms)?.into_iter().map(Cow::Borrowed).collect();
    let spare = ended.len().saturating_sub(MOST_ENDED - 1);
    ended.drain(..spare);
    ended.push(Cow::Owned(writer.bytes));
    let packed = packed_items(&ended);
    history.ended = Cow::Owned(packed);
    Ok(())
}

/// One message that left, as in `model.state.Sent`.
pub struct Sent<'a> {
    pub action_id: &'a str,
    pub at_ms: i64,
    pub journey: &'a str,
    pub entry_id: &'a str,
    pub step: &'a str,
    pub message: &'a str,
    pub channel: &'a str,
    pub purpose: &'a str,
    pub address: Option<&'a str>,
    pub until_ms: i64,
    pub version: i64,
    pub profile_id: &'a str,
    pub named: &'a str,
    pub reached: &'a str,
}

impl<'a> Sent<'a> {
    pub fn read(raw: &'a [u8]) -> May<Self> {
        let mut reader = Reader::new(raw);
        reader.array_of(14)?;
        Ok(Sent {
            action_id: reader.text()?,
            at_ms: reader.integer()?,
            journey: reader.text()?,
            entry_id: reader.text()?,
            step: reader.text()?,
            message: reader.text()?,
            channel: reader.text()?,
            purpose: reader.text()?,
            address: reader.text_or_nil()?,
            until_ms: reader.integer()?,
            version: reader.integer()?,
            profile_id: reader.text()?,
            named: reader.text()?,
            reached: reader.text()?,
        })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut writer = Writer::with_room(256);
        writer.array(14);
        writer.text(self.action_id);
        writer.integer(self.at_ms);
        for text in [self.journey, self.entry_id, self.step, self.message, self.channel, self.purpose] {
            writer.text(text);
        }
        writer.text_or_nil(self.address);
        writer.integer(self.until_ms);
        writer.integer(self.version);
        for text in [self.profile_id, self.named, self.reached] {
            writer.text(text);
        }
        writer.bytes
    }
}

/// Takes back what an entry that ends before its time has sent, as far as it may still be on its way.
pub fn cancel(told: &mut Told, state: &mut State, entry_id: &str, now_ms: i64) -> May<()> {
    let (profile, profile_id) = (state.packed_profile(), state.profile_id);
    let customer_id = Profile::read(&profile)?.customer_id;
    let history = state.history()?;
    let mut kept: Vec<Cow<[u8]>> = Vec::new();
    let mut is_changed = false;
    for raw in items(&history.sent)? {
        let mut sent = Sent::read(raw)?;
        if sent.entry_id != entry_id || sent.until_ms <= now_ms {
            kept.push(Cow::Borrowed(raw));
            continue;
        }
        if !sent.profile_id.is_empty() {
            return Err(Bail); // of a life that was merged: taken back where that one's messages are
        }
        cancelling(told, &sent, profile_id, customer_id);
        told.asked.push((sent.journey.to_owned(), String::new()));
        sent.until_ms = 0;
        kept.push(Cow::Owned(sent.write()));
        is_changed = true;
    }
    if is_changed {
        let packed = packed_items(&kept);
        history.sent = Cow::Owned(packed);
    }
    Ok(())
}

fn cancelling(told: &mut Told, sent: &Sent, profile_id: &str, customer_id: Option<&str>) {
    let line = &mut told.actions.bytes;
    line.extend_from_slice(b"{\"id\":\"");
    line.extend_from_slice(ids::derive(&["cancel", sent.action_id]).as_bytes());
    line.extend_from_slice(b"\",\"kind\":\"cancel\"");
    put(line, "profile_id", Some(profile_id));
    put(line, "customer_id", customer_id);
    put(line, "journey", Some(sent.journey));
    line.extend_from_slice(b",\"version\":");
    write_integer(sent.version, line);
    put(line, "entry_id", Some(sent.entry_id));
    put(line, "step", Some(sent.step));
    put(line, "at", Some(&told.at));
    line.extend_from_slice(b",\"channel\":null,\"message\":null");
    put(line, "purpose", Some(sent.purpose));
    line.extend_from_slice(b",\"language\":null,\"to\":null,\"expires_at\":null,\"stale_after\":null,\"quiet\":null");
    line.extend_from_slice(b",\"data\":{\"action_id\":");
    crate::value::write_text(sent.action_id, line);
    line.extend_from_slice(b",\"reason\":\"exit\"},\"track\":[],\"window_until\":null}");
    told.actions.end();
}

/// Adds a message to those that a profile remembers.
pub fn remember_sent(state: &mut State, sent: &Sent) -> May<()> {
    let history = state.history()?;
    let packed = with_item(&history.sent, &sent.write())?;
    history.sent = Cow::Owned(packed);
    Ok(())
}
