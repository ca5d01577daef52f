"""A run: time moves as the events say, what is odd is told, and what came of it is summed up."""

import gzip
import io
import json
from collections import Counter

import pytest

from orchestrator.errors import InputError
from orchestrator.runtime import turn
from orchestrator.runtime.embedded import RunOptions, inputs, processing, run_events, sources

MINUTE_MS = 60_000


def test_a_timer_due_before_the_next_event_fires_first(run, write, shop):
    path = write([shop.cart(0), shop.order(10.5), shop.page(99)])
    assert run(path).sent() == [("ana", "00:10")]


def test_at_one_instant_the_event_comes_before_the_timer(run, write, shop):
    path = write([shop.cart(0), shop.order(10), shop.page(99)])
    assert run(path).sent() == []


def test_timers_of_one_instant_fire_in_the_order_of_profiles_and_earlier_ones_first(run, write, shop):
    path = write([shop.cart(1, who) for who in "abcdef"] + [shop.cart(0, "zoe"), shop.page(99)])
    actions = run(path).lines("actions")
    assert actions[0]["customer_id"] == "zoe"
    assert [each["profile_id"] for each in actions[1:]] == sorted(each["profile_id"] for each in actions[1:])


def test_events_are_put_in_time_order_first(run, write, shop):
    path = write([shop.page(99), shop.order(5, "ben"), shop.cart(0, "ben"), shop.cart(0)])
    assert run(path).sent() == [("ana", "00:10")]


def test_in_order_an_earlier_event_happens_at_the_clocks_instant(run, write, shop):
    path = write([shop.page(30), shop.cart(0), shop.page(99)])
    assert run(path, in_order=True).sent() == [("ana", "00:40")]


def test_at_the_end_customers_stay_waiting(run, write, shop):
    ran = run(write([shop.cart(0), shop.cart(5, "ben"), shop.order(6, "eva")]))
    assert ran.sent() == []
    assert (ran.summary.waiting, ran.summary.customers) == (2, 2)
    assert ran.summary.clock_ms == 6 * MINUTE_MS


def test_until_moves_the_clock_and_wakes_what_is_due_at_it(run, write, shop):
    path = write([shop.cart(0), shop.cart(1, "ben")])
    ran = run(path, until_ms=10 * MINUTE_MS)
    assert ran.sent() == [("ana", "00:10")]
    assert (ran.summary.waiting, ran.summary.timers, ran.summary.clock_ms) == (1, 1, 10 * MINUTE_MS)


def test_drain_goes_on_until_nothing_waits(run, write, shop):
    ran = run(write([shop.cart(0), shop.cart(1, "ben")]), drain=True)
    assert ran.sent() == [("ana", "00:10"), ("ben", "00:11")]
    assert ran.summary.waiting == 0


def test_an_event_without_a_time_happens_when_it_arrives(run, write):
    path = write([b'{"type": "cart_updated", "customer_id": "ana"}'])
    clock_ms = run(path).summary.clock_ms
    assert clock_ms is not None
    assert clock_ms > 1_700_000_000_000


BROKEN = [
    (b"not json", "not_json"),
    (b'{"type": "cart_updated"}', "nobody"),
    (b'{"customer_id": "ana"}', "no_type"),
    (b'{"type": "cart_updated", "customer_id": "ana", "time": "yesterday"}', "bad_time"),
    (b'{"type": "cart_updated", "customer_id": "ana", "x": "' + b"x" * (2 << 20) + b'"}', "too_large"),
    (b"\xff\xfe\x00", "not_json"),
    (b'{"type": "page", "userId": "ana", "name": "Home", "properties": {"city": "M\xe1laga"}}', "bad_properties"),
]


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize(("record", "reason"), BROKEN)
def test_a_malformed_record_is_a_dead_letter_with_its_place_and_the_next_one_is_processed(
    run, write, shop, record, reason, in_order
):
    first = shop.cart(0)
    path = write([first, b"", record, shop.page(99)])
    ran = run(path, in_order=in_order)
    assert ran.sent() == [("ana", "00:10")]
    (letter,) = ran.lines("dead_letters")
    place = (letter["reason"], letter["source"], letter["line"], letter["offset"])
    assert place == (reason, str(path), 3, len(first) + 2)
    assert ran.summary.dead_letters == Counter([reason])
    assert [each.reason for each in ran.summary.first_dead_letters] == [reason]
    assert ran.summary.events == Counter(applied=1, ignored=1, refused=1)


def test_a_name_that_is_nearly_one_that_journeys_ask_for_is_in_the_summary(run, write):
    event = b'{"type": "Cart Updated", "customer_id": "ana", "time": "2026-01-05T10:00:00Z"}'
    ran = run(write([event, event.replace(b"Cart Updated", b"page_viewed")]))
    assert ran.summary.misnamed == {"Cart Updated": "cart_updated"}
    assert ran.summary.events == Counter(ignored=2)


def test_properties_that_cannot_be_read_are_a_dead_letter_too(run, write, shop):
    ran = run(write([shop.cart(0, properties=["no", "object"]), shop.page(99)]))
    assert [letter["reason"] for letter in ran.lines("dead_letters")] == ["bad_properties"]


def test_an_event_in_another_encoding_is_a_dead_letter_and_parks_nobody(run, write, shop):
    odd = shop.cart(1, "ben", properties={"city": "Malaga"}).replace(b"Malaga", b"M\xe1laga")
    ran = run(write([shop.cart(0), odd, shop.page(99)]))
    assert [letter["reason"] for letter in ran.lines("dead_letters")] == ["bad_properties"]
    assert ran.sent() == [("ana", "00:10")]


@pytest.mark.parametrize("drain", [False, True])
def test_a_bug_at_one_customers_timer_is_a_dead_letter_and_the_others_go_on(run, write, shop, monkeypatch, drain):
    real = turn.on_timers

    def broken(catalog, record, now_ms):
        if b"ana" in record:
            raise ZeroDivisionError("a bug")
        return real(catalog, record, now_ms)

    monkeypatch.setattr(turn, "on_timers", broken)
    ran = run(write([shop.cart(0), shop.cart(1, "ben"), shop.page(99)]), drain=drain)
    assert ran.sent() == [("ben", "00:11")]
    (letter,) = ran.lines("dead_letters")
    assert (letter["reason"], letter["source"], "ZeroDivisionError" in letter["traceback"]) == (
        "failure",
        "timer",
        True,
    )
    assert ran.summary.waiting == 1


def test_a_profile_that_is_still_due_after_its_turn_is_not_woken_for_ever(run, write, shop, monkeypatch):
    monkeypatch.setattr(turn, "on_timers", lambda catalog, record, now_ms: turn.IGNORED)
    ran = run(write([shop.cart(0)]), drain=True)
    assert "still due" in ran.lines("dead_letters")[0]["message"]


def test_the_summary_counts_what_happened(run, write, shop):
    path = write([shop.cart(0), shop.cart(0), shop.order(5), shop.cart(7), shop.page(99)])
    summary = run(path).summary
    assert summary.events == Counter(applied=3, duplicate=1, ignored=1)
    assert summary.actions == Counter(message=1)
    assert summary.decisions == Counter(entered=2, waited=2, exited=2, resumed=1, sent=1)
    assert (summary.timers, summary.waiting, summary.customers) == (1, 0, 1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_several_files_are_read_as_one_whatever_they_are_packed_in(run, tmp_path, shop, suffix):
    pack = gzip.compress if suffix else bytes
    first, second = tmp_path / f"b{suffix}", tmp_path / f"a{suffix}"
    first.write_bytes(pack(shop.cart(0) + b"\n" + shop.page(99)))
    second.write_bytes(pack(shop.order(5) + b"\n" + shop.cart(6) + b"\n"))
    assert run(first, second).sent() == [("ana", "00:16")]
    assert run(first, second, in_order=True, into="other", drain=True).sent() == [("ana", "00:10"), ("ana", "01:49")]


def test_actions_go_to_standard_output_where_no_file_is_named(loaded, write, shop):
    output = io.BytesIO()
    options = RunOptions(events=[str(write([shop.cart(0)]))], drain=True)
    run_events(loaded, options, standard_output=output)
    assert [json.loads(line)["customer_id"] for line in output.getvalue().splitlines()] == ["ana"]
    assert not output.closed


def test_a_run_without_state_begins_its_files_anew(run, write, shop):
    path = write([shop.cart(0)])
    assert run(path, drain=True).sent() == run(path, drain=True).sent()


def test_small_batches_give_the_same_lines_as_one(run, write, shop, monkeypatch):
    path = write(shop.day(seed=1, events=500))
    whole = run(path, into="whole", drain=True)
    monkeypatch.setattr(processing, "BATCH_RECORDS", 1)
    monkeypatch.setattr(processing, "BATCH_TURNS", 1)
    small = run(path, into="small", drain=True)
    for kind in ("actions", "decisions"):
        assert small.lines(kind) == whole.lines(kind) != []
    assert small.summary.events == whole.summary.events


@pytest.mark.parametrize("in_order", [False, True])
def test_progress_is_told_up_to_the_end(loaded, write, shop, tmp_path, monkeypatch, in_order):
    for module in (inputs, sources):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    told = []
    path = write([shop.page(minute) for minute in range(100)])
    options = RunOptions(events=[str(path)], actions=tmp_path / "actions", in_order=in_order)
    run_events(loaded, options, progress=told.append)
    assert (told[-1].events, told[-1].clock_ms, told[-1].fraction) == (100, 99 * MINUTE_MS, 1.0)
    fractions = [each.fraction for each in told]
    assert fractions == sorted(fractions)
    assert in_order or fractions[0] < 0.2


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_an_input_that_cannot_be_read_is_named(run, tmp_path, name):
    with pytest.raises(InputError, match="cannot be read"):
        run(tmp_path / name)


def test_an_output_is_never_an_input_nor_another_output(run, write, shop):
    path = write([shop.cart(0)])
    with pytest.raises(InputError, match="is read as events"):
        run(path, decisions=path)
    with pytest.raises(InputError, match="cannot both be written"):
        run(path, actions=path.with_name("x"), decisions=path.with_name("x"))
    assert path.read_bytes() == shop.cart(0) + b"\n"


def test_an_output_that_cannot_be_written_is_named(run, write, shop, tmp_path):
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        run(write([shop.cart(0)]), actions=tmp_path / "nowhere" / "actions.jsonl")
