//! Events: what opens entries, starts their waits again, ends them, or reaches a goal after the end.
//!
//! The same situations as in `engine.plans`, and goals that are reached late besides. Whatever else a state holds is left
//! to the engine in Python before anything is told.

use std::borrow::Cow;

use crate::bail::{Bail, May};
use crate::expression::{EventSeen, Properties, Scope};
use crate::ids;
use crate::packed::{is_empty, items, packed_items};
use crate::past::Past;
use crate::program::{AgainKind, Arrival, Departures, Goal, Journey, Program, Step, Verb};
use crate::record::{result_with, write_result, Entry, Found, Profile, State, Text};
use crate::telling::{until, Place, Told, NOTHING};
use crate::turn::{add_seen, as_json, cancel, end, keep, may_enter_again, open_still, pick, put_pair, Ended, Event};
use crate::value::{Pairs, Value};

const MOST_KEPT_EVENTS: usize = 100;

/// Writes a key as text, so that 7, 7.0 and "7" are one cart.
fn as_key<'s>(value: Value<'s>) -> May<Option<Text<'s>>> {
    Ok(match value {
        Value::Text(text) if text.is_empty() => None,
        Value::Text(text) => Some(text),
        Value::Truth(is_so) => Some(Cow::Borrowed(if is_so { "true" } else { "false" })),
        Value::Integer(number) => Some(Cow::Owned(number.to_string())),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Some(Cow::Owned((number as i64).to_string()))
        }
        Value::Float(number) if (1e-3..1e15).contains(&number.abs()) => {
            Some(Cow::Owned(ryu::Buffer::new().format_finite(number).to_owned()))
        }
        Value::Float(_) => return Err(Bail), // Python writes it in a way of its own
        _ => None,
    })
}

fn key_of<'s>(journey: &Journey, event: &'s Event) -> May<Option<Text<'s>>> {
    let Some(name) = &journey.key else { return Ok(None) };
    as_key(event.properties.get(name).cloned().unwrap_or(Value::Missing))
}

fn scope_of<'s>(event: &'s Event<'s>, profile: &'s Profile<'s>, past: Option<&'s Past<'s>>, now_ms: i64) -> Scope<'s> {
    let seen = EventSeen { id: event.id, kind: event.kind, time_ms: event.time_ms, channel: event.channel };
    Scope { now_ms, event: Some(seen), properties: Properties::Read(&event.properties), entry: None, profile, past }
}

/// Whether an entry is of this very version, and neither parked nor stopped.
fn is_usual(entry: &Entry, journey: &Journey) -> bool {
    entry.journey == journey.id && entry.version == journey.version && entry.parked.is_none() && entry.stopped_ms == 0
}

/// Lets an event start a wait again, and open an entry or not. Says whether the state has changed.
pub fn arrive<'p, 'a: 'p>(
    program: &'p Program,
    arrival: &'p Arrival,
    state: &mut State<'a>,
    event: &'a Event<'a>,
    past: Option<&Past>,
    now_ms: i64,
    told: &mut Told<'p>,
) -> May<bool> {
    let journey = &program.journeys[arrival.journey];
    if state.entries.len() > 1 {
        return Err(Bail);
    }
    let packed = state.packed_profile();
    let profile = Profile::read(&packed)?;
    let key = key_of(journey, event)?;
    let scope = scope_of(event, &profile, past, now_ms);
    let mut restart = None;
    if let Some(entry) = state.entries.first() {
        if !is_usual(entry, journey) {
            return Err(Bail);
        }
        let after_ms = *arrival.standing.get(&*entry.step).ok_or(Bail)?;
        let concerns = key.is_none() || key == entry.key;
        if concerns {
            let inside = Scope { entry: Some(entry), ..scope };
            for exit in &arrival.exits {
                if exit.as_ref().map_or(Ok(true), |condition| condition.holds(&inside))? {
                    return Err(Bail);
                }
            }
            restart = after_ms;
        }
    }
    let mut saw: Pairs = Vec::new();
    let mut holds = true;
    if let Some(asked) = &arrival.asked {
        add_seen(asked, &scope, &mut saw)?;
        holds = asked.expression.holds(&scope)?;
    }
    if let Some(after_ms) = restart {
        start_again(journey, state.entries.first_mut().ok_or(Bail)?, event, now_ms + after_ms, told)?;
    }
    let changed = restart.is_some();
    if let (Some(key), true) = (&key, journey.shows_key) {
        put_pair(&mut saw, "key", Value::Text(key.clone()));
    }
    let refusal = if holds { refusal(journey, state, key.as_deref(), now_ms)? } else { Some("condition_false") };
    let Some(refusal) = refusal else {
        open(journey, state, event, now_ms, key, &saw, told)?;
        return Ok(true);
    };
    if refusal == "key_missing" {
        put_pair(&mut saw, "lacks", Value::text(journey.key.as_deref().unwrap_or("")));
    }
    told.tell(journey, Place::default(), "not_entered", refusal, &as_json(&saw), None);
    Ok(changed)
}

fn refusal(journey: &Journey, state: &mut State, key: Option<&str>, now_ms: i64) -> May<Option<&'static str>> {
    if journey.key.is_some() && key.is_none() {
        return Ok(Some("key_missing"));
    }
    let is_inside = state.entries.first().is_some_and(|entry| entry.key.as_deref() == key);
    if is_inside && journey.again != AgainKind::Always {
        return Ok(Some("already_inside"));
    }
    let asks = matches!(journey.again, AgainKind::Once | AgainKind::After);
    if asks && !may_enter_again(state, journey, key, now_ms)? {
        return Ok(Some("not_again"));
    }
    Ok(None)
}

/// Starts the wait of an entry again, and keeps of the event what the journey reads of it.
fn start_again<'p, 'a>(
    journey: &'p Journey,
    entry: &mut Entry<'a>,
    event: &Event<'a>,
    due_ms: i64,
    told: &mut Told<'p>,
) -> May<()> {
    let step = journey.steps.get(&*entry.step).ok_or(Bail)?;
    let Verb::Wait { kept, .. } = &step.verb else { return Err(Bail) };
    if journey.keeps_event {
        entry.event = Cow::Owned(keep(event, &journey.event_reads)?);
    }
    if let Some(channel) = event.channel {
        entry.channel = Some(Cow::Borrowed(channel));
    }
    if kept.event || kept.events {
        let event = keep(event, &kept.names)?;
        let result = match entry.result(&step.id) {
            None => result_with(&event, kept.events),
            Some(before) => with_event(before, &event, kept.events)?,
        };
        entry.put_result(&Cow::Owned(step.id.clone()), Cow::Owned(result));
    }
    entry.due_ms = due_ms;
    let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
    told.tell(journey, place, "waited", "restarted", &until(due_ms)?, None);
    Ok(())
}

/// Puts an event into the result of a wait, and behind those before it where all are listed.
fn with_event(before: &[u8], event: &[u8], is_listed: bool) -> May<Vec<u8>> {
    let found = Found::read(before)?;
    let texts = [found.status, found.channel, found.action_id, found.name];
    if !is_listed {
        return Ok(write_result(texts, event, found.events, found.values));
    }
    let mut events = items(found.events)?;
    events.push(event);
    let spare = events.len().saturating_sub(MOST_KEPT_EVENTS);
    Ok(write_result(texts, event, &packed_items(&events[spare..]), found.values))
}

fn open<'p, 'a: 'p>(
    journey: &'p Journey,
    state: &mut State<'a>,
    event: &Event<'a>,
    now_ms: i64,
    key: Option<Text<'a>>,
    saw: &Pairs,
    told: &mut Told<'p>,
) -> May<()> {
    let first: &Step = journey.first.as_ref().and_then(|id| journey.steps.get(id)).ok_or(Bail)?;
    let Verb::Wait { after_ms, kept } = &first.verb else { return Err(Bail) };
    let due_ms = now_ms + after_ms;
    let entry_id = ids::derive(&[&journey.id, state.profile_id, event.id]);
    let mut entry = Entry::new(entry_id, Cow::Owned(journey.id.clone()), journey.version, key, now_ms);
    entry.step = Cow::Owned(first.id.clone());
    entry.due_ms = due_ms;
    entry.properties = Cow::Owned(pick(&event.properties, &journey.entry_reads)?);
    if journey.keeps_event {
        entry.event = Cow::Owned(keep(event, &journey.event_reads)?);
    }
    entry.channel = event.channel.map(Cow::Borrowed);
    if kept.event || kept.events {
        let result = result_with(&keep(event, &kept.names)?, kept.events);
        entry.put_result(&Cow::Owned(first.id.clone()), Cow::Owned(result));
    }
    let inside = Place { entry_id: Some(&entry.id), step: None };
    told.tell(journey, inside, "entered", "event", &as_json(saw), None);
    let waiting = Place { step: Some(&first.id), ..inside };
    told.tell(journey, waiting, "waited", "time", &until(due_ms)?, None);
    state.entries.push(entry);
    Ok(())
}

/// Lets an event reach goals of entries that have ended, and end the one that stands. Says whether the state changed.
pub fn depart<'p, 'a: 'p>(
    program: &'p Program,
    departures: &'p Departures,
    state: &mut State<'a>,
    event: &'a Event<'a>,
    past: Option<&Past>,
    now_ms: i64,
    told: &mut Told<'p>,
) -> May<bool> {
    let packed = state.packed_profile();
    let profile = Profile::read(&packed)?;
    let scope = scope_of(event, &profile, past, now_ms);
    let mut changed = false;
    if departures.converts && !is_empty(&state.history()?.ended) {
        changed = convert_ended(program, state, event, &scope, told)?;
    }
    if state.entries.len() > 1 {
        return Err(Bail);
    }
    let Some(entry) = state.entries.first_mut() else { return Ok(changed) };
    let departure = departures.by_journey.get(&*entry.journey).ok_or(Bail)?;
    let journey = &program.journeys[departure.journey];
    if !is_usual(entry, journey) || !departure.standing.contains(&*entry.step) {
        return Err(Bail);
    }
    let key = key_of(journey, event)?;
    if key.is_some() && key != entry.key {
        return Ok(changed);
    }
    let from_ms = if entry.sent_ms != 0 { entry.sent_ms } else { entry.entered_ms };
    let goal = departure.goal.as_ref().filter(|goal| goal.within_ms.is_none_or(|within| now_ms <= from_ms + within));
    if goal.is_none() && departure.exit.is_none() {
        return Ok(changed);
    }
    if let (Some(goal), false) = (goal, entry.converted) {
        let saw = worth(goal, &Scope { entry: Some(entry), ..scope })?;
        let place = Place { entry_id: Some(&entry.id), step: Some(&entry.step) };
        told.tell(journey, place, "converted", "goal", &saw, None);
        entry.converted = true;
    }
    let (entry_id, step, has_sent) = (entry.id.clone(), entry.step.clone(), entry.sent_ms != 0);
    end(told, state, journey, departure.exit.as_deref().unwrap_or("goal"), Some(&step), now_ms)?;
    if has_sent {
        cancel(told, state, &entry_id, now_ms)?;
    }
    Ok(true)
}

fn worth(goal: &Goal, scope: &Scope) -> May<Vec<u8>> {
    match &goal.value {
        None => Ok(NOTHING.to_vec()),
        Some(value) => Ok(as_json(&vec![(Cow::Borrowed("value"), value.evaluate(scope)?)])),
    }
}

/// Counts goals that are reached after the end, and forgets those ended entries whose time is over.
fn convert_ended<'p, 'a: 'p>(
    program: &'p Program,
    state: &mut State<'a>,
    event: &'a Event<'a>,
    scope: &Scope,
    told: &mut Told<'p>,
) -> May<bool> {
    let history = state.history()?;
    let open = open_still(&history.ended, scope.now_ms)?;
    let mut kept = Vec::with_capacity(open.len());
    for raw in &open {
        let ended = Ended::read(raw)?;
        let converted = match program.journey(ended.journey, ended.version) {
            None => false,
            Some(journey) => convert_one(journey, &ended, event, scope, told)?,
        };
        if !converted {
            kept.push(*raw);
        }
    }
    let changed = kept.len() < open.len();
    let packed = packed_items(&kept);
    history.ended = Cow::Owned(packed);
    Ok(changed)
}

fn convert_one<'p, 'a: 'p>(
    journey: &'p Journey,
    ended: &Ended,
    event: &'a Event<'a>,
    scope: &Scope,
    told: &mut Told<'p>,
) -> May<bool> {
    let Some(goals) = journey.goals.get(event.kind) else { return Ok(false) };
    let key = key_of(journey, event)?;
    if key.is_some() && key.as_deref() != ended.key {
        return Ok(false);
    }
    for goal in goals {
        let Some(within_ms) = goal.within_ms else { continue };
        if scope.now_ms > ended.from_ms + within_ms {
            continue;
        }
        if !goal.is_plain {
            return Err(Bail);
        }
        let key = ended.key.map(Cow::Borrowed);
        let mut entry =
            Entry::new(ended.id.to_owned(), Cow::Borrowed(ended.journey), ended.version, key, ended.from_ms);
        entry.properties = Cow::Borrowed(ended.properties);
        entry.results = ended.results.clone();
        let saw = worth(goal, &Scope { entry: Some(&entry), ..*scope })?;
        let place = Place { entry_id: Some(ended.id), step: None };
        told.tell(journey, place, "converted", "goal", &saw, None);
        return Ok(true);
    }
    Ok(false)
}
