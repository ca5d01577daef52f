"""What every store promises, asked of each of them: the same calls, the same answers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import StorageError
from orchestrator.model.casework import CaseFile, CaseLine, Streamed, Wanted
from orchestrator.storage import (
    Batch,
    Given,
    MemoryStore,
    Named,
    OutboxLines,
    Pending,
    Release,
    Settled,
    SqliteStore,
    Store,
    VersionTexts,
)

Opener = Callable[[], Store]


def _sqlite(path: Path, recent_records: int = 2) -> SqliteStore:
    return SqliteStore(path, synchronous="OFF", recent_records=recent_records)


@pytest.fixture(params=["memory", "sqlite", "sqlite without recent records"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    makers: dict[str, Opener] = {
        "memory": MemoryStore,
        "sqlite": lambda: _sqlite(tmp_path / "state.db"),
        "sqlite without recent records": lambda: _sqlite(tmp_path / "state.db", recent_records=0),
    }
    with makers[request.param]() as store:
        yield store


def record(due_ms: int, content: bytes = b"") -> bytes:
    return due_ms.to_bytes(8, "big") + b"\x01" + content


def test_a_profile_that_was_never_written_has_no_record(store):
    assert store.read("ana") is None
    assert store.profiles() == 0


def test_a_record_is_read_back_as_it_was_written_last(store):
    store.commit(Batch(records={"ana": record(0, b"old"), "ben": record(5)}))
    store.commit(Batch(records={"ana": record(7, b"new\x00\xff")}))
    assert store.read("ana") == record(7, b"new\x00\xff")
    assert dict(store.records()) == {"ana": record(7, b"new\x00\xff"), "ben": record(5)}
    assert store.profiles() == 2


def test_an_erased_profile_is_gone(store):
    store.commit(Batch(records={"ana": record(9), "ben": record(5)}))
    store.read("ana")
    store.commit(Batch(records={"ana": None}))
    assert store.read("ana") is None
    assert list(store.waiting()) == [(5, "ben")]


def test_waiting_lists_those_with_a_due_instant(store):
    store.commit(Batch(records={"ana": record(9), "ben": record(0), "eva": record(3)}))
    store.commit(Batch(records={"eva": record(0)}))
    assert sorted(store.waiting()) == [(9, "ana")]


def test_the_outbox_holds_lines_until_they_are_delivered(store):
    first = store.commit(Batch(lines={"actions": b"a1\na2\n", "decisions": b"d1\n"}))
    second = store.commit(Batch(lines={"actions": b"a3\n"}, delivered=first))
    assert second > first
    assert list(store.outbox()) == [OutboxLines(second, "actions", b"a3\n")]
    assert store.commit(Batch(delivered=second)) == second
    assert list(store.outbox()) == []
    assert store.commit(Batch(lines={"actions": b"a4\n"})) > second


def test_decisions_are_found_by_profile_in_their_order(store):
    store.commit(Batch(decisions=[("ana", b"1\n2\n"), ("ben", b"3\n")]))
    store.commit(Batch(decisions=[("ana", b"4\n")]))
    assert list(store.decisions_of("ana")) == [b"1", b"2", b"4"]
    assert list(store.decisions_of("nobody")) == []
    assert list(store.decisions()) == [b"1", b"2", b"3", b"4"]


def test_decisions_made_before_an_instant_are_dropped_and_the_others_stay(store):
    old, new = b'{"at":"2026-01-01T00:00:00.000Z"}\n', b'{"at":"2026-02-01T00:00:00.000Z"}\n'
    store.commit(Batch(decisions=[("ana", old), ("ana", new), ("ben", old)]))
    assert store.drop_decisions("2026-02-01T00:00:00.000Z") == 2
    assert (list(store.decisions_of("ana")), list(store.decisions_of("ben"))) == ([new.strip()], [])
    assert store.drop_decisions("2026-02-01T00:00:00.000Z") == 0


def test_positions_are_kept_replaced_and_forgotten(store):
    store.commit(Batch(positions={"input a": b"1", "input b": b"2", "clock": b"3"}))
    store.commit(Batch(positions={"input a": b"4", "input b": None}))
    assert store.position("input a") == b"4"
    assert store.position("input b") is None
    assert store.positions("input") == {"input a": b"4"}
    assert store.positions("") == {"input a": b"4", "clock": b"3"}


def test_lengths_of_output_files_are_kept(store):
    store.commit(Batch(lengths={"actions.jsonl": 10, "decisions.jsonl": 0}))
    store.commit(Batch(lengths={"actions.jsonl": 25}))
    assert store.lengths() == {"actions.jsonl": 25, "decisions.jsonl": 0}


def test_definitions_are_kept_by_journey_and_version(store):
    old = VersionTexts("welcome", 1, {"welcome.journey.yaml": "journey: welcome ñ"})
    new = VersionTexts("welcome", 2, {"welcome.journey.yaml": "two", "orchestrator.yaml": "project: shop"})
    store.define([new, VersionTexts("welcome", 1, {})])
    store.define([old])
    assert store.definitions() == [old, new]


def test_a_release_is_kept_with_its_definitions_and_follows_the_one_before(store):
    assert (store.revision(), store.release()) == (0, None)
    definition = VersionTexts("welcome", 1, {"welcome.journey.yaml": "journey: welcome ñ"})
    first, second = Release(1, {"orchestrator.yaml": "project: shop"}), Release(2, {"orchestrator.yaml": "ñ"})
    store.define([definition], first)
    assert (store.revision(), store.release(), store.definitions()) == (1, first, [definition])
    store.define([], second)
    assert (store.revision(), store.release()) == (2, second)
    with pytest.raises(StorageError, match="published meanwhile"):
        store.define([], second)
    assert store.release() == second


def pending(action_id: str, due_ms: int = 5, lane: str = "email", profile_id: str = "ana") -> Pending:
    return Pending(action_id, lane, due_ms, profile_id, b"{}")


def test_what_is_due_on_a_lane_comes_in_the_order_of_its_instants(store):
    store.commit(Batch(pending=[pending("b", 7), pending("a", 5), pending("c", 5), pending("d", 9)]))
    store.commit(Batch(pending=[pending("x", 1, "push"), pending("a", 99)]))
    assert [each.action_id for each in store.due("email", 7, 10)] == ["a", "c", "b"]
    assert store.due("email", 7, 1) == [pending("a", 5)]
    assert [each.action_id for each in store.due("email", 99, 2, but={"a", "b", "x"})] == ["c", "d"]
    assert [store.next_due("email", after_ms) for after_ms in (0, 5, 9)] == [5, 7, None]
    assert (store.next_due("push", 0), store.next_due("sms", 0)) == (1, None)
    assert store.lanes() == {"email": 4, "push": 1}


def test_what_waits_is_handed_out_as_it_was_put_in(store):
    action = '{"to":"ñ \\"\\u0000 \u2028😀","data":{"n":1.50}}'.encode()
    store.commit(Batch(pending=[Pending("a'b\"", "e-mail ñ", 5, "ana", action)]))
    assert store.due("e-mail ñ", 5, 10) == [Pending("a'b\"", "e-mail ñ", 5, "ana", action)]


@pytest.mark.parametrize("count", [1, 127, 128, 300])
def test_a_batch_of_any_size_is_committed_whole(store, count):
    names = [f"n{number:03}" for number in range(count)]
    store.commit(
        Batch(
            records={name: record(7) for name in names},
            decisions=[(name, f"{name}\n".encode()) for name in names],
            pending=[pending(name) for name in names],
            dead_letters=[name.encode() for name in names],
        )
    )
    assert [name for _, name in sorted(store.waiting())] == names
    assert [each.decode() for each in store.decisions()] == names
    assert [each.decode() for each in store.dead_letters()] == names
    store.commit(Batch(settled=[Settled(name) for name in names[1:]], cancelled=names))
    assert [(each.action_id, each.cancelled) for each in store.due("email", 9, 999)] == [("n000", True)]


def test_what_is_settled_is_done_tried_again_or_given_up_on(store):
    store.commit(Batch(pending=[pending("a"), pending("b"), pending("c")]))
    later, gone = Settled("b", due_ms=50, attempts=2, why="busy"), Settled("c", reason="refused", why="no", attempts=1)
    store.commit(Batch(settled=[Settled("a"), later, gone, Settled("nobody")]))
    assert store.due("email", 100, 10) == [Pending("b", "email", 50, "ana", b"{}", 2, why="busy")]
    assert store.given_up() == [Pending("c", "email", 5, "ana", b"{}", 1, reason="refused", why="no")]
    assert store.lanes() == {"email": 1}
    assert store.revive(70, "expired") == 0
    assert store.revive(70) == 1
    assert [each.action_id for each in store.due("email", 100, 10)] == ["b", "c"]
    assert store.given_up() == []


def test_what_is_cancelled_asks_for_its_outcome_at_once(store):
    store.commit(Batch(pending=[pending("a", 500), pending("b", 600)], cancelled=["a", "nobody"]))
    assert [(each.action_id, each.cancelled) for each in store.due("email", 0, 10)] == [("a", True)]
    store.commit(Batch(settled=[Settled("a", due_ms=900, attempts=1)]))
    assert store.next_due("email", -1) == 0


def test_nothing_is_on_its_way_to_a_profile_that_was_erased(store):
    store.commit(Batch(records={"ana": record(0)}, pending=[pending("a"), pending("b", profile_id="ben")]))
    store.commit(Batch(records={"ana": None}))
    assert [each.action_id for each in store.due("email", 100, 10)] == ["b"]


def test_a_profile_is_found_by_whatever_it_is_known_by_until_it_is_erased(store):
    store.commit(
        Batch(
            records={"ana": record(0)},
            names={"hash of a phone": Named("ana", "phone"), "hash of a mail": Named("ana", "email")},
        )
    )
    store.commit(Batch(names={"hash of a phone": Named("ben", "phone")}))
    assert [store.named(f"hash of a {what}") for what in ("phone", "mail", "cookie")] == ["ben", "ana", None]
    assert [store.known(f"hash of a {what}") for what in ("phone", "cookie")] == [Named("ben", "phone"), None]
    store.commit(Batch(records={"ana": None}))
    assert [store.named(f"hash of a {what}") for what in ("phone", "mail")] == ["ben", None]
    store.commit(Batch(names={"hash of a phone": None, "hash of nothing": None}))
    assert (store.named("hash of a phone"), store.names_of("ben")) == (None, {})


def test_what_is_known_decided_or_on_its_way_under_a_merged_profile_is_the_others(store):
    store.commit(Batch(records={"ana": record(0, b"a")}, decisions=[("ana", b"1\n")]))
    store.commit(
        Batch(
            records={"visitor": record(5)},
            decisions=[("visitor", b"2\n")],
            pending=[pending("a", profile_id="visitor")],
            names={"cookie": Named("visitor", "cookie"), "phone": Named("visitor", "phone")},
        )
    )
    store.commit(
        Batch(
            records={"ana": record(5, b"both")},
            decisions=[("visitor", b"3\n"), ("ana", b"4\n")],
            pending=[pending("b", profile_id="visitor")],
            names={"visitor": Named("ana", "cookie")},
            merged=[("visitor", "ana")],
        )
    )
    assert (store.read("visitor"), store.read("ana"), store.profiles()) == (None, record(5, b"both"), 1)
    assert store.names_of("ana") == {"cookie": "cookie", "phone": "phone", "visitor": "cookie"}
    assert (store.named("cookie"), store.names_of("visitor")) == ("ana", {})
    assert [list(store.decisions_of(who)) for who in ("ana", "visitor")] == [[b"1", b"2", b"3", b"4"], []]
    assert [each.profile_id for each in store.due("email", 100, 10)] == ["ana", "ana"]
    assert list(store.waiting()) == [(5, "ana")]


def test_profiles_merged_one_after_the_other_in_one_batch_end_in_the_last(store):
    store.commit(Batch(records={"a": record(1), "b": record(2)}, names={"x": Named("a", "cookie")}))
    store.commit(Batch(records={"b": record(2), "c": record(3)}, merged=[("a", "b"), ("b", "c")]))
    assert (dict(store.records()), store.named("x")) == ({"c": record(3)}, "c")


def test_what_was_decided_about_an_erased_profile_goes_with_it(store):
    store.commit(Batch(records={"ana": record(0)}, decisions=[("ana", b"1\n"), ("ben", b"2\n")]))
    store.commit(Batch(records={"ana": None}))
    assert (list(store.decisions()), list(store.decisions_of("ana"))) == ([b"2"], [])


def case(case_id: str, opened_ms: int, **more: object) -> CaseFile:
    return CaseFile(
        case_id, "case", str(more.pop("profile_id", "ana")), str(more.pop("team", "care")), opened_ms, **more
    )


def test_a_case_is_read_back_as_it_was_written_last_and_found_by_whose_it_is(store):
    file = case("c1", 5, skill="stores", context={"said": "ñ"})
    store.commit(Batch(cases=[file, case("c2", 3)]))
    file.note(CaseLine(7, "note", "eva", "later"))
    assert store.casework.case("c1").lines == []
    store.commit(Batch(cases=[file]))
    assert store.casework.case("c1") == file
    assert [each.id for each in store.casework.of("ana")] == ["c2", "c1"]
    assert [each.id for each in store.casework.every()] == ["c2", "c1"]
    assert (store.casework.case("c3"), store.casework.of("ben")) == (None, [])


def test_the_queue_goes_by_urgency_then_age_and_closed_cases_by_their_end(store):
    cases = [
        case("a", 1),
        case("b", 2, priority="urgent"),
        case("c", 3, priority="high"),
        case("d", 2, priority="high"),
    ]
    ended = [case("x", 1, closed_ms=9), case("y", 2, closed_ms=10)]
    store.commit(Batch(cases=[*cases, *ended]))
    assert [each.id for each in store.casework.queue(Wanted(), 10)] == ["b", "d", "c", "a"]
    assert [each.id for each in store.casework.queue(Wanted(), 2)] == ["b", "d"]
    assert [each.id for each in store.casework.queue(Wanted(closed=True), 10)] == ["y", "x"]
    assert store.casework.opened() == [("ana", "a"), ("ana", "b"), ("ana", "d"), ("ana", "c")]
    assert (store.casework.drop(10), [each.id for each in store.casework.queue(Wanted(closed=True), 10)]) == (1, ["y"])


def test_a_queue_holds_what_is_wanted_of_it(store):
    store.commit(
        Batch(
            cases=[
                case("stores", 1, skill="stores", channel="email"),
                case("any", 2),
                case("sales", 3, team="sales", channel="sms"),
                case("theirs", 4, team=""),
            ]
        )
    )
    for wanted, ids in (
        (Wanted({"care": None}), ["stores", "any", "theirs"]),
        (Wanted({"care": frozenset({"complaints"})}), ["any", "theirs"]),
        (Wanted({"sales": None, "care": frozenset({"stores"})}), ["stores", "any", "sales", "theirs"]),
        (Wanted(channels=frozenset({"sms"})), ["any", "sales", "theirs"]),
    ):
        assert [each.id for each in store.casework.queue(wanted, 10)] == ids


def message(message_id: str, profile_id: str = "ana", channel: str = "chat", until_ms: int = 100) -> Streamed:
    return Streamed(message_id, profile_id, channel, 1, until_ms, b"{}")


def test_messages_are_read_in_their_order_after_a_place_each_once(store):
    store.commit(Batch(streamed=[message("m1"), message("m2", "ben"), message("m3", channel="till")]))
    store.commit(Batch(streamed=[message("m1", until_ms=999), message("m4")]))
    places = {each.id: each.number for each in store.casework.streamed("chat", None, 0, 1, 10)}
    assert list(places) == ["m1", "m2", "m4"]
    assert sorted(places.values()) == list(places.values())
    assert [each.id for each in store.casework.streamed("chat", None, places["m1"], 1, 1)] == ["m2"]
    assert [each.id for each in store.casework.streamed("chat", "ana", 0, 1, 10)] == ["m1", "m4"]
    assert store.casework.streamed("chat", None, 0, 100, 10) == []
    assert store.casework.streamed_message("m1").until_ms == 100
    assert [each.id for each in store.casework.streamed_of("ana")] == ["m1", "m3", "m4"]
    assert store.casework.last_streamed() == max(each.number for each in store.casework.streamed_of("ana"))
    assert (store.casework.drop_streamed(100), store.casework.streamed_message("m1")) == (4, None)
    last = store.casework.last_streamed()
    store.commit(Batch(streamed=[message("m5")]))
    assert store.casework.last_streamed() > last


def test_a_message_that_was_copied_is_found_by_where_it_came_from(store):
    origins = {"m1": 30, "m2": 7, "m3": 0, "m4": 31}
    store.commit(Batch(streamed=[msgspec.structs.replace(message(name), origin=at) for name, at in origins.items()]))
    assert [each.origin for each in store.casework.streamed("chat", None, 0, 1, 10)] == [30, 7, 0, 31]
    numbers = {each.id: each.number for each in store.casework.streamed_of("ana")}
    assert store.casework.first_streamed(7, 100) == numbers["m1"]
    assert store.casework.first_streamed(0, 30) == numbers["m2"]
    assert (store.casework.first_streamed(30, 31), store.casework.first_streamed(31, 99)) == (None, None)


def test_a_case_is_dropped_only_where_it_is_that_profiles(store):
    store.commit(Batch(cases=[case("c1", 1), case("c2", 2)]))
    store.commit(Batch(dropped=[("ben", "c1"), ("ana", "c2"), ("ana", "c9")]))
    assert [each.id for each in store.casework.every()] == ["c1"]


def test_cases_and_messages_go_with_their_profile_and_move_with_a_merge(store):
    cases = [case("c1", 1), case("c2", 2, profile_id="ben")]
    store.commit(Batch(records={"ana": record(0), "ben": record(0)}, cases=cases,
                       streamed=[message("m1"), message("m2", "ben")]))  # fmt: skip
    store.commit(Batch(cases=[case("c3", 3, profile_id="ben")], merged=[("ben", "eva")]))
    assert [each.id for each in store.casework.of("eva")] == ["c2", "c3"]
    assert {each.profile_id for each in store.casework.of("eva")} == {"eva"}
    assert [each.id for each in store.casework.streamed_of("eva")] == ["m2"]
    counts = store.erase("ana", [])
    assert (counts["cases"], counts["streamed"]) == (1, 1)
    assert [each.id for each in store.casework.every()] == ["c2", "c3"]
    assert store.casework.streamed_of("ana") == []


def test_dead_letters_are_kept_in_their_order(store):
    store.commit(Batch(dead_letters=[b"1", b"2"]))
    store.commit(Batch(dead_letters=[b"3"]))
    assert store.dead_letters() == [b"1", b"2", b"3"]


def test_decisions_that_go_out_as_they_are_wait_in_the_outbox_but_for_whoever_was_erased(store):
    told = [("ana", b"ana 1\nana 2\n"), ("ben", b"ben 1\n"), ("ana", b"ana 3\n")]
    store.commit(Batch(lines={"actions": b"a\n"}, decisions=[("ben", b"ben 0\n")]))
    number = store.commit(Batch(lines={"actions": b"b\n"}, decisions=told, told_to="decisions"))
    assert [(lines.target, lines.lines) for lines in store.outbox()] == [
        ("actions", b"a\n"),
        ("actions", b"b\n"),
        ("decisions", b"ana 1\nana 2\nben 1\nana 3\n"),
    ]
    assert store.erase("ana", [])["lines"] == 3
    assert [lines.lines for lines in store.outbox()] == [b"a\n", b"b\n", b"ben 1\n"]
    assert store.commit(Batch(decisions=[("eva", b"eva 1\n")], told_to="decisions")) == number + 1
    assert [lines.lines for lines in store.outbox()] == [b"a\n", b"b\n", b"ben 1\n", b"eva 1\n"]
    assert store.commit(Batch(told_to="decisions", delivered=number + 1)) == number + 1
    assert list(store.outbox()) == []


PROFILES = st.sampled_from(["ana", "ben", "eva"])
RECORDS = st.one_of(st.none(), st.builds(record, st.integers(0, 3), st.binary(max_size=3)))
BATCHES = st.lists(st.dictionaries(PROFILES, RECORDS, max_size=3), max_size=8)


@given(BATCHES, st.integers(0, 2), st.integers(0, 8))
def test_sqlite_answers_as_memory_does_whatever_it_keeps_at_hand(
    tmp_path_factory, batches, recent_records, opened_again_at
):
    path = tmp_path_factory.mktemp("store") / "state.db"
    with MemoryStore() as memory, ExitStack() as opened:
        sqlite = opened.enter_context(_sqlite(path, recent_records))
        for number, records in enumerate(batches):
            if number == opened_again_at:
                sqlite.close()
                sqlite = opened.enter_context(_sqlite(path, recent_records))
            for store in (memory, sqlite):
                store.commit(Batch(records=dict(records)))
            assert [sqlite.read(each) for each in ("ana", "ben", "eva")] == [
                memory.read(each) for each in ("ana", "ben", "eva")
            ]
        assert sorted(sqlite.waiting()) == sorted(memory.waiting())
        assert dict(sqlite.records()) == dict(memory.records())


def test_a_code_is_given_once_and_stays_given_when_nobody_knows_any_more_to_whom(store):
    ana, ben = Given("gift", "A", "entry-1", "ana"), Given("gift", "B", "entry-2", "ben")
    store.commit(Batch(given=[ana, ben, Given("tea", "T", "entry-1", "ana")]))
    assert store.codes() == {"A", "B", "T"}
    assert store.codes_of_entry("entry-1") == {"gift": "A", "tea": "T"}
    assert store.codes_of("ben") == [ben]
    for twice in (Given("gift", "A", "entry-3", "eva"), Given("gift", "C", "entry-1", "ana")):
        with pytest.raises(StorageError):
            store.commit(Batch(records={"eva": record(0)}, given=[twice]))
    assert (store.codes(), store.read("eva")) == ({"A", "B", "T"}, None)
    assert store.erase("ana", [])["coupons"] == 2
    assert (store.codes(), store.codes_of_entry("entry-1"), store.codes_of("ana")) == ({"A", "B", "T"}, {}, [])
    assert store.codes_of_entry("") == {}


def test_the_codes_of_a_merged_profile_are_the_others(store):
    store.commit(Batch(given=[Given("gift", "A", "entry-1", "visitor")]))
    store.commit(Batch(merged=[("visitor", "ana")]))
    assert store.codes_of("ana") == [Given("gift", "A", "entry-1", "ana")]


def test_an_address_is_found_with_all_whose_it_is_until_they_are_forgotten(store):
    store.commit(Batch(addressed=[("home", "ana"), ("home", "ben"), ("work", "ana"), ("home", "ana")]))
    store.commit(Batch(addressed=[("home", "visitor"), ("till", "visitor")], merged=[("visitor", "ana")]))
    assert store.addresses.owners("home", 9) == ["ana", "ben"]
    assert store.addresses.owners("home", 1) == ["ana"]
    assert store.addresses.of("ana") == ["home", "till", "work"]
    assert store.erase("ana", [])["addresses"] == 3
    assert (store.addresses.owners("home", 9), store.addresses.owners("work", 9)) == (["ben"], [])
    store.commit(Batch(records={"ben": None}))
    assert (store.addresses.owners("home", 9), store.addresses.of("ben")) == ([], [])


def test_what_is_left_of_an_action_is_tried_again_in_its_place(store):
    store.commit(Batch(pending=[Pending("a1", "push", 1, "ana", b'{"to":["t1","t2"]}')]))
    store.commit(Batch(settled=[Settled("a1", 5, 1, why="busy", action=b'{"to":["","t2"]}')]))
    store.commit(Batch(settled=[Settled("a1", 9, 2, why="busy")]))
    assert store.due("push", 9, 1) == [Pending("a1", "push", 9, "ana", b'{"to":["","t2"]}', 2, why="busy")]
