"""The codec: a state at rest, its wake-up in front, and records of other releases."""

import msgspec
import pytest

from orchestrator.errors import StorageError
from orchestrator.model import codec
from orchestrator.model.event import KeptEvent
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.state import Ended, Entry, Result, Sent, State


def full_state():
    """Make a state with something in every field."""
    event = KeptEvent("e1", "cart_updated", 5, "web", {"total": 40, "deep": {"list": [1, None, True, 1.5, "ñ"]}})
    profile = Profile(
        "p1",
        "ana",
        identifiers={"email": ["a@b.example"]},
        traits={"tier": "gold", "n": 2**63 - 1},
        consents=[Consent("email", "marketing", True, False, 7, "s", "w", "m", {"ip": "x"})],
        prefers=["email"],
        unreachable={"sms": "1"},
        last_seen_ms={"web": 3},
        first_seen_ms=1,
        quiet_hours=[{"from": "12:00", "to": "14:00"}],
    )
    result = Result("sent", "email", "a1", "x", event, [event])
    entry = Entry(
        "n1", "cart", 3, "c1", 5, "settle", 99, {"total": 40}, {"settle": result}, event, "web", {"daily": [1, 5]},
        6, True, ["push:unreachable"], 4, 3, "failure",
    )  # fmt: skip
    sent = Sent("a1", 6, "cart", "n1", "settle", "hello", "email", "marketing", "a@b.example")
    ended = Ended("n0", "cart", 3, None, 1, 50, {"total": 1}, ["a0"])
    return State(profile, [entry], {"cart": {"c1": 5}}, [ended], [sent], b"12345678")


def test_a_state_round_trips():
    assert codec.decode(codec.encode(full_state())) == full_state()


def test_a_record_is_the_same_bytes_for_the_same_state():
    assert codec.encode(full_state()) == codec.encode(codec.decode(codec.encode(full_state())))


def test_a_records_next_wake_up_is_read_without_the_rest():
    entries = [Entry("n", "cart", 1, None, 0, "settle", due_ms) for due_ms in (0, 70, 50, 60)]
    record = codec.encode(State(Profile("p1"), entries))
    assert codec.due_of(record) == codec.due_of(record[:9]) == 50


def test_a_record_of_somebody_who_waits_for_no_instant_has_none():
    entries = [Entry("n", "cart", 1, None, 0, "settle", 0)]
    assert (
        codec.due_of(codec.encode(State(Profile("p1"), entries)))
        == codec.due_of(codec.encode(State(Profile("p"))))
        == 0
    )


def record_of(number, content):
    return bytes(8) + bytes([number]) + content


def test_a_record_of_a_newer_format_is_refused_with_what_to_do():
    with pytest.raises(StorageError, match=f"state format {codec.FORMAT + 1} .* upgrade this process"):
        codec.decode(record_of(codec.FORMAT + 1, b"\x90"))


def test_a_record_of_a_format_that_nobody_knows_is_refused():
    with pytest.raises(StorageError, match="state format 0 is unknown"):
        codec.decode(record_of(0, b"\x90"))


@pytest.mark.parametrize("record", [b"", b"12345678", bytes(9)])
def test_a_record_that_is_too_short_is_refused(record):
    with pytest.raises(StorageError, match="too short"):
        codec.decode(record)


@pytest.mark.parametrize("content", [b"\xc1", b"\x90", b"\x80", b"\x91\x01", codec.encode(full_state())[9:-3]])
def test_a_record_that_is_no_state_is_refused(content):
    with pytest.raises(StorageError, match="cannot be read"):
        codec.decode(record_of(codec.FORMAT, content))


@pytest.fixture
def two_formats_ago(monkeypatch):
    """Pretend that the format of today is the third, and that the first had no profile id and no history."""
    untyped = msgspec.msgpack.decode(codec.encode(full_state())[9:])
    upgrades = {
        codec.FORMAT: lambda content: ["p1", *content],
        codec.FORMAT + 1: lambda content: [*content, untyped[-1]],
    }
    first = untyped[1:-1]
    monkeypatch.setattr(codec, "UPGRADES", {**codec.UPGRADES, **upgrades})
    monkeypatch.setattr(codec, "FORMAT", codec.FORMAT + 2)
    return first


def test_a_record_of_an_older_format_is_upgraded_step_by_step(two_formats_ago):
    record = record_of(codec.FORMAT - 2, msgspec.msgpack.encode(two_formats_ago))
    state = codec.decode(record)
    assert state == full_state()
    assert codec.encode(state)[8] == codec.FORMAT


@pytest.mark.parametrize("content", [b"\xc1", b"", msgspec.msgpack.encode([["p"], "entries"])])
def test_an_older_record_that_is_no_state_is_refused(two_formats_ago, content):
    with pytest.raises(StorageError):
        codec.decode(record_of(codec.FORMAT - 1, content))


@pytest.fixture
def a_release_later(monkeypatch) -> None:
    """Pretend that the next release has a format of its own, and can still write today's; back to normal after."""
    monkeypatch.setattr(codec, "UPGRADES", {**codec.UPGRADES, codec.FORMAT: lambda content: [*content, "new"][:-1]})
    monkeypatch.setattr(codec, "DOWNGRADES", {codec.FORMAT: list})
    monkeypatch.setattr(codec, "FORMAT", codec.FORMAT + 1)
    yield
    codec.write_format(None)


def test_while_a_fleet_is_upgraded_the_older_format_is_written_and_both_are_read(a_release_later):
    newest = codec.FORMAT
    assert codec.encode(full_state())[8] == newest
    codec.write_format(newest - 1)
    older = codec.encode(full_state())
    assert (older[8], codec.due_of(older)) == (newest - 1, full_state().due_ms())
    assert codec.decode(older) == full_state()
    codec.write_format(newest)
    assert codec.encode(codec.decode(older))[8] == newest


@pytest.mark.parametrize("number", [0, codec.FORMAT + 1])
def test_a_format_that_cannot_be_written_is_refused_when_it_is_asked_for(number):
    with pytest.raises(StorageError, match=f"state format {number} cannot be written"):
        codec.write_format(number)
