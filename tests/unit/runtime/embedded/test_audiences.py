"""What time opens under `run`: broadcasts that are published later, limits over restarts, and draining what recurs."""

import json

import pytest

from orchestrator.language import compile_sources
from orchestrator.runtime.embedded import RunOptions, run_events

PROJECT = "project: shop\nchannels: {email: {address: profile.customer_id}}\npurposes: {service: {consent: none}}\n"
DAY = 24 * 60
# Until then there are no broadcasts.
YEAR = 365 * DAY


def _project(enter: str, *, segments: str = "", version: int = 1):
    journey = f"""\
journey: hello
version: {version}
status: live
purpose: service
enter: {enter}
steps:
  - {{id: greet, send: hi}}
"""
    sources = {
        "orchestrator.yaml": PROJECT,
        "messages/hi.message.yaml": "message: hi\nemail: {subject: Hello, text: You.}\n",
        "hello.journey.yaml": journey,
    }
    return compile_sources({**sources, "segments.yaml": segments} if segments else sources)


@pytest.fixture
def run(tmp_path):
    def run(loaded, path, **options):
        files = {"actions": tmp_path / "actions", "decisions": tmp_path / "decisions", "state": tmp_path / "state.db"}
        run_events(loaded, RunOptions(events=[str(path)], **files, **options))
        actions = map(json.loads, files["actions"].read_bytes().splitlines())
        return [(action["customer_id"], action["at"][:16]) for action in actions]

    return run


def test_a_broadcast_that_is_published_later_reaches_everybody_who_is_known(run, write, shop):
    run(_project("{event: cart_updated}"), write([shop.cart(YEAR + number, f"c{number}") for number in range(5)]))
    broadcast = _project('{schedule: {once: "1971-02-01T09:00"}, again: always}', version=2)
    sent = run(broadcast, write([shop.page(YEAR + 40 * DAY, "late")], "more"))
    assert len(sent) == 10
    assert sorted(who for who, at in sent if at == "1971-02-01T09:00") == [f"c{number}" for number in range(5)]


def test_a_customer_is_known_from_whatever_event_comes_first(run, write, shop):
    events = write([shop.page(YEAR), shop.page(YEAR + 5 * DAY, "ben")])
    assert run(_project('{schedule: {once: "1971-01-03T09:00"}}'), events) == [("ana", "1971-01-03T09:00")]


def test_a_segment_is_entered_between_two_runs_at_its_very_instant(run, write, shop):
    vip = "vip: {if: \"count('order_placed', within='2d') == 0\"}\n"
    project = _project("{segment: vip}", segments=vip)
    run(project, write([shop.order(0)]))
    assert run(project, write([shop.page(9 * DAY)], "more")) == [("ana", "1970-01-03T00:00")]


def test_a_limit_holds_over_restarts(run, write, shop):
    project = _project("{event: cart_updated, limit: {entries: 2, per: 1d}}")
    assert len(run(project, write([shop.cart(0, "a"), shop.cart(1, "b"), shop.cart(2, "c")]))) == 2
    later = [shop.cart(10, "d"), shop.cart(DAY, "e"), shop.cart(DAY, "f"), shop.cart(DAY + 1, "g")]
    assert [who for who, _ in run(project, write(later, "more"))] == ["a", "b", "e", "g"]


def test_draining_ends_although_a_silence_begins_anew_after_each_exit(run, write, shop):
    project = _project("{inactive: {for: 2d}, again: after_exit}")
    assert run(project, write([shop.page(0)]), drain=True) == [("ana", "1970-01-03T00:00")]


def test_draining_leaves_out_what_recurs_for_ever(run, write, shop):
    rules = '[{schedule: {every: day, at: "09:00"}}, {schedule: {once: "1971-01-03T12:00"}}]'
    sent = run(_project(f"{{any: {rules}, again: after_exit}}"), write([shop.page(YEAR)]), drain=True)
    # Until the broadcast; on the way there the schedule comes as ever.
    days = ["1971-01-01T09:00", "1971-01-02T09:00", "1971-01-03T09:00", "1971-01-03T12:00"]
    assert sent == [("ana", at) for at in days]


def test_who_entered_an_older_version_is_still_in_and_out_of_its_segments(run, write, shop):
    body = """\
journey: hello
version: %d
status: live
purpose: service
enter: {event: cart_updated}
%ssteps: [{id: stay, wait: 30d}, {id: greet, send: hi}]
"""
    sources = {
        "orchestrator.yaml": PROJECT,
        "messages/hi.message.yaml": "message: hi\nemail: {subject: Hello, text: You.}\n",
    }
    vip = {"segments.yaml": "vip: {if: \"count('order_placed', within='60d') >= 2\"}\n"}
    before = compile_sources({**sources, **vip, "a.journey.yaml": body % (1, "exit: [{segment: vip}]\n")})
    after = compile_sources({**sources, "a.journey.yaml": body % (2, "")})
    run(before, write([shop.cart(0), shop.cart(0, "ben"), shop.order(1)]))
    later = [shop.order(2 * DAY), shop.order(3 * DAY, "ben"), shop.page(40 * DAY, "eva")]
    assert run(after, write(later, "more")) == [("ben", "1970-01-31T00:00")]
