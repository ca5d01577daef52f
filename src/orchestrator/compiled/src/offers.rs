//! Offers: a message that a timer brings up, and what its guards say of each channel.
//!
//! The same situations as in `engine.offers`, in the same order and with the same words. What needs more (addresses that
//! bounced, several devices, open cases, a customer's own quiet hours, lives that were merged) is left to Python.

use std::borrow::Cow;
use std::collections::HashMap;

use pyo3::prelude::*;

use crate::bail::{Bail, May};
use crate::expression::Scope;
use crate::ids;
use crate::instants;
use crate::pack::Reader;
use crate::packed::{is_empty, items};
use crate::past::Past;
use crate::program::{Consent, Journey, Offer, Road, Step};
use crate::record::{result_of, State};
use crate::telling::{put, Place, Told};
use crate::turn::{remember_sent, Sent};
use crate::value::{write_pairs, write_text, Pairs, Value};
use crate::wakes::drawn_before;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A profile keeps its newest messages; who has more is looked through in Python (`engine.steps.sends.KEPT_SENT`).
const KEPT_SENT: usize = 20;
/// So many (hour, zone, quiet hours) are remembered: each message of an hour asks for the same few.
const MOST_QUIET: usize = 4096;

pub enum Became {
    Sent,
    Held,
    Refused,
}

/// The quiet hours around an hour, as [start, end) in ms, and how an action tells of them.
struct Windows {
    spans: Vec<(i64, i64)>,
    json: Vec<u8>,
}

/// What asks Python for quiet hours on a customer's clock, and remembers the answers.
pub struct Quiet<'py> {
    pub ask: &'py Bound<'py, PyAny>,
    pub known: &'py mut Remembered,
}

#[derive(Default)]
pub struct Remembered {
    windows: HashMap<(i64, usize, String), Windows>,
}

impl Quiet<'_> {
    fn around(&mut self, now_ms: i64, which: usize, zone: &str) -> May<&Windows> {
        let known = &mut self.known.windows;
        if known.len() >= MOST_QUIET {
            known.clear();
        }
        let key = (now_ms / HOUR_MS, which, zone.to_owned());
        if !known.contains_key(&key) {
            let answer = self.ask.call1((key.0, which, zone)).map_err(|_| Bail)?;
            let (spans, json): (Vec<(i64, i64)>, Vec<u8>) = answer.extract().map_err(|_| Bail)?;
            known.insert(key.clone(), Windows { spans, json });
        }
        known.get(&key).ok_or(Bail)
    }
}

/// What a channel says to a message.
enum Answer<'p> {
    Yes { address: String, quiet: Option<Vec<u8>> },
    Quiet { until_ms: i64 },
    No { reason: &'static str, cap: Option<&'p str> },
}

/// Offers the message of a step to its channels in order.
#[allow(clippy::too_many_arguments)]
pub fn make<'p, 'a: 'p>(
    journey: &'p Journey,
    step: &'p Step,
    offer: &'p Offer,
    state: &mut State<'a>,
    past: Option<&Past>,
    now_ms: i64,
    told: &mut Told<'p>,
    quiet: &mut Quiet,
) -> May<Became> {
    let asked_ms = if state.entries[0].held_ms != 0 { state.entries[0].held_ms } else { now_ms };
    let expires_ms = offer.expires_ms.map(|expires| asked_ms + expires);
    if expires_ms.is_some_and(|expires| expires <= now_ms) {
        return Err(Bail);
    }
    let mut refused: Vec<(&str, Answer)> = Vec::new();
    let mut leaving = None;
    {
        let history = state.history()?;
        let (cases, sent, draws) = (history.cases.clone(), history.sent.clone(), history.draws.clone());
        let profile = state.profile()?;
        let sent = items(&sent)?;
        if !is_empty(&cases) || !is_empty(profile.unreachable) || sent.len() >= KEPT_SENT {
            return Err(Bail);
        }
        let scope = Scope::of_entry(&state.entries[0], &profile, past, now_ms)?;
        for name in channels_of(offer, &scope)? {
            let road = offer.roads.get(&name).and_then(Option::as_ref).ok_or(Bail)?;
            match ask(road, &scope, &sent, &draws, quiet)? {
                Answer::Yes { address, quiet } => {
                    leaving = Some((road, address, quiet));
                    break;
                }
                answer => refused.push((&road.channel, answer)),
            }
        }
    }
    if let Some((road, address, quiet)) = leaving {
        refuse(journey, step, offer, state, &refused, true, told);
        leave(journey, step, offer, road, &address, quiet.as_deref(), expires_ms, state, past, now_ms, told)?;
        forget_held(state);
        return Ok(Became::Sent);
    }
    if refused.is_empty() {
        return Err(Bail);
    }
    let held = refused.iter().find_map(|(channel, answer)| match answer {
        Answer::Quiet { until_ms } => Some((*channel, *until_ms)),
        _ => None,
    });
    if let Some((channel, until_ms)) = held {
        if expires_ms.is_some_and(|expires| expires <= until_ms) {
            return Err(Bail);
        }
        refuse(journey, step, offer, state, &refused, false, told);
        hold(journey, step, offer, channel, until_ms, asked_ms, state, told)?;
        return Ok(Became::Held);
    }
    refuse(journey, step, offer, state, &refused, true, told);
    let result = result_of(Some("suppressed"), None, None, None);
    state.entries[0].put_result(&Cow::Owned(step.id.clone()), Cow::Owned(result));
    forget_held(state);
    Ok(Became::Refused)
}

fn forget_held(state: &mut State) {
    state.entries[0].held.clear();
    state.entries[0].held_ms = 0;
}

/// Resolves `same` and `preferred`, without doubles and without channels that the message has no content for.
fn channels_of(offer: &Offer, scope: &Scope) -> May<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for name in &offer.channels {
        let names = match name.as_str() {
            "same" => scope.entry.and_then(|entry| entry.channel.as_deref()).map(str::to_owned).into_iter().collect(),
            "preferred" if is_empty(scope.profile.prefers) => offer.preferred.clone(),
            "preferred" => {
                let mut reader = Reader::new(scope.profile.prefers);
                let count = reader.array()?;
                (0..count).map(|_| reader.text().map(str::to_owned)).collect::<May<Vec<_>>>()?
            }
            _ => vec![name.clone()],
        };
        for each in names {
            if offer.roads.contains_key(&each) && !found.contains(&each) {
                found.push(each);
            }
        }
    }
    Ok(found)
}

/// Asks every guard of one channel in order; the first "no" is the answer.
fn ask<'p>(road: &'p Road, scope: &Scope, sent: &[&[u8]], draws: &[u8], quiet: &mut Quiet) -> May<Answer<'p>> {
    let profile = scope.profile;
    let no = |reason| Ok(Answer::No { reason, cap: None });
    let address = match road.address.evaluate(scope)? {
        Value::Missing => return no("unreachable"),
        Value::Text(text) => strip(&text).to_owned(),
        _ => return Err(Bail),
    };
    if address.is_empty() {
        return no("unreachable");
    }
    if road.consent != Consent::None && !is_consented(road, profile.consents, profile.lives)? {
        return no("no_consent");
    }
    if let Some(condition) = &road.only_if {
        if !condition.holds(scope)? {
            return no("not_allowed");
        }
    }
    for (name, percent) in &road.holdouts {
        if drawn_before(draws, name)?.ok_or(Bail)? < *percent {
            return no("holdout");
        }
    }
    for cap in &road.caps {
        let mut count = 0;
        for raw in sent {
            let each = Sent::read(raw)?;
            let is_counted = cap.channel.as_ref().is_none_or(|channel| channel == each.channel);
            if is_counted && each.at_ms > scope.now_ms - cap.per_ms && cap.counted.contains(each.purpose) {
                count += 1;
            }
        }
        if !sent.is_empty() && count >= cap.at_most {
            return Ok(Answer::No { reason: "cap_reached", cap: Some(&cap.text) });
        }
    }
    if !is_empty(profile.quiet_hours) && (road.asks_own_hours || road.quiet.is_some()) {
        return Err(Bail);
    }
    let Some(which) = road.quiet else { return Ok(Answer::Yes { address, quiet: None }) };
    let zone = match scope.profile_value("timezone")? {
        Value::Text(zone) => zone.into_owned(),
        _ => String::new(),
    };
    let windows = quiet.around(scope.now_ms, which, &zone)?;
    let holding = windows.spans.iter().filter(|(start, end)| *start <= scope.now_ms && scope.now_ms < *end);
    match holding.map(|(_, end)| *end).max() {
        Some(until_ms) => Ok(Answer::Quiet { until_ms }),
        None => Ok(Answer::Yes { address, quiet: Some(windows.json.clone()) }),
    }
}

/// As Python's `strip`, which takes the separators of ASCII for space too.
fn strip(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || ('\x1c'..='\x1f').contains(&letter))
}

fn is_consented(road: &Road, consents: &[u8], lives: &[u8]) -> May<bool> {
    if !is_empty(lives) {
        return Err(Bail);
    }
    let mut latest: Option<(i64, bool, bool)> = None;
    for raw in items(consents)? {
        let mut reader = Reader::new(raw);
        reader.array_of(9)?;
        let (channel, purpose) = (reader.text_or_nil()?, reader.text_or_nil()?);
        let (granted, confirmed, at_ms) = (reader.truth()?, reader.truth()?, reader.integer()?);
        let covers = channel.is_none_or(|channel| channel == road.channel)
            && purpose.is_none_or(|purpose| purpose == road.purpose);
        if covers && latest.is_none_or(|(known_ms, ..)| at_ms >= known_ms) {
            latest = Some((at_ms, granted, confirmed));
        }
    }
    Ok(match (road.consent, latest) {
        (Consent::None, _) => true,
        (Consent::OptOut, said) => said.is_none_or(|(_, granted, _)| granted),
        (_, None) => false,
        (Consent::OptIn, Some((_, granted, _))) => granted,
        (Consent::DoubleOptIn, Some((_, granted, confirmed))) => granted && confirmed,
    })
}

fn about(offer: &Offer, channel: &str) -> Vec<u8> {
    let mut saw = b"{\"channel\":".to_vec();
    write_text(channel, &mut saw);
    put(&mut saw, "message", Some(&offer.message));
    put(&mut saw, "purpose", Some(&offer.purpose));
    saw
}

/// Puts on record which channels may not, and what was not said before the message was held.
fn refuse<'p>(
    journey: &'p Journey,
    step: &'p Step,
    offer: &Offer,
    state: &mut State,
    refused: &[(&str, Answer<'p>)],
    is_final: bool,
    told: &mut Told<'p>,
) {
    let entry = &mut state.entries[0];
    for (channel, answer) in refused {
        let (reason, cap) = match answer {
            Answer::No { reason, cap } => (*reason, *cap),
            Answer::Quiet { .. } if is_final => ("quiet_hours", None),
            _ => continue,
        };
        let record = format!("{channel}:{reason}");
        if entry.held.iter().any(|said| *said == record) {
            continue;
        }
        entry.held.push(Cow::Owned(record));
        let mut saw = about(offer, channel);
        if cap.is_some() {
            put(&mut saw, "cap", cap);
        }
        saw.push(b'}');
        let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
        told.tell(journey, place, "suppressed", reason, &saw, None);
    }
}

#[allow(clippy::too_many_arguments)]
fn hold<'p>(
    journey: &'p Journey,
    step: &'p Step,
    offer: &Offer,
    channel: &str,
    until_ms: i64,
    asked_ms: i64,
    state: &mut State,
    told: &mut Told<'p>,
) -> May<()> {
    let entry = &mut state.entries[0];
    entry.step = Cow::Owned(step.id.clone());
    (entry.due_ms, entry.held_ms) = (until_ms, asked_ms);
    let result = result_of(Some("held"), Some(channel), None, None);
    entry.put_result(&Cow::Owned(step.id.clone()), Cow::Owned(result));
    let mut saw = about(offer, channel);
    put(&mut saw, "until", Some(&instants::to_text(until_ms)?));
    saw.push(b'}');
    let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
    told.tell(journey, place, "held", "quiet_hours", &saw, None);
    Ok(())
}

/// Lets the message leave, and keeps what is kept of it.
#[allow(clippy::too_many_arguments)]
fn leave<'p, 'a: 'p>(
    journey: &'p Journey,
    step: &'p Step,
    offer: &'p Offer,
    road: &'p Road,
    address: &str,
    quiet: Option<&[u8]>,
    expires_ms: Option<i64>,
    state: &mut State<'a>,
    past: Option<&Past>,
    now_ms: i64,
    told: &mut Told<'p>,
) -> May<()> {
    let profile_id = state.profile_id;
    let entry_id = state.entries[0].id.clone();
    let version = journey.version.to_string();
    let action_id = ids::derive(&[&journey.id, &version, profile_id, &entry_id, &step.id, "1"]);
    {
        let profile = state.profile()?;
        let scope = Scope::of_entry(&state.entries[0], &profile, past, now_ms)?;
        let line = &mut told.actions.bytes;
        line.extend_from_slice(b"{\"id\":\"");
        line.extend_from_slice(action_id.as_bytes());
        line.extend_from_slice(b"\",\"kind\":\"message\"");
        put(line, "profile_id", Some(profile_id));
        put(line, "customer_id", profile.customer_id);
        line.push(b',');
        line.extend_from_slice(&journey.json);
        put(line, "entry_id", Some(&entry_id));
        put(line, "step", Some(&step.id));
        put(line, "at", Some(&told.at));
        put(line, "channel", Some(&road.channel));
        put(line, "message", Some(&offer.message));
        put(line, "purpose", Some(&offer.purpose));
        put(line, "language", Some(language_of(offer, &scope)?));
        put(line, "to", Some(address));
        let expires_at = expires_ms.map(instants::to_text).transpose()?;
        put(line, "expires_at", expires_at.as_deref());
        put(line, "stale_after", if expires_at.is_none() { Some("1d") } else { None });
        line.extend_from_slice(b",\"quiet\":");
        line.extend_from_slice(quiet.unwrap_or(b"null"));
        line.extend_from_slice(b",\"data\":");
        write_pairs(&data_of(offer, road, &scope)?, line);
        line.extend_from_slice(b",\"track\":");
        line.extend_from_slice(&road.track);
        line.extend_from_slice(b",\"window_until\":null}");
    }
    told.actions.end();
    told.asked.push((journey.id.clone(), road.channel.clone()));
    let mut saw = about(offer, &road.channel);
    saw.push(b'}');
    let place = Place { entry_id: Some(&entry_id), step: Some(&step.id) };
    told.tell(journey, place, "sent", "allowed", &saw, Some(&action_id));
    let entry = &mut state.entries[0];
    let result = result_of(Some("sent"), Some(&road.channel), Some(&action_id), None);
    entry.put_result(&Cow::Owned(step.id.clone()), Cow::Owned(result));
    entry.sent_ms = now_ms;
    entry.messages += 1;
    let sent = Sent {
        action_id: &action_id,
        at_ms: now_ms,
        journey: &journey.id,
        entry_id: &entry_id,
        step: &step.id,
        message: &offer.message,
        channel: &road.channel,
        purpose: &offer.purpose,
        address: Some(address),
        until_ms: expires_ms.unwrap_or(now_ms + DAY_MS),
        version: journey.version,
        profile_id: "",
        named: "",
        reached: "",
    };
    remember_sent(state, &sent)
}

/// Chooses the message's language: es-MX, then es, then the first of the project's.
fn language_of<'p>(offer: &'p Offer, scope: &Scope) -> May<&'p str> {
    let fallback = &offer.languages.first().ok_or(Bail)?.1;
    if offer.languages.len() == 1 {
        return Ok(fallback);
    }
    let Value::Text(wanted) = scope.profile_value("language")? else { return Ok(fallback) };
    if !wanted.is_ascii() {
        return Err(Bail);
    }
    let tag = wanted.replace('_', "-").to_lowercase();
    let short = tag.split('-').next().unwrap_or("");
    let found = |name: &str| offer.languages.iter().find(|(small, _)| small == name).map(|(_, language)| &**language);
    Ok(found(&tag).or_else(|| found(short)).unwrap_or(fallback))
}

/// Collects what the templates name, nested as they name it; what is missing is left out.
fn data_of<'s>(offer: &'s Offer, road: &'s Road, scope: &Scope<'s>) -> May<Pairs<'s>> {
    let mut data: Pairs = Vec::new();
    for (path, reader) in &road.readers {
        let value = reader.evaluate(scope)?;
        if !value.is_missing() {
            put_in(&mut data, path, value);
        }
    }
    if !offer.data.is_empty() {
        let mut own: Pairs = Vec::with_capacity(offer.data.len());
        for (name, expression) in &offer.data {
            crate::turn::put_pair(&mut own, name, expression.evaluate(scope)?);
        }
        crate::turn::put_pair(&mut data, "data", Value::Map(own));
    }
    Ok(data)
}

fn put_in<'s>(data: &mut Pairs<'s>, path: &'s [String], value: Value<'s>) {
    let [name, deeper @ ..] = path else { return };
    if deeper.is_empty() {
        crate::turn::put_pair(data, name, value);
        return;
    }
    if !data.iter().any(|(known, _)| known == name) {
        data.push((Cow::Borrowed(name), Value::Map(Vec::new())));
    }
    let inner = data.iter_mut().find(|(known, _)| known == name).map(|(_, inner)| inner);
    // A shorter path may have put the whole value there already.
    if let Some(Value::Map(inner)) = inner {
        put_in(inner, deeper, value);
    }
}
