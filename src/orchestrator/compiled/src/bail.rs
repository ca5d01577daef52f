//! The one way out: a turn that is not worked out here is left, untouched, to the engine in Python.

/// This turn is not ours. Nothing has been changed, and nothing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bail;

pub type May<T> = Result<T, Bail>;
