//! The program: what a catalog's journeys say, as `compiled.program` in Python writes it down for here.
//!
//! Owns the shapes that turns go by, and reading them. It is written by this very release, so that anything odd about it
//! is a mistake of ours and refused as a whole.

use std::collections::{HashMap, HashSet};

use crate::bail::{Bail, May};
use crate::expression::Expression;
use crate::json::read_json;
use crate::value::Value;
use crate::written::{
    asked, expression, field, float, integer, items, list, maybe, named, named_expression, set, text, texts, truth,
};

/// A condition or value, with what a decision shows of it.
pub struct Asked {
    pub source: String,
    pub expression: Expression,
    pub saw: Vec<(String, Expression)>,
}

#[derive(PartialEq, Clone, Copy)]
pub enum AgainKind {
    Once,
    AfterExit,
    Always,
    After,
}

pub struct Goal {
    pub within_ms: Option<i64>,
    pub value: Option<Expression>,
    /// Whether it asks nothing but the event's type.
    pub is_plain: bool,
}

pub struct Journey {
    pub id: String,
    pub version: i64,
    /// `"journey":"...","version":1`, as lines have it.
    pub json: Vec<u8>,
    pub key: Option<String>,
    pub shows_key: bool,
    pub again: AgainKind,
    pub again_after_ms: i64,
    pub first: Option<String>,
    pub entry_reads: Option<HashSet<String>>,
    pub keeps_event: bool,
    pub event_reads: Option<HashSet<String>>,
    pub steps: HashMap<String, Step>,
    /// The longest time after which a goal still counts, of those that have one.
    pub longest_goal_ms: Option<i64>,
    pub read_by_goals: Vec<String>,
    pub goals: HashMap<String, Vec<Goal>>,
    /// Steps whose timers are worked out here.
    pub woken: HashSet<String>,
}

pub struct Kept {
    pub event: bool,
    pub events: bool,
    pub names: Option<HashSet<String>>,
}

pub enum Verb {
    Wait {
        after_ms: i64,
        kept: Kept,
    },
    WaitFor {
        within_ms: i64,
        on_timeout: Option<String>,
    },
    Choose {
        branches: Vec<(Option<Asked>, Option<String>)>,
    },
    Split {
        branches: Vec<(String, f64, Option<String>)>,
    },
    Exit {
        reason: String,
    },
    /// Its end is taken here; when it begins is a matter of calendars, and so of Python.
    WaitUntil,
    Send {
        offer: Box<Offer>,
    },
    /// What is the engine's in Python to take.
    Other,
}

pub struct Step {
    pub id: String,
    pub next: Option<String>,
    pub verb: Verb,
}

pub struct Cap {
    pub at_most: usize,
    pub per_ms: i64,
    pub channel: Option<String>,
    pub counted: HashSet<String>,
    pub text: String,
}

#[derive(PartialEq, Clone, Copy)]
pub enum Consent {
    None,
    OptIn,
    DoubleOptIn,
    OptOut,
}

/// One channel of an offer: its guards, and how its templates are filled.
pub struct Road {
    pub channel: String,
    pub purpose: String,
    pub address: Expression,
    pub consent: Consent,
    pub only_if: Option<Expression>,
    pub holdouts: Vec<(String, f64)>,
    pub caps: Vec<Cap>,
    /// Which quiet hours hold here, as the caller calls them; None where there are none.
    pub quiet: Option<usize>,
    pub asks_own_hours: bool,
    pub readers: Vec<(Vec<String>, Expression)>,
    /// Where it is worked out per channel, as JSON.
    pub track: Vec<u8>,
}

pub struct Offer {
    pub message: String,
    pub purpose: String,
    pub expires_ms: Option<i64>,
    /// In order; `same` and `preferred` among them.
    pub channels: Vec<String>,
    pub preferred: Vec<String>,
    /// None for a channel that asks for more than is worked out here.
    pub roads: HashMap<String, Option<Road>>,
    pub data: Vec<(String, Expression)>,
    /// The languages it is written in, by their names in small letters; the first is for everybody else.
    pub languages: Vec<(String, String)>,
}

/// What opens entries of one journey, and starts its waits again.
pub struct Arrival {
    pub journey: usize,
    pub asked: Option<Asked>,
    /// What the event does to who stands at a step: starts a wait of so many ms again, or nothing.
    pub standing: HashMap<String, Option<i64>>,
    /// Conditions under which the same event ends an entry.
    pub exits: Vec<Option<Expression>>,
}

/// What ends entries of one journey.
pub struct Departure {
    pub journey: usize,
    pub goal: Option<Goal>,
    pub exit: Option<String>,
    pub standing: HashSet<String>,
}

pub struct Departures {
    pub converts: bool,
    pub by_journey: HashMap<String, Departure>,
}

pub struct Segment {
    pub key: String,
    pub condition: Expression,
    /// How many comparisons with time it makes.
    pub moments: usize,
    pub is_own: bool,
}

pub struct Silence {
    pub key: String,
    pub for_ms: i64,
}

/// Who asks for a customer's past.
pub struct Audiences {
    pub key: String,
    pub segments: Vec<Segment>,
    pub silences: HashMap<String, Vec<Silence>>,
    /// The watch of profiles without a sign of life, "" where none are erased for that.
    pub retention: String,
    pub retention_ms: i64,
    /// Whether it is asked by which channel somebody was last seen.
    pub last_seen: bool,
    /// What is heard of by name; None where events that are not may come to something too.
    pub named: Option<HashSet<String>>,
}

pub struct Program {
    pub audiences: Option<Audiences>,
    pub journeys: Vec<Journey>,
    by_version: HashMap<(String, i64), usize>,
    pub arrivals: HashMap<String, Arrival>,
    pub departures: HashMap<String, Departures>,
    /// What says something of a profile, and of which nobody else asks anything.
    pub telling: HashSet<String>,
    pub beginning: HashSet<String>,
    /// What somebody asks for: all else costs its reading. None for everything.
    pub wanted: Option<HashSet<String>>,
    /// What is counted by its name.
    pub labels: HashSet<String>,
}

impl Program {
    pub fn read(text: &str) -> May<Self> {
        let written = read_json(text.as_bytes())?;
        let journeys: Vec<Journey> = list(&written, "journeys")?.iter().map(journey).collect::<May<_>>()?;
        let by_version =
            journeys.iter().enumerate().map(|(at, journey)| ((journey.id.clone(), journey.version), at)).collect();
        Ok(Program {
            by_version,
            journeys,
            arrivals: named(&written, "arrivals", arrival)?,
            departures: named(&written, "departures", departures)?,
            telling: set(field(&written, "telling")?)?,
            beginning: set(field(&written, "beginning")?)?,
            wanted: maybe(field(&written, "wanted")?, set)?,
            labels: set(field(&written, "labels")?)?,
            audiences: maybe(field(&written, "audiences")?, audiences)?,
        })
    }

    /// Whether events of a type are taken here.
    pub fn takes(&self, kind: &str) -> bool {
        self.arrivals.contains_key(kind) || self.departures.contains_key(kind) || self.telling.contains(kind)
    }

    pub fn journey(&self, id: &str, version: i64) -> Option<&Journey> {
        // Few journeys, and short names: to look along them costs less than to make a key.
        if self.journeys.len() <= 8 {
            return self.journeys.iter().find(|journey| journey.version == version && journey.id == id);
        }
        self.by_version.get(&(id.to_owned(), version)).map(|at| &self.journeys[*at])
    }
}

fn journey(written: &Value) -> May<Journey> {
    let (id, version) = (text(field(written, "id")?)?, integer(field(written, "version")?)?);
    let mut json = b"\"journey\":".to_vec();
    crate::value::write_text(&id, &mut json);
    json.extend_from_slice(format!(",\"version\":{version}").as_bytes());
    let steps = list(written, "steps")?.iter().map(step).collect::<May<Vec<_>>>()?;
    Ok(Journey {
        id,
        version,
        json,
        key: maybe(field(written, "key")?, text)?,
        shows_key: truth(field(written, "shows_key")?)?,
        again: match text(field(written, "again")?)?.as_str() {
            "once" => AgainKind::Once,
            "after_exit" => AgainKind::AfterExit,
            "always" => AgainKind::Always,
            "after" => AgainKind::After,
            _ => return Err(Bail),
        },
        again_after_ms: integer(field(written, "again_after_ms")?)?,
        first: maybe(field(written, "first")?, text)?,
        entry_reads: maybe(field(written, "entry_reads")?, set)?,
        keeps_event: truth(field(written, "keeps_event")?)?,
        event_reads: maybe(field(written, "event_reads")?, set)?,
        steps: steps.into_iter().map(|step| (step.id.clone(), step)).collect(),
        longest_goal_ms: maybe(field(written, "longest_goal_ms")?, integer)?,
        read_by_goals: texts(field(written, "read_by_goals")?)?,
        goals: named(written, "goals", |goals| items(goals)?.iter().map(goal).collect())?,
        woken: set(field(written, "woken")?)?,
    })
}

fn step(written: &Value) -> May<Step> {
    let verb = match text(field(written, "verb")?)?.as_str() {
        "wait" => Verb::Wait { after_ms: integer(field(written, "after_ms")?)?, kept: kept(field(written, "kept")?)? },
        "wait_for" => Verb::WaitFor {
            within_ms: integer(field(written, "within_ms")?)?,
            on_timeout: maybe(field(written, "on_timeout")?, text)?,
        },
        "choose" => {
            let branch = |branch| match items(branch)? {
                [asked_if, first] => Ok((maybe(asked_if, asked)?, maybe(first, text)?)),
                _ => Err(Bail),
            };
            Verb::Choose { branches: list(written, "branches")?.iter().map(branch).collect::<May<_>>()? }
        }
        "split" => {
            let branch = |branch| match items(branch)? {
                [name, below, first] => Ok((text(name)?, float(below)?, maybe(first, text)?)),
                _ => Err(Bail),
            };
            Verb::Split { branches: list(written, "branches")?.iter().map(branch).collect::<May<_>>()? }
        }
        "wait_until" => Verb::WaitUntil,
        "exit" => Verb::Exit { reason: text(field(written, "reason")?)? },
        "send" => Verb::Send { offer: Box::new(offer(field(written, "offer")?)?) },
        _ => Verb::Other,
    };
    Ok(Step { id: text(field(written, "id")?)?, next: maybe(field(written, "next")?, text)?, verb })
}

fn kept(written: &Value) -> May<Kept> {
    Ok(Kept {
        event: truth(field(written, "event")?)?,
        events: truth(field(written, "events")?)?,
        names: maybe(field(written, "names")?, set)?,
    })
}

fn offer(written: &Value) -> May<Offer> {
    let languages = list(written, "languages")?.iter().map(pair_of_texts).collect::<May<_>>()?;
    Ok(Offer {
        message: text(field(written, "message")?)?,
        purpose: text(field(written, "purpose")?)?,
        expires_ms: maybe(field(written, "expires_ms")?, integer)?,
        channels: texts(field(written, "channels")?)?,
        preferred: texts(field(written, "preferred")?)?,
        roads: named(written, "roads", |written| maybe(written, road))?,
        data: list(written, "data")?.iter().map(named_expression).collect::<May<_>>()?,
        languages,
    })
}

fn pair_of_texts(pair: &Value) -> May<(String, String)> {
    match items(pair)? {
        [one, other] => Ok((text(one)?, text(other)?)),
        _ => Err(Bail),
    }
}

fn road(written: &Value) -> May<Road> {
    let holdout = |pair| match items(pair)? {
        [name, percent] => Ok((text(name)?, float(percent)?)),
        _ => Err(Bail),
    };
    let reader = |pair| match items(pair)? {
        [path, read] => Ok((texts(path)?, expression(read)?)),
        _ => Err(Bail),
    };
    let mut track = Vec::new();
    field(written, "track")?.write_json(&mut track);
    Ok(Road {
        channel: text(field(written, "channel")?)?,
        purpose: text(field(written, "purpose")?)?,
        address: expression(field(written, "address")?)?,
        consent: match text(field(written, "consent")?)?.as_str() {
            "none" => Consent::None,
            "opt_in" => Consent::OptIn,
            "double_opt_in" => Consent::DoubleOptIn,
            "opt_out" => Consent::OptOut,
            _ => return Err(Bail),
        },
        only_if: maybe(field(written, "only_if")?, expression)?,
        holdouts: list(written, "holdouts")?.iter().map(holdout).collect::<May<_>>()?,
        caps: list(written, "caps")?.iter().map(cap).collect::<May<_>>()?,
        quiet: maybe(field(written, "quiet")?, integer)?.map(|number| number as usize),
        asks_own_hours: truth(field(written, "asks_own_hours")?)?,
        readers: list(written, "readers")?.iter().map(reader).collect::<May<_>>()?,
        track,
    })
}

fn cap(written: &Value) -> May<Cap> {
    Ok(Cap {
        at_most: integer(field(written, "at_most")?)? as usize,
        per_ms: integer(field(written, "per_ms")?)?,
        channel: maybe(field(written, "channel")?, text)?,
        counted: set(field(written, "counted")?)?,
        text: text(field(written, "text")?)?,
    })
}

fn audiences(written: &Value) -> May<Audiences> {
    let segment = |each: &Value| {
        Ok(Segment {
            key: text(field(each, "key")?)?,
            condition: expression(field(each, "code")?)?,
            moments: integer(field(each, "moments")?)? as usize,
            is_own: truth(field(each, "is_own")?)?,
        })
    };
    Ok(Audiences {
        key: text(field(written, "key")?)?,
        segments: list(written, "segments")?.iter().map(segment).collect::<May<_>>()?,
        silences: named(written, "silences", |each| items(each)?.iter().map(silence).collect())?,
        retention: text(field(written, "retention")?)?,
        retention_ms: integer(field(written, "retention_ms")?)?,
        last_seen: truth(field(written, "last_seen")?)?,
        named: maybe(field(written, "named")?, set)?,
    })
}

fn silence(written: &Value) -> May<Silence> {
    match items(written)? {
        [key, for_ms] => Ok(Silence { key: text(key)?, for_ms: integer(for_ms)? }),
        _ => Err(Bail),
    }
}

fn arrival(written: &Value) -> May<Arrival> {
    let Value::Map(standing) = field(written, "standing")? else { return Err(Bail) };
    Ok(Arrival {
        journey: integer(field(written, "journey")?)? as usize,
        asked: maybe(field(written, "where")?, asked)?,
        standing: standing
            .iter()
            .map(|(step, after_ms)| Ok((step.to_string(), maybe(after_ms, integer)?)))
            .collect::<May<_>>()?,
        exits: list(written, "exits")?.iter().map(|each| maybe(each, expression)).collect::<May<_>>()?,
    })
}

fn departures(written: &Value) -> May<Departures> {
    Ok(Departures { converts: truth(field(written, "converts")?)?, by_journey: named(written, "journeys", departure)? })
}

fn departure(written: &Value) -> May<Departure> {
    Ok(Departure {
        journey: integer(field(written, "journey")?)? as usize,
        goal: maybe(field(written, "goal")?, goal)?,
        exit: maybe(field(written, "exit")?, text)?,
        standing: set(field(written, "standing")?)?,
    })
}

fn goal(written: &Value) -> May<Goal> {
    Ok(Goal {
        within_ms: maybe(field(written, "within_ms")?, integer)?,
        value: maybe(field(written, "value")?, expression)?,
        is_plain: truth(field(written, "is_plain")?)?,
    })
}
