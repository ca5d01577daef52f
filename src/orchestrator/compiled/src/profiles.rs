//! Profiles: what an event tells about the customer, their traits or a consent, as `engine.profiles` takes it over.
//!
//! Owns both as far as nothing but the profile changes by them. What may take a message back, or be said by whoever reads
//! at another address; what is said of several lives, or meant as a yes; whoever comes into a segment or leaves one by
//! it: all that is left to the engine in Python.

use crate::bail::{Bail, May};
use crate::expression::{Properties, Scope};
use crate::pack::{Reader, Writer};
use crate::packed::{is_empty, items, packed_items};
use crate::past::Past;
use crate::program::Program;
use crate::record::State;
use crate::turn::{Event, Sent};
use crate::value::{Pairs, Value};

pub const UPDATED: &str = "profile_updated";
const CONSENT_CHANGED: &str = "consent_changed";
/// A trait that holds a map by id, to which an event adds instead of replacing the whole.
const MAP: &str = "groups";
/// Of how many names at most it is asked one by one which of the known ones they are.
const MOST_COMPARED: usize = 1 << 16;

/// The fields of `model.profile.Profile`, packed, and the places of those that change here.
type Fields<'a> = [&'a [u8]; 16];
const TRAITS: usize = 3;
const CONSENTS: usize = 4;
const SAID_MS: usize = 10;
const LIVES: usize = 14;
const CONSENT_FIELDS: usize = 9;

/// Takes over what an event tells.
pub fn apply(program: &Program, state: &mut State, event: &Event, past: Option<&Past>, now_ms: i64) -> May<()> {
    // Whoever stands still may go on at any event.
    if state.entries.iter().any(|entry| entry.stopped_ms != 0) {
        return Err(Bail);
    }
    let packed = state.packed_profile();
    let fields = fields_of(&packed)?;
    // A producer's clock that is ahead says nothing of the future.
    let at_ms = event.time_ms.min(now_ms);
    let profile = match (event.kind, &event.properties) {
        (UPDATED, Value::Map(said)) => with_traits(fields, said, at_ms)?,
        (CONSENT_CHANGED, said) => with_consent(fields, state, said, at_ms, now_ms)?,
        _ => return Err(Bail),
    };
    state.put_profile(profile);
    match past {
        Some(past) => stay(program, state, past, now_ms),
        None => Ok(()),
    }
}

/// Leaves the turn to Python where somebody comes into a segment by it, or leaves one.
fn stay(program: &Program, state: &State, past: &Past, now_ms: i64) -> May<()> {
    let profile = state.profile()?;
    let (event, properties, entry) = (None, Properties::None, None);
    let scope = Scope { now_ms, event, properties, entry, profile: &profile, past: Some(past) };
    for segment in program.audiences.iter().flat_map(|audiences| &audiences.segments) {
        if Some(segment.condition.holds(&scope)?) != past.is_member(&segment.key) {
            return Err(Bail);
        }
    }
    Ok(())
}

fn fields_of(packed: &[u8]) -> May<Fields<'_>> {
    let mut fields = Fields::default();
    let mut reader = Reader::new(packed);
    reader.array_of(fields.len())?;
    for field in &mut fields {
        *field = reader.raw()?;
    }
    Ok(fields)
}

enum Told<'v> {
    Before(&'v [u8]),
    Now(&'v Value<'v>),
}

/// Sets traits, and removes those that are null, unless something was said of them since.
fn with_traits(fields: Fields, said: &Pairs, at_ms: i64) -> May<Vec<u8>> {
    let mut traits = pairs_of(fields[TRAITS], |reader| reader.raw().map(Told::Before))?;
    let mut said_ms = pairs_of(fields[SAID_MS], Reader::integer)?;
    if said.len() * (said.len() + traits.len() + said_ms.len()) > MOST_COMPARED {
        return Err(Bail);
    }
    for (name, value) in said {
        if name == MAP && matches!(value, Value::Map(_)) {
            return Err(Bail);
        }
        let known = said_ms.iter().position(|(known, _)| known == name);
        if at_ms < known.map_or(0, |at| said_ms[at].1) {
            continue;
        }
        match known {
            Some(at) => said_ms[at].1 = at_ms,
            None => said_ms.push((&**name, at_ms)),
        }
        match (traits.iter().position(|(known, _)| known == name), value) {
            (Some(at), Value::Missing) => drop(traits.remove(at)),
            (None, Value::Missing) => {}
            (Some(at), value) => traits[at].1 = Told::Now(value),
            (None, value) => traits.push((&**name, Told::Now(value))),
        }
    }
    let traits = packed_pairs(&traits, fields[TRAITS].len(), |told, writer| match told {
        Told::Before(packed) => writer.raw(packed),
        Told::Now(value) => value.pack(writer),
    });
    let said_ms = packed_pairs(&said_ms, fields[SAID_MS].len(), |at_ms, writer| writer.integer(*at_ms));
    let mut after = fields;
    (after[TRAITS], after[SAID_MS]) = (&traits, &said_ms);
    Ok(packed_items(&after))
}

fn pairs_of<'v, T>(packed: &'v [u8], read: impl Fn(&mut Reader<'v>) -> May<T>) -> May<Vec<(&'v str, T)>> {
    let mut reader = Reader::new(packed);
    (0..reader.map()?).map(|_| Ok((reader.text()?, read(&mut reader)?))).collect()
}

fn packed_pairs<T>(pairs: &[(&str, T)], room: usize, write: impl Fn(&T, &mut Writer)) -> Vec<u8> {
    let mut writer = Writer::with_room(room + 128);
    writer.map(pairs.len());
    for (name, value) in pairs {
        writer.text(name);
        write(value, &mut writer);
    }
    writer.bytes
}

/// Puts a statement on record; older ones that it covers entirely can never decide again and go.
fn with_consent(fields: Fields, state: &mut State, said: &Value, at_ms: i64, now_ms: i64) -> May<Vec<u8>> {
    if !is_empty(fields[LIVES]) {
        return Err(Bail);
    }
    let granted = is_yes(said, "granted")?;
    let confirmed = granted && is_yes(said, "confirmed")?;
    let (channel, purpose) = (covered(said, "channel", granted)?, covered(said, "purpose", granted)?);
    let evidence = said.get("evidence").unwrap_or(&Value::Missing);
    if granted && channel.is_some() && matches!(evidence.get("action_id"), Some(Value::Text(_))) {
        return Err(Bail); // that message may have gone to another address
    }
    if !granted && has_sent_lately(state, now_ms)? {
        return Err(Bail);
    }
    let mut writer = Writer::with_room(128);
    writer.array(CONSENT_FIELDS);
    writer.text_or_nil(channel);
    writer.text_or_nil(purpose);
    writer.truth(granted);
    writer.truth(confirmed);
    writer.integer(at_ms);
    ["source", "wording", "method"].into_iter().for_each(|name| writer.text_or_nil(text(said.get(name))));
    evidence.pack(&mut writer);
    let mut consents = Vec::new();
    for raw in items(fields[CONSENTS])? {
        let mut older = Reader::new(raw);
        older.array_of(CONSENT_FIELDS)?;
        let (by, to) = (older.text_or_nil()?, older.text_or_nil()?);
        older.truth()?;
        older.truth()?;
        let is_covered = (channel.is_none() || channel == by) && (purpose.is_none() || purpose == to);
        if !is_covered || older.integer()? > at_ms {
            consents.push(raw);
        }
    }
    consents.push(&writer.bytes);
    let consents = packed_items(&consents);
    let mut after = fields;
    after[CONSENTS] = &consents;
    Ok(packed_items(&after))
}

/// Whether something is agreed to; what is neither true nor false may have been meant as a yes, and Python says so.
fn is_yes(said: &Value, name: &str) -> May<bool> {
    match said.get(name) {
        None | Some(Value::Missing) => Ok(false),
        Some(Value::Truth(is_so)) => Ok(*is_so),
        Some(_) => Err(Bail),
    }
}

/// Which channel or purpose a statement is about; None for all of them, which a yes must not be by mistake.
fn covered<'v>(said: &'v Value, name: &str, granted: bool) -> May<Option<&'v str>> {
    match said.get(name) {
        None | Some(Value::Missing | Value::Text(_)) => Ok(text(said.get(name))),
        Some(_) if granted => Err(Bail),
        Some(_) => Ok(None),
    }
}

fn text<'v>(value: Option<&'v Value>) -> Option<&'v str> {
    match value {
        Some(Value::Text(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// Whether a message may still be on its way, so that a no might take it back.
fn has_sent_lately(state: &mut State, now_ms: i64) -> May<bool> {
    for raw in items(&state.history()?.sent)? {
        if Sent::read(raw)?.until_ms > now_ms {
            return Ok(true);
        }
    }
    Ok(false)
}
