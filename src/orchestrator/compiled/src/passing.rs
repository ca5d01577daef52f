//! Passing on: what resolve does with nearly every event, which names its customer by an id and nothing else.
//!
//! Owns the run over such records (`runtime.kafka.resolving`): what nobody asks for ends here, the rest goes to the
//! partition that its profile's id leads to, as it came. It stops before a record that is for Python.

use std::collections::HashSet;

use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::envelope::Envelope;
use crate::forward::Forward;
use crate::ids;
use crate::kafka_record::Record;
use crate::keys;

/// What of a customer id's events is passed on, by the definitions in force.
#[pyclass(module = "orchestrator.compiled.native")]
pub struct Passing {
    /// None for everything.
    wanted: Option<HashSet<String>>,
    /// Types that are more than events.
    others: HashSet<String>,
}

#[pymethods]
impl Passing {
    #[new]
    fn new(wanted: Option<HashSet<String>>, others: HashSet<String>) -> Self {
        Passing { wanted, others }
    }

    /// Passes records on from a place until an end, as long as there is room for their bytes.
    ///
    /// `sinks` are lists by partition, `latest_ms` is the latest timestamp that is kept. Gives where it stopped, the
    /// latest timestamp up to the wall clock, the bytes, the events that nobody asks for, and the type of the last one.
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    fn run<'py>(
        &self,
        py: Python<'py>,
        records: &Bound<'py, PyList>,
        mut at: usize,
        end: usize,
        wall_ms: i64,
        latest_ms: i64,
        room: usize,
        header: &str,
        sinks: Vec<Bound<'py, PyList>>,
    ) -> PyResult<(usize, i64, usize, usize, Option<String>)> {
        let (mut passed_ms, mut size, mut ignored, mut last_kind) = (0, 0, 0, None::<String>);
        while at < end.min(records.len()) && size < room {
            let Ok(record) = Record::from(&records.get_item(at)?) else { break };
            let record = record.get();
            let (Some(value), 0) = (record.value(), record.headers().len()) else { break };
            let at_ms = record.timestamp;
            let Ok(envelope) = Envelope::read(value, at_ms) else { break };
            let kind = &*envelope.kind;
            if self.others.contains(kind) {
                break;
            }
            at += 1;
            if at_ms <= wall_ms {
                passed_ms = at_ms.max(passed_ms);
            }
            if last_kind.as_deref() != Some(kind) {
                last_kind = Some(kind.to_owned());
            }
            if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(kind)) {
                ignored += 1;
                continue;
            }
            let key = ids::hex(ids::profile_of(&envelope.customer_id));
            let number = keys::partition_of(key.as_bytes(), sinks.len());
            let at_ms = if at_ms > latest_ms { wall_ms } else { at_ms };
            let origin = format!("{}/{}/{}", record.topic.bind(py).to_str()?, record.partition, record.offset);
            sinks[number].append(Forward::of(key.as_bytes(), value, at_ms, header, origin.as_bytes()))?;
            size += value.len();
        }
        Ok((at, passed_ms, size, ignored, last_kind))
    }
}
