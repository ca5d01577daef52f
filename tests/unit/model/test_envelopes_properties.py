"""That properties reach the event from every envelope."""

import json

import pytest

from orchestrator.model import envelopes

NATIVE = {"type": "cart_updated", "customer_id": "ana", "id": "e1", "time": 0}
CLOUD = {"specversion": "1.0", "type": "cart_updated", "subject": "ana", "id": "e1", "time": 0}
TRACK = {"type": "track", "event": "cart_updated", "userId": "ana", "messageId": "e1", "timestamp": 0}
IDENTIFY = {"type": "identify", "userId": "ana", "messageId": "e1", "timestamp": 0}
ENVELOPES = [(NATIVE, "properties"), (CLOUD, "data"), (TRACK, "properties"), (IDENTIFY, "traits")]


def _properties(record: dict[str, object]) -> dict[str, object]:
    return envelopes.read(json.dumps(record).encode(), 0).properties


@pytest.mark.parametrize(("envelope", "field"), ENVELOPES)
def test_properties_are_an_object_or_nothing(envelope, field):
    assert _properties(envelope | {field: {"total": 40}}) == {"total": 40}
    assert _properties(envelope | {field: None}) == {}
    assert _properties(envelope) == {}
