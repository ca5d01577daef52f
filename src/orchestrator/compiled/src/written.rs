//! Reading what `compiled.program` in Python has written down: fields by their names, and expressions.
//!
//! Owns the form of an expression: a list of the operator's name and what it is about.

use std::collections::{HashMap, HashSet};

use crate::bail::{Bail, May};
use crate::expression::{Comparison, Expression, Sum};
use crate::program::Asked;
use crate::value::Value;

pub fn field<'v>(written: &'v Value, name: &str) -> May<&'v Value<'v>> {
    written.get(name).ok_or(Bail)
}

pub fn items<'v>(value: &'v Value) -> May<&'v [Value<'v>]> {
    match value {
        Value::List(items) => Ok(items),
        _ => Err(Bail),
    }
}

pub fn list<'v>(written: &'v Value, name: &str) -> May<&'v [Value<'v>]> {
    items(field(written, name)?)
}

pub fn text(value: &Value) -> May<String> {
    match value {
        Value::Text(text) => Ok(text.to_string()),
        _ => Err(Bail),
    }
}

pub fn texts(value: &Value) -> May<Vec<String>> {
    items(value)?.iter().map(text).collect()
}

pub fn maybe<'v, T>(value: &'v Value, read: impl FnOnce(&'v Value<'v>) -> May<T>) -> May<Option<T>> {
    if value.is_missing() {
        Ok(None)
    } else {
        read(value).map(Some)
    }
}

pub fn integer(value: &Value) -> May<i64> {
    match value {
        Value::Integer(number) => Ok(*number),
        _ => Err(Bail),
    }
}

pub fn float(value: &Value) -> May<f64> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Integer(number) => Ok(*number as f64),
        _ => Err(Bail),
    }
}

pub fn truth(value: &Value) -> May<bool> {
    match value {
        Value::Truth(is_so) => Ok(*is_so),
        _ => Err(Bail),
    }
}

pub fn set(value: &Value) -> May<HashSet<String>> {
    Ok(texts(value)?.into_iter().collect())
}

pub fn named<T>(written: &Value, name: &str, read: fn(&Value) -> May<T>) -> May<HashMap<String, T>> {
    let Value::Map(pairs) = field(written, name)? else { return Err(Bail) };
    pairs.iter().map(|(key, value)| Ok((key.to_string(), read(value)?))).collect()
}

pub fn named_expression(pair: &Value) -> May<(String, Expression)> {
    match items(pair)? {
        [name, written] => Ok((text(name)?, expression(written)?)),
        _ => Err(Bail),
    }
}

pub fn asked(written: &Value) -> May<Asked> {
    Ok(Asked {
        source: text(field(written, "source")?)?,
        expression: expression(field(written, "code")?)?,
        saw: list(written, "saw")?.iter().map(named_expression).collect::<May<_>>()?,
    })
}

/// Reads an expression from a list: the operator's name, then what it is about.
pub fn expression(written: &Value) -> May<Expression> {
    let [head, rest @ ..] = items(written)? else { return Err(Bail) };
    let head = text(head)?;
    let comparison = match head.as_str() {
        "eq" => Some(Comparison::Eq),
        "ne" => Some(Comparison::Ne),
        "lt" => Some(Comparison::Lt),
        "le" => Some(Comparison::Le),
        "gt" => Some(Comparison::Gt),
        "ge" => Some(Comparison::Ge),
        _ => None,
    };
    let sum = match head.as_str() {
        "add" => Some(Sum::Add),
        "sub" => Some(Sum::Sub),
        "mul" => Some(Sum::Mul),
        "div" => Some(Sum::Div),
        _ => None,
    };
    let boxed = |value| expression(value).map(Box::new);
    let all = |values: &[Value]| values.iter().map(expression).collect::<May<Vec<_>>>();
    Ok(match (head.as_str(), rest) {
        (_, [left, right]) if comparison.is_some() => {
            Expression::Compare(comparison.ok_or(Bail)?, boxed(left)?, boxed(right)?)
        }
        (_, [left, right]) if sum.is_some() => Expression::Reckon(sum.ok_or(Bail)?, boxed(left)?, boxed(right)?),
        ("constant", [value]) => Expression::Constant(constant(value)?),
        ("properties", []) => Expression::Properties,
        ("property", [name]) => Expression::Property(text(name)?),
        ("event", [name]) => Expression::OfEvent(text(name)?),
        ("entry", [name]) => Expression::OfEntry(text(name)?),
        ("profile", [name]) => Expression::OfProfile(text(name)?),
        ("last_seen", [name]) => Expression::LastSeen(text(name)?),
        ("step", [step, name]) => Expression::OfStep(text(step)?, text(name)?),
        ("step_event", [step]) => Expression::StepEvent(text(step)?),
        ("step_events", [step]) => Expression::StepEvents(text(step)?),
        ("count", [event, within_ms]) => Expression::Count(text(event)?, integer(within_ms)?),
        ("in_segment", [segment]) => Expression::InSegment(maybe(segment, text)?),
        ("bought", [name]) => Expression::Bought(text(name)?),
        ("now", []) => Expression::Now,
        ("instant_text", [inner]) => Expression::InstantText(boxed(inner)?),
        ("inside", [inner, names]) => Expression::Inside(boxed(inner)?, texts(names)?),
        ("list", parts) => Expression::List(all(parts)?),
        ("and", parts) => Expression::And(all(parts)?),
        ("or", parts) => Expression::Or(all(parts)?),
        ("not", [inner]) => Expression::Not(boxed(inner)?),
        ("exists", [inner]) => Expression::Exists(boxed(inner)?),
        ("same", [inner, told]) => Expression::Same(boxed(inner)?, constant(told)?),
        ("one_of", [inner, listed]) => Expression::OneOf(boxed(inner)?, texts(listed)?),
        ("among", [item, container]) => Expression::Among(boxed(item)?, boxed(container)?, true),
        ("not_among", [item, container]) => Expression::Among(boxed(item)?, boxed(container)?, false),
        ("contains", [container, item]) => Expression::Among(boxed(item)?, boxed(container)?, true),
        ("length", [inner]) => Expression::Length(boxed(inner)?),
        ("starts_with", [inner, beginning]) => Expression::StartsWith(boxed(inner)?, boxed(beginning)?),
        _ => return Err(Bail),
    })
}

pub fn constant(value: &Value) -> May<Value<'static>> {
    Ok(match value {
        Value::Missing => Value::Missing,
        Value::Truth(is_so) => Value::Truth(*is_so),
        Value::Integer(number) => Value::Integer(*number),
        Value::Float(number) => Value::Float(*number),
        Value::Text(text) => Value::text(text.to_string()),
        Value::List(_) | Value::Map(_) => return Err(Bail),
    })
}
