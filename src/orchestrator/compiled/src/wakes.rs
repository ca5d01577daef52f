//! Wakes: what timers do. A wait is over, the entry walks on from step to step until it waits again or ends.
//!
//! The same situations as in `engine.wakes`: one entry, alone in its state, that comes by steps which concern itself.

use std::borrow::Cow;

use crate::bail::{Bail, May};
use crate::expression::Scope;
use crate::ids;
use crate::offers::{self, Became, Quiet};
use crate::pack::{Reader, Writer};
use crate::packed::{is_empty, with_pair};
use crate::past::Past;
use crate::program::{Asked, Journey, Kept, Program, Step, Verb};
use crate::record::{kept_event, result_of, result_with, State};
use crate::telling::{until, Place, Told, NOTHING, TIMER};
use crate::turn::{add_seen, as_json, end, pick_packed, put_pair};
use crate::value::{write_text, Pairs, Value};

/// Where an entry goes after a step.
enum Going<'p> {
    To(Option<&'p str>),
    Stay,
}

/// Wakes the only entry of a state, if that is all that is due.
pub fn wake<'p, 'a: 'p>(
    program: &'p Program,
    state: &mut State<'a>,
    past: Option<&Past>,
    now_ms: i64,
    quiet: &mut Quiet,
) -> May<Told<'p>> {
    let [entry] = state.entries.as_mut_slice() else { return Err(Bail) };
    let journey = program.journey(&entry.journey, entry.version).ok_or(Bail)?;
    let step = journey.steps.get(&*entry.step).ok_or(Bail)?;
    let is_held = matches!(step.verb, Verb::Send { .. });
    if !journey.woken.contains(&step.id)
        || matches!(step.verb, Verb::Other)
        || entry.due_ms <= 0
        || entry.due_ms > now_ms
        || entry.parked.is_some()
        || entry.stopped_ms != 0
        || !is_empty(&entry.done)
        || (is_held && entry.held_ms == 0)
    {
        return Err(Bail);
    }
    let turn_id = ids::derive(&[&entry.id, &step.id, &entry.due_ms.to_string()]);
    let mut told = Told::new(turn_id, now_ms, state.profile_id, TIMER)?;
    entry.due_ms = 0;
    let mut going = if is_held {
        Some(&*step.id)
    } else {
        let (reason, following) = match &step.verb {
            Verb::WaitFor { on_timeout, .. } => ("timed_out", on_timeout),
            _ => ("time_passed", &step.next),
        };
        let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
        told.tell(journey, place, "resumed", reason, NOTHING, None);
        following.as_deref()
    };
    while let Some(id) = going {
        let step = journey.steps.get(id).ok_or(Bail)?;
        match take(journey, step, state, past, now_ms, &mut told, quiet)? {
            Going::To(following) => going = following,
            Going::Stay => return Ok(told),
        }
    }
    end(&mut told, state, journey, "completed", None, now_ms)?;
    Ok(told)
}

fn take<'p, 'a: 'p>(
    journey: &'p Journey,
    step: &'p Step,
    state: &mut State<'a>,
    past: Option<&Past>,
    now_ms: i64,
    told: &mut Told<'p>,
    quiet: &mut Quiet,
) -> May<Going<'p>> {
    let following = Going::To(step.next.as_deref());
    match &step.verb {
        Verb::Wait { after_ms, kept } => {
            keep_opening(step, kept, state)?;
            arm(journey, step, state, now_ms + after_ms, "time", told)
        }
        Verb::WaitFor { within_ms, .. } => {
            state.entries[0].drop_result(&step.id);
            arm(journey, step, state, now_ms + within_ms, "for_event", told)
        }
        Verb::Choose { branches } => {
            let first = choose(journey, step, branches, state, past, now_ms, told)?;
            Ok(first.map_or(following, Going::To))
        }
        Verb::Split { branches } => split(journey, step, branches, state, now_ms, told).map(Going::To),
        Verb::Exit { reason } => {
            end(told, state, journey, reason, Some(&step.id), now_ms)?;
            Ok(Going::Stay)
        }
        Verb::Send { offer } => match offers::make(journey, step, offer, state, past, now_ms, told, quiet)? {
            Became::Held => Ok(Going::Stay),
            Became::Sent | Became::Refused => Ok(following),
        },
        Verb::WaitUntil | Verb::Other => Err(Bail),
    }
}

/// Until an event starts a wait again, the event that it took is the opening one.
fn keep_opening(step: &Step, kept: &Kept, state: &mut State) -> May<()> {
    let entry = &mut state.entries[0];
    if kept.event || kept.events {
        let properties = pick_packed(&entry.properties, &kept.names)?;
        let event = kept_event("", "", entry.entered_ms, None, &properties);
        let result = result_with(&event, kept.events);
        entry.put_result(&Cow::Owned(step.id.clone()), Cow::Owned(result));
    }
    Ok(())
}

fn arm<'p>(
    journey: &'p Journey,
    step: &'p Step,
    state: &mut State,
    due_ms: i64,
    reason: &'static str,
    told: &mut Told<'p>,
) -> May<Going<'p>> {
    let entry = &mut state.entries[0];
    entry.step = Cow::Owned(step.id.clone());
    entry.due_ms = due_ms;
    let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
    told.tell(journey, place, "waited", reason, &until(due_ms)?, None);
    Ok(Going::Stay)
}

/// Takes the first branch whose condition holds. None where there is none: carry on.
fn choose<'p>(
    journey: &'p Journey,
    step: &'p Step,
    branches: &'p [(Option<Asked>, Option<String>)],
    state: &State,
    past: Option<&Past>,
    now_ms: i64,
    told: &mut Told<'p>,
) -> May<Option<Option<&'p str>>> {
    let profile = state.profile()?;
    let entry = &state.entries[0];
    let scope = Scope::of_entry(entry, &profile, past, now_ms)?;
    let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
    let mut saw: Pairs = Vec::new();
    for (condition, first) in branches {
        let Some(asked) = condition else {
            told.tell(journey, place, "branched", "otherwise", &as_json(&saw), None);
            return Ok(Some(first.as_deref()));
        };
        add_seen(asked, &scope, &mut saw)?;
        if asked.expression.holds(&scope)? {
            put_pair(&mut saw, "if", Value::text(&*asked.source));
            told.tell(journey, place, "branched", "condition_true", &as_json(&saw), None);
            return Ok(Some(first.as_deref()));
        }
    }
    told.tell(journey, place, "branched", "none_true", &as_json(&saw), None);
    Ok(None)
}

/// Takes the branch of the customer's sticky draw.
fn split<'p>(
    journey: &'p Journey,
    step: &'p Step,
    branches: &'p [(String, f64, Option<String>)],
    state: &mut State,
    now_ms: i64,
    told: &mut Told<'p>,
) -> May<Option<&'p str>> {
    let drawn = draw(journey, step, state, now_ms)?;
    // The last branch takes what rounding of the shares may leave over.
    let taken = branches.iter().find(|(_, below, _)| drawn < *below).or(branches.last());
    let (name, _, first) = taken.ok_or(Bail)?;
    let entry = &mut state.entries[0];
    entry.put_result(&Cow::Owned(step.id.clone()), Cow::Owned(result_of(None, None, None, Some(name))));
    let mut saw = b"{\"branch\":".to_vec();
    write_text(name, &mut saw);
    saw.push(b'}');
    let place = Place { entry_id: Some(&entry.id), step: Some(&step.id) };
    told.tell(journey, place, "branched", "share", &saw, None);
    Ok(first.as_deref())
}

/// Draws the sticky number of a split, or gives the one that this customer drew before.
fn draw(journey: &Journey, step: &Step, state: &mut State, now_ms: i64) -> May<f64> {
    let profile_id = state.profile_id;
    let history = state.history()?;
    let name = format!("{}/{}", journey.id, step.id);
    if let Some(drawn) = drawn_before(&history.draws, &name)? {
        return Ok(drawn);
    }
    let drawn = ids::share_of(&[&journey.id, &step.id, profile_id]);
    let mut made = Writer::with_room(24);
    made.array(2);
    made.float(drawn);
    made.integer(now_ms);
    let draws = with_pair(&history.draws, &name, &made.bytes)?;
    history.draws = Cow::Owned(draws);
    Ok(drawn)
}

/// Gives a number that was drawn before, for a split or a holdout; None where it was not.
pub fn drawn_before(draws: &[u8], name: &str) -> May<Option<f64>> {
    let mut reader = Reader::new(draws);
    for _ in 0..reader.map()? {
        let is_it = reader.text()? == name;
        reader.array_of(2)?;
        let drawn = reader.float()?;
        reader.integer()?;
        if is_it {
            return Ok(Some(drawn));
        }
    }
    Ok(None)
}
