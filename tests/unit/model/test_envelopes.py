"""Envelopes: native, CloudEvents and Segment records, and what is no event at all."""

import json

import pytest

from orchestrator.errors import EventError
from orchestrator.model import envelopes, ids
from orchestrator.model.envelopes import MAX_RECORD_BYTES
from orchestrator.model.event import KeptEvent, keep

NATIVE = {"type": "cart_updated", "customer_id": "ana", "id": "e1", "time": 0}
CLOUD = {"specversion": "1.0", "type": "cart_updated", "subject": "ana", "id": "e1", "time": 0}
TRACK = {"type": "track", "event": "cart_updated", "userId": "ana", "messageId": "e1", "timestamp": 0}
IDENTIFY = {"type": "identify", "userId": "ana", "messageId": "e1", "timestamp": 0}
ENVELOPES = [(NATIVE, "properties"), (CLOUD, "data"), (TRACK, "properties"), (IDENTIFY, "traits")]
ARRIVED = 1_700_000_000_000


def read(record, arrived_ms=ARRIVED):
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    return envelopes.read(raw, arrived_ms)


def fields(event):
    return (event.id, event.type, event.time_ms, event.customer_id, event.identifiers, event.channel, event.properties)


def reason(record):
    with pytest.raises(EventError) as refused:
        read(record)
    assert str(refused.value).startswith(refused.value.reason)
    return refused.value.reason


@pytest.mark.parametrize(("envelope", "field"), ENVELOPES)
def test_properties_are_an_object_or_nothing(envelope, field):
    assert read(envelope | {field: {"total": 40}}).properties == {"total": 40}
    assert read(envelope | {field: None}).properties == {}
    assert read(envelope).properties == {}


@pytest.mark.parametrize(("envelope", "field"), ENVELOPES)
@pytest.mark.parametrize("odd", ["text", 7, True, [1]])
def test_properties_that_are_no_object_are_refused_when_they_are_asked_for(envelope, field, odd):
    event = read(envelope | {field: odd})
    with pytest.raises(EventError) as refused:
        event.properties  # noqa: B018 - asking is the point
    assert refused.value.reason == "bad_properties"


@pytest.mark.parametrize(("envelope", "field"), ENVELOPES)
def test_every_envelope_gives_the_same_event(envelope, field):
    event = read(envelope)
    expected = "profile_updated" if envelope is IDENTIFY else "cart_updated"
    assert fields(event) == ("e1", expected, 0, "ana", {}, None, {})


# Native


def test_a_native_event_in_full():
    event = read(
        {
            "id": "e1",
            "type": "cart_updated",
            "time": "2026-01-01T10:00:00Z",
            "customer_id": "ana",
            "identifiers": {"email": "ana@shop.example", "cookie": "x"},
            "channel": "web",
            "properties": {"total": 40},
        }
    )
    identifiers = {"email": "ana@shop.example", "cookie": "x"}
    assert fields(event) == ("e1", "cart_updated", 1_767_261_600_000, "ana", identifiers, "web", {"total": 40})


@pytest.mark.parametrize(
    ("time", "time_ms"),
    [
        ("2026-01-01T10:00:00Z", 1_767_261_600_000),
        ("2026-01-01T11:00:00+01:00", 1_767_261_600_000),
        ("2026-01-01T10:00:00.123Z", 1_767_261_600_123),
        ("2026-01-01 10:00:00", 1_767_261_600_000),
        ("2026-01-01", 1_767_225_600_000),
        (1_767_261_600_000, 1_767_261_600_000),
        (1_767_261_600_000.7, 1_767_261_600_000),
        (0, 0),
        (None, ARRIVED),
    ],
)
def test_a_time_is_text_or_epoch_milliseconds_else_the_time_of_arrival(time, time_ms):
    assert read(NATIVE | {"time": time}).time_ms == time_ms
    assert read(NATIVE | {"time": time, "identifiers": {"email": "a@b.example"}}).time_ms == time_ms


@pytest.mark.parametrize(
    "time", ["soon", "", "2026-13-01", "25:00", 1e300, -1, "1969-12-31T23:59:59Z", "0001-01-01", "9999-12-31"]
)
def test_a_time_that_cannot_be_used_is_refused(time):
    assert reason(NATIVE | {"time": time}) == "bad_time"
    assert reason(NATIVE | {"time": time, "channel": "web"}) == "bad_time"
    assert reason(NATIVE | {"time": time, "identifiers": {"email": "a@b.example"}}) == "bad_time"


def test_without_an_id_the_hash_of_the_record_stands_in():
    record = json.dumps({"type": "seen", "customer_id": "ana"}).encode()
    assert read(record).id == read(record).id == ids.record_id(record)
    assert read(record + b" ").id != read(record).id


@pytest.mark.parametrize(("given", "id"), [(7, "7"), ("7", "7"), ("ñ", "ñ")])
def test_an_id_and_a_customer_may_be_numbers(given, id):
    event = read({"type": "seen", "id": given, "customer_id": given})
    assert (event.id, event.customer_id) == (id, id)


@pytest.mark.parametrize("empty", ["", None])
def test_identifiers_without_a_value_are_none(empty):
    record = {"type": "seen", "customer_id": empty, "identifiers": {"email": empty, "phone": 600}}
    event = read(record)
    assert (event.customer_id, event.identifiers) == (None, {"phone": "600"})


def test_a_customer_id_among_the_identifiers_is_the_customer_id():
    event = read({"type": "seen", "identifiers": {"customer_id": "ana", "email": "a@b.example"}})
    assert (event.customer_id, event.identifiers) == ("ana", {"email": "a@b.example"})


@pytest.mark.parametrize(
    "extra", [{"name": {"first": "Ana"}}, {"event": 7}, {"timestamp": {}}, {"traits": 1}, {"x": []}]
)
def test_fields_that_mean_something_in_other_envelopes_only_are_nobodys_business(extra):
    assert fields(read(NATIVE | extra)) == fields(read(NATIVE))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"not json", "not_json"),
        (b'{"type": "a", "customer_id": "b"} trailing', "not_json"),
        (b'{"type": "\xff", "customer_id": "b"}', "not_json"),
        (b'{"type": "\\ud800", "customer_id": "b"}', "not_json"),
        (b'{"type": "a", "customer_id": NaN}', "not_json"),
        (b"[" * 100_000, "bad_envelope"),
        (b'{"properties": ' + b"[" * 100_000, "not_json"),
        (b"null", "bad_envelope"),
        (b"[]", "bad_envelope"),
        (b"7", "bad_envelope"),
        (b'"text"', "bad_envelope"),
        ({"type": 7, "customer_id": "ana"}, "bad_envelope"),
        ({"type": "a", "customer_id": 1.5}, "bad_envelope"),
        ({"type": "a", "customer_id": True}, "bad_envelope"),
        ({"type": "a", "customer_id": ["ana"]}, "bad_envelope"),
        ({"type": "a", "identifiers": ["ana"]}, "bad_envelope"),
        ({"type": "a", "identifiers": {"email": ["ana"]}}, "bad_envelope"),
        ({"type": "a", "customer_id": "ana", "channel": 7}, "bad_envelope"),
        ({"type": "a", "customer_id": "ana", "time": []}, "bad_envelope"),
        ({"customer_id": "ana"}, "no_type"),
        ({"type": "", "customer_id": "ana"}, "no_type"),
        ({"type": None, "customer_id": "ana"}, "no_type"),
        ({"type": "seen"}, "nobody"),
        ({"type": "seen", "customer_id": "", "identifiers": {"email": ""}}, "nobody"),
        ({"type": "seen", "identifiers": {}}, "nobody"),
        (b'{"type": "a", "customer_id": "' + b"x" * MAX_RECORD_BYTES + b'"}', "too_large"),
    ],
)
def test_what_is_no_event_is_refused_with_its_reason(record, expected):
    assert reason(record) == expected


def test_a_record_of_exactly_the_greatest_size_is_read():
    record = json.dumps(NATIVE).encode()
    assert read(record + b" " * (MAX_RECORD_BYTES - len(record))).id == "e1"


# CloudEvents


def test_a_cloud_event_in_structured_mode():
    event = read(CLOUD | {"time": "2026-01-01T10:00:00Z", "source": "/shop", "data": {"total": 40}, "channel": "web"})
    assert fields(event) == ("e1", "cart_updated", 1_767_261_600_000, "ana", {}, "web", {"total": 40})


def test_the_data_of_a_cloud_event_may_come_in_base64():
    assert read(CLOUD | {"data_base64": "eyJ0b3RhbCI6IDQwfQ=="}).properties == {"total": 40}
    assert read(CLOUD | {"data_base64": "bnVsbA=="}).properties == {}
    assert read(CLOUD | {"data_base64": "bnVsbA==", "data": {"total": 50}}).properties == {"total": 50}


@pytest.mark.parametrize("data", ["eyJ0b3RhbCI6IDQwfQ", "WzFd", "aGVsbG8=", "é", ""])
def test_base64_that_holds_no_json_object_is_refused(data):
    assert reason(CLOUD | {"data_base64": data}) == "bad_properties"


def test_a_cloud_event_without_a_subject_is_nobodys():
    assert reason({"specversion": "1.0", "type": "seen", "id": "e1"}) == "nobody"


def test_a_cloud_event_of_a_type_that_segment_uses_stays_a_cloud_event():
    assert read(CLOUD | {"type": "track", "userId": "bea"}).type == "track"


def test_a_cloud_event_in_binary_mode():
    headers = [
        ("ce_specversion", b"1.0"),
        ("CE_type", b"cart_updated"),
        ("ce_id", b"e1"),
        ("ce_time", b"2026-01-01T10:00:00Z"),
        ("ce_subject", "añá".encode()),
        ("ce_channel", b"web"),
        ("ce_nothing", None),
        ("content-type", b"application/json"),
    ]
    event = envelopes.read_binary_cloud_event(headers, b'{"total": 40}', ARRIVED)
    assert fields(event) == ("e1", "cart_updated", 1_767_261_600_000, "añá", {}, "web", {"total": 40})


def test_a_binary_cloud_event_may_have_no_data_at_all():
    headers = [("ce_type", b"seen"), ("ce_id", b"e1"), ("ce_subject", b"ana")]
    assert fields(envelopes.read_binary_cloud_event(headers, b"", ARRIVED)) == (
        "e1",
        "seen",
        ARRIVED,
        "ana",
        {},
        None,
        {},
    )


def test_data_that_is_null_is_none_in_binary_mode_too():
    headers = [("ce_type", b"seen"), ("ce_id", b"e1"), ("ce_subject", b"ana")]
    assert envelopes.read_binary_cloud_event(headers, b"null", ARRIVED).properties == {}


def test_binary_cloud_events_without_an_id_are_one_only_when_all_of_them_is_the_same():
    def id_of(event_type, subject, raw=b"{}"):
        headers = [("ce_type", event_type), ("ce_subject", subject)]
        return envelopes.read_binary_cloud_event(headers, raw, ARRIVED).id

    assert id_of(b"seen", b"ana") == id_of(b"seen", b"ana")
    found = {id_of(b"seen", b"ana"), id_of(b"left", b"ana"), id_of(b"seen", b"ben"), id_of(b"seen", b"ana", b'{"a":1}')}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("headers", "raw", "expected"),
    [
        ([("ce_type", b"seen"), ("ce_subject", b"ana")], b"text", "not_json"),
        ([("ce_type", b"seen"), ("ce_subject", b"ana")], b"[1]", "not_json"),
        ([("ce_type", b"\xff"), ("ce_subject", b"ana")], b"{}", "not_json"),
        ([("ce_subject", b"ana")], b"{}", "no_type"),
        ([("ce_type", b"seen")], b"{}", "nobody"),
        ([("ce_type", b"seen"), ("ce_subject", b"ana"), ("ce_time", b"soon")], b"{}", "bad_time"),
        ([("ce_type", b"seen"), ("ce_subject", b"ana")], b" " * (MAX_RECORD_BYTES + 1), "too_large"),
    ],
)
def test_a_binary_cloud_event_that_is_none_is_refused(headers, raw, expected):
    with pytest.raises(EventError) as refused:
        envelopes.read_binary_cloud_event(headers, raw, ARRIVED)
    assert refused.value.reason == expected


# Segment


@pytest.mark.parametrize(
    ("record", "type", "properties"),
    [
        ({"type": "track", "event": "Order Placed", "properties": {"total": 40}}, "Order Placed", {"total": 40}),
        ({"type": "identify", "traits": {"name": "Ana"}}, "profile_updated", {"name": "Ana"}),
        ({"type": "page", "name": "Home", "properties": {"url": "/"}}, "page_viewed", {"url": "/", "name": "Home"}),
        ({"type": "page", "properties": {"url": "/"}}, "page_viewed", {"url": "/"}),
        ({"type": "page", "name": "Home"}, "page_viewed", {"name": "Home"}),
        ({"type": "screen", "name": "Start"}, "screen_viewed", {"name": "Start"}),
        (
            {"type": "group", "groupId": "g1", "traits": {"plan": "free"}},
            "profile_updated",
            {"groups": {"g1": {"plan": "free"}}},
        ),
        ({"type": "group", "groupId": 7}, "profile_updated", {"groups": {"7": {}}}),
        ({"type": "alias", "previousId": "old"}, "profile_aliased", {}),
    ],
)
def test_every_call_of_segment_is_an_event_of_ours(record, type, properties):
    event = read(record | {"userId": "ana", "messageId": "m1", "timestamp": "2026-01-01T10:00:00Z"})
    assert (event.id, event.type, event.time_ms, event.customer_id) == ("m1", type, 1_767_261_600_000, "ana")
    assert event.properties == properties


def test_an_anonymous_visitor_of_segment_is_known_by_that():
    event = read({"type": "track", "event": "seen", "anonymousId": "a-1", "messageId": "m1"})
    assert (event.customer_id, event.identifiers, event.time_ms) == (None, {"anonymous_id": "a-1"}, ARRIVED)


@pytest.mark.parametrize(("envelope", "field"), ENVELOPES)
def test_properties_in_another_encoding_are_refused_when_they_are_asked_for(envelope, field):
    record = json.dumps(envelope | {field: {"city": "Malaga"}}).encode().replace(b"Malaga", b"M\xe1laga")
    with pytest.raises(EventError, match="UTF-8") as refused:
        read(record).properties  # noqa: B018 - asking is the point
    assert refused.value.reason == "bad_properties"


@pytest.mark.parametrize(
    "record",
    [
        b'{"type": "page", "userId": "ana", "name": "Home", "properties": {"city": "M\xe1laga"}}',
        b'{"type": "group", "userId": "ana", "groupId": "g", "traits": {"city": "M\xe1laga"}}',
    ],
)
def test_a_call_of_segment_in_another_encoding_is_refused(record):
    assert reason(record) == "bad_properties"


def test_an_alias_names_who_the_customer_was_before():
    event = read({"type": "alias", "userId": "ana", "previousId": "a-1", "messageId": 7})
    assert (event.id, event.customer_id, event.identifiers) == ("7", "ana", {"previous_id": "a-1"})


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"type": "track", "userId": "ana"}, "no_type"),
        ({"type": "track", "userId": "ana", "event": 7}, "no_type"),
        ({"type": "page", "userId": "ana", "name": "Home", "properties": "x"}, "bad_properties"),
        ({"type": "group", "userId": "ana", "groupId": "g", "traits": [1]}, "bad_properties"),
        ({"type": "track", "event": "seen", "userId": "", "anonymousId": ""}, "nobody"),
        ({"type": "track", "event": "seen", "userId": "ana", "timestamp": "soon"}, "bad_time"),
        ({"type": "track", "event": "seen", "userId": "ana", "timestamp": {}}, "bad_time"),
    ],
)
def test_a_call_of_segment_that_makes_no_sense_is_refused(record, expected):
    assert reason(record) == expected


@pytest.mark.parametrize("somebody", [{"userId": "ana"}, {"anonymousId": "a-1"}])
def test_a_call_of_segment_without_its_type_is_told_where_it_belongs(somebody):
    with pytest.raises(EventError, match=r"`\"type\": \"track\"`, or post it to `/v1/track`") as refused:
        read({"event": "seen", **somebody})
    assert refused.value.reason == "no_type"


def test_whatever_else_has_no_type_is_told_to_name_what_happened():
    for record in ({"event": "seen", "customer_id": "ana"}, {"userId": "ana"}):
        with pytest.raises(EventError, match="name what happened in `type`"):
            read(record)


def test_a_native_event_may_be_called_as_segment_calls_its_own():
    assert read({"type": "page", "customer_id": "ana", "id": "e1"}).type == "page"


# What is kept of an event


def test_of_an_event_the_named_properties_are_kept_or_all():
    event = read(NATIVE | {"channel": "web", "properties": {"b": 1, "a": 2, "c": 3}})
    assert keep(event, frozenset(["a", "b", "x"])) == KeptEvent("e1", "cart_updated", 0, "web", {"b": 1, "a": 2})
    assert keep(event, None).properties == {"b": 1, "a": 2, "c": 3}
    assert keep(event, frozenset()).properties == {}
