//! Places: under what a record lies, and what wakes. Nearly all are ids of profiles, which take half the room, and no
//! second look, as the numbers that they are.

use std::cmp::Ordering;

use crate::ids;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Profile(u128),
    Other(Box<str>),
}

impl Place {
    pub fn of(name: &str) -> Self {
        ids::read_hex(name).map_or_else(|| Place::Other(name.into()), Place::Profile)
    }

    pub fn name(&self) -> String {
        match self {
            Place::Profile(number) => ids::hex(*number),
            Place::Other(name) => name.to_string(),
        }
    }
}

/// The order of their names, as Python has it.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Place::Profile(number), Place::Profile(than)) => number.cmp(than),
            (Place::Other(name), Place::Other(than)) => name.cmp(than),
            _ => self.name().cmp(&other.name()),
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
