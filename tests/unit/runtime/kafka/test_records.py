"""What records of Kafka are read as, by their headers and without a value."""

from types import SimpleNamespace

import pytest

from orchestrator.errors import EventError
from orchestrator.runtime.kafka.records import event_of


def _record(value, headers):
    return SimpleNamespace(topic="events", partition=0, offset=0, timestamp=5, key=None, value=value, headers=headers)


HEADERS = (("ce_specversion", b"1.0"), ("ce_id", b"e1"), ("ce_type", b"seen"), ("ce_subject", b"ana"))


def test_a_cloud_event_without_data_may_have_no_value():
    event = event_of(_record(None, headers=HEADERS))
    assert (event.id, event.type, event.customer_id, event.time_ms, event.properties) == ("e1", "seen", "ana", 5, {})


def test_any_other_record_without_a_value_is_no_event():
    with pytest.raises(EventError, match="tombstone") as refused:
        event_of(_record(None, headers=()))
    assert refused.value.reason == "not_json"
