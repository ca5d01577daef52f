//! Conditions and values of authors, and what of a customer they can see.
//!
//! Owns the meaning of every operator, the same as in `language.expressions.operators`: what is missing or of another
//! kind makes a comparison false and a sum missing. What is not listed here does not get this far: `program` refuses it.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::bail::{Bail, May};
use crate::instants;
use crate::pack::Reader;
use crate::packed::lookup;
use crate::past::Past;
use crate::record::{Entry, Found, Kept, Profile};
use crate::value::{Pairs, Value};

/// Below it every integer is a float without loss.
const EXACT: i64 = 1 << 53;
const DAY_MS: f64 = 86_400_000.0;
/// Lists and maps inside one another are compared so deep; beyond it they count as different.
const DEEPEST: usize = 50;

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy)]
pub enum Sum {
    Add,
    Sub,
    Mul,
    Div,
}

/// One node of an expression.
#[derive(Debug)]
pub enum Expression {
    Constant(Value<'static>),
    Properties,
    Property(String),
    OfEvent(String),
    OfEntry(String),
    OfProfile(String),
    LastSeen(String),
    OfStep(String, String),
    StepEvent(String),
    StepEvents(String),
    Now,
    /// Events of a type within so many ms.
    Count(String, i64),
    /// The key of a segment; None for one that is not there any more.
    InSegment(Option<String>),
    Bought(String),
    InstantText(Box<Expression>),
    Inside(Box<Expression>, Vec<String>),
    List(Vec<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Exists(Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// The same text or truth value, and nothing else.
    Same(Box<Expression>, Value<'static>),
    OneOf(Box<Expression>, Vec<String>),
    Among(Box<Expression>, Box<Expression>, bool),
    Length(Box<Expression>),
    StartsWith(Box<Expression>, Box<Expression>),
    Reckon(Sum, Box<Expression>, Box<Expression>),
}

/// The event at hand, or the last one that an entry keeps.
#[derive(Clone, Copy)]
pub struct EventSeen<'s> {
    pub id: &'s str,
    pub kind: &'s str,
    pub time_ms: i64,
    pub channel: Option<&'s str>,
}

#[derive(Clone, Copy)]
pub enum Properties<'s> {
    None,
    Read(&'s Value<'s>),
    Packed(&'s [u8]),
}

/// What an expression can see.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    pub now_ms: i64,
    pub event: Option<EventSeen<'s>>,
    pub properties: Properties<'s>,
    pub entry: Option<&'s Entry<'s>>,
    pub profile: &'s Profile<'s>,
    pub past: Option<&'s Past<'s>>,
}

impl<'s> Scope<'s> {
    /// What the steps of an entry see: its last event, where it keeps one.
    pub fn of_entry(
        entry: &'s Entry<'s>,
        profile: &'s Profile<'s>,
        past: Option<&'s Past<'s>>,
        now_ms: i64,
    ) -> May<Self> {
        let kept = Kept::read(&mut Reader::new(&entry.event))?;
        let seen =
            |kept: Kept<'s>| EventSeen { id: kept.id, kind: kept.kind, time_ms: kept.time_ms, channel: kept.channel };
        Ok(Scope {
            now_ms,
            event: kept.map(seen),
            properties: kept.map_or(Properties::None, |kept| Properties::Packed(kept.properties)),
            entry: Some(entry),
            profile,
            past,
        })
    }

    pub fn property(&self, name: &str) -> May<Value<'s>> {
        match self.properties {
            Properties::None => Ok(Value::Missing),
            Properties::Read(value) => Ok(value.get(name).cloned().unwrap_or(Value::Missing)),
            Properties::Packed(packed) => Ok(lookup(packed, name)?.unwrap_or(Value::Missing)),
        }
    }

    fn all_properties(&self) -> May<Value<'s>> {
        match self.properties {
            Properties::None => Ok(Value::Map(Vec::new())),
            Properties::Read(value) => Ok(value.clone()),
            Properties::Packed(packed) => Value::unpack(&mut Reader::new(packed)),
        }
    }

    pub fn event_value(&self, name: &str) -> Value<'s> {
        let Some(event) = self.event else { return Value::Missing };
        match name {
            "time" => Value::Integer(event.time_ms),
            "type" => Value::text(event.kind),
            "id" => Value::text(event.id),
            "channel" => event.channel.map_or(Value::Missing, Value::text),
            _ => Value::Missing,
        }
    }

    pub fn entry_value(&self, name: &str) -> May<Value<'s>> {
        let Some(entry) = self.entry else { return Ok(Value::Missing) };
        Ok(lookup(&entry.properties, name)?.unwrap_or(Value::Missing))
    }

    /// A trait, else the newest identifier of that kind.
    pub fn profile_value(&self, name: &str) -> May<Value<'s>> {
        let profile = self.profile;
        match lookup(profile.traits, name)? {
            None | Some(Value::Missing) => {}
            Some(value) => return Ok(value),
        }
        match name {
            "customer_id" => Ok(profile.customer_id.map_or(Value::Missing, Value::text)),
            "id" => Err(Bail),
            _ => match lookup(profile.identifiers, name)? {
                Some(Value::List(mut known)) => Ok(known.pop().unwrap_or(Value::Missing)),
                _ => Ok(Value::Missing),
            },
        }
    }

    pub fn last_seen(&self, channel: &str) -> May<Value<'s>> {
        match lookup(self.profile.last_seen_ms, channel)? {
            Some(Value::Integer(at_ms)) => instants::to_text(at_ms).map(Value::text),
            _ => Ok(Value::Missing),
        }
    }

    /// `profile.recency` (days), `.frequency` or `.monetary`.
    fn bought(&self, name: &str) -> May<Value<'s>> {
        let bought = self.past.ok_or(Bail)?.purchases()?;
        Ok(match (name, bought) {
            ("frequency", bought) => Value::Integer(bought.map_or(0, |bought| bought.count)),
            ("monetary", None) => Value::Integer(0),
            ("monetary", Some(bought)) => match lookup(bought.spent, bought.currency)? {
                None => Value::Integer(0),
                Some(Value::Integer(spent)) => Value::Float(spent as f64),
                Some(spent) => spent,
            },
            (_, None) => Value::Missing,
            (_, Some(bought)) => Value::Float((self.now_ms - bought.last_ms) as f64 / DAY_MS),
        })
    }

    fn found(&self, step: &str) -> May<Option<Found<'s>>> {
        match self.entry.and_then(|entry| entry.result(step)) {
            None => Ok(None),
            Some(raw) => Found::read(raw).map(Some),
        }
    }

    pub fn step_value(&self, step: &str, name: &str) -> May<Value<'s>> {
        self.found(step)?.map_or(Ok(Value::Missing), |found| found.value(name))
    }

    pub fn step_event(&self, step: &str) -> May<Option<Kept<'s>>> {
        Ok(self.found(step)?.and_then(|found| found.event))
    }

    pub fn step_events(&self, step: &str) -> May<Value<'s>> {
        let Some(found) = self.found(step)? else { return Ok(Value::List(Vec::new())) };
        let mut reader = Reader::new(found.events);
        let count = reader.array()?;
        let one = |_| kept_as_data(Kept::read(&mut reader)?.ok_or(Bail)?);
        Ok(Value::List((0..count).map(one).collect::<May<_>>()?))
    }
}

fn event_as_data<'s>(event: EventSeen<'s>, properties: Value<'s>) -> Value<'s> {
    let mut pairs: Pairs<'s> = Vec::with_capacity(5);
    let mut put = |name: &'static str, value| pairs.push((Cow::Borrowed(name), value));
    put("id", Value::text(event.id));
    put("type", Value::text(event.kind));
    put("time", instants::to_text(event.time_ms).map_or(Value::Missing, Value::text));
    put("channel", event.channel.map_or(Value::Missing, Value::text));
    put("properties", properties);
    Value::Map(pairs)
}

/// An event that a step kept as templates see it.
pub fn kept_as_data(kept: Kept) -> May<Value> {
    let event = EventSeen { id: kept.id, kind: kept.kind, time_ms: kept.time_ms, channel: kept.channel };
    Ok(event_as_data(event, Value::unpack(&mut Reader::new(kept.properties))?))
}

/// Reaches into a map.
pub fn inside<'s>(mut value: Value<'s>, names: &[String]) -> Value<'s> {
    for name in names {
        value = match value {
            Value::Map(pairs) => {
                pairs.into_iter().find(|(key, _)| key == name).map_or(Value::Missing, |(_, value)| value)
            }
            _ => return Value::Missing,
        };
    }
    value
}

impl Expression {
    pub fn evaluate<'s>(&'s self, scope: &Scope<'s>) -> May<Value<'s>> {
        Ok(match self {
            Expression::Constant(value) => value.clone(),
            Expression::Properties => scope.all_properties()?,
            Expression::Property(name) => scope.property(name)?,
            Expression::OfEvent(name) => scope.event_value(name),
            Expression::OfEntry(name) => scope.entry_value(name)?,
            Expression::OfProfile(name) => scope.profile_value(name)?,
            Expression::LastSeen(channel) => scope.last_seen(channel)?,
            Expression::OfStep(step, name) => scope.step_value(step, name)?,
            Expression::StepEvent(step) => scope.step_event(step)?.map_or(Ok(Value::Missing), kept_as_data)?,
            Expression::StepEvents(step) => match scope.step_events(step)? {
                Value::List(items) if items.is_empty() => Value::Missing,
                all => all,
            },
            Expression::Count(event, within_ms) => {
                Value::Integer(scope.past.ok_or(Bail)?.count(event, scope.now_ms, *within_ms))
            }
            Expression::InSegment(None) => Value::Truth(false),
            Expression::InSegment(Some(segment)) => {
                Value::Truth(scope.past.ok_or(Bail)?.is_member(segment).unwrap_or(false))
            }
            Expression::Bought(name) => scope.bought(name)?,
            Expression::Now => Value::Integer(scope.now_ms),
            Expression::InstantText(inner) => match inner.evaluate(scope)? {
                Value::Integer(at_ms) => Value::text(instants::to_text(at_ms)?),
                _ => Value::Missing,
            },
            Expression::Inside(inner, names) => return inside_of(inner, names, scope),
            Expression::List(items) => Value::List(items.iter().map(|item| item.evaluate(scope)).collect::<May<_>>()?),
            Expression::And(parts) => return first_that(parts, scope, false),
            Expression::Or(parts) => return first_that(parts, scope, true),
            Expression::Not(inner) => Value::Truth(!inner.evaluate(scope)?.holds()),
            Expression::Exists(inner) => Value::Truth(!inner.evaluate(scope)?.is_missing()),
            Expression::Compare(how, left, right) => {
                Value::Truth(compare(*how, &left.evaluate(scope)?, &right.evaluate(scope)?)?)
            }
            Expression::Same(inner, told) => Value::Truth(inner.evaluate(scope)? == *told),
            Expression::OneOf(inner, texts) => match inner.evaluate(scope)? {
                Value::Text(text) => Value::Truth(texts.iter().any(|each| *each == text)),
                _ => Value::Truth(false),
            },
            Expression::Among(item, container, is_in) => {
                Value::Truth(among(&item.evaluate(scope)?, &container.evaluate(scope)?, *is_in)?)
            }
            Expression::Length(inner) => match inner.evaluate(scope)? {
                Value::Text(text) => Value::Integer(text.chars().count() as i64),
                Value::List(items) => Value::Integer(items.len() as i64),
                Value::Map(pairs) => Value::Integer(pairs.len() as i64),
                _ => Value::Missing,
            },
            Expression::StartsWith(text, beginning) => match (text.evaluate(scope)?, beginning.evaluate(scope)?) {
                (Value::Text(text), Value::Text(beginning)) => Value::Truth(text.starts_with(&*beginning)),
                _ => Value::Truth(false),
            },
            Expression::Reckon(how, left, right) => reckon(*how, left.evaluate(scope)?, right.evaluate(scope)?)?,
        })
    }

    pub fn holds(&self, scope: &Scope) -> May<bool> {
        Ok(self.evaluate(scope)?.holds())
    }
}

/// `steps.<id>.event.properties.<name>` is asked for most, and needs no more of the event than that.
fn inside_of<'s>(inner: &'s Expression, names: &'s [String], scope: &Scope<'s>) -> May<Value<'s>> {
    if let (Expression::StepEvent(step), [first, name, deeper @ ..]) = (inner, names) {
        if first == "properties" {
            let Some(kept) = scope.step_event(step)? else { return Ok(Value::Missing) };
            let found = lookup(kept.properties, name)?.unwrap_or(Value::Missing);
            return Ok(inside(found, deeper));
        }
    }
    Ok(inside(inner.evaluate(scope)?, names))
}

/// As Python's `and` and `or`: the first part that decides, else the last one.
fn first_that<'s>(parts: &'s [Expression], scope: &Scope<'s>, holds: bool) -> May<Value<'s>> {
    let mut value = Value::Missing;
    for part in parts {
        value = part.evaluate(scope)?;
        if value.holds() == holds {
            break;
        }
    }
    Ok(value)
}

fn number_order(left: &Value, right: &Value) -> May<Option<Ordering>> {
    let exact = |number: i64| if number.abs() <= EXACT { Ok(number as f64) } else { Err(Bail) };
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Integer(left), Value::Float(right)) => Ok(exact(*left)?.partial_cmp(right)),
        (Value::Float(left), Value::Integer(right)) => Ok(left.partial_cmp(&exact(*right)?)),
        _ => Ok(None),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Integer(_) | Value::Float(_))
}

fn are_same(left: &Value, right: &Value, depth: usize) -> May<bool> {
    let alike =
        |one: &Value, other: &Value| Ok((one.is_missing() && other.is_missing()) || are_same(one, other, depth - 1)?);
    match (left, right) {
        _ if is_number(left) => Ok(number_order(left, right)? == Some(Ordering::Equal)),
        _ if depth == 0 => Ok(false),
        (Value::Truth(left), Value::Truth(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        (Value::List(left), Value::List(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (one, other) in left.iter().zip(right) {
                if !alike(one, other)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Map(left), Value::Map(_)) => {
            let Value::Map(others) = right else { return Err(Bail) };
            if left.len() != others.len() {
                return Ok(false);
            }
            for (name, one) in left {
                let Some(other) = right.get(name) else { return Ok(false) };
                if !alike(one, other)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn are_of_one_kind(left: &Value, right: &Value) -> bool {
    is_number(left) && is_number(right)
        || !left.is_missing() && std::mem::discriminant(left) == std::mem::discriminant(right)
}

pub fn compare(how: Comparison, left: &Value, right: &Value) -> May<bool> {
    let order = match how {
        Comparison::Eq => return are_same(left, right, DEEPEST),
        Comparison::Ne => return Ok(are_of_one_kind(left, right) && !are_same(left, right, DEEPEST)?),
        _ => match (left, right) {
            // The order of code points, which is that of UTF-8 too.
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            _ if is_number(left) && is_number(right) => number_order(left, right)?,
            _ => None,
        },
    };
    Ok(order.is_some_and(|order| match how {
        Comparison::Lt => order.is_lt(),
        Comparison::Le => order.is_le(),
        Comparison::Gt => order.is_gt(),
        _ => order.is_ge(),
    }))
}

fn among(item: &Value, container: &Value, is_in: bool) -> May<bool> {
    match container {
        Value::Text(text) => match item {
            Value::Text(part) => Ok(text.contains(&**part) == is_in),
            _ => Ok(false),
        },
        Value::List(items) if !item.is_missing() => {
            for each in items {
                if are_same(item, each, DEEPEST)? {
                    return Ok(is_in);
                }
            }
            Ok(!is_in)
        }
        _ => Ok(false),
    }
}

fn reckon<'s>(how: Sum, left: Value<'s>, right: Value<'s>) -> May<Value<'s>> {
    if matches!((how, &left, &right), (Sum::Add, Value::Text(_), Value::Text(_))) {
        return Err(Bail);
    }
    if !is_number(&left) || !is_number(&right) {
        return Ok(Value::Missing);
    }
    if let (Value::Integer(left), Value::Integer(right)) = (&left, &right) {
        let exact = |sum: Option<i64>| match sum {
            Some(sum) if sum.abs() <= EXACT => Ok(Value::Integer(sum)),
            _ => Err(Bail),
        };
        match how {
            Sum::Add => return exact(left.checked_add(*right)),
            Sum::Sub => return exact(left.checked_sub(*right)),
            Sum::Mul => return exact(left.checked_mul(*right)),
            Sum::Div => {}
        }
    }
    let float = |value: &Value| match value {
        Value::Integer(number) if number.abs() <= EXACT => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        _ => Err(Bail),
    };
    let (left, right) = (float(&left)?, float(&right)?);
    let sum = match how {
        Sum::Add => left + right,
        Sum::Sub => left - right,
        Sum::Mul => left * right,
        Sum::Div if right == 0.0 => return Ok(Value::Missing),
        Sum::Div => left / right,
    };
    Ok(if sum.is_finite() { Value::Float(sum) } else { Value::Missing })
}
