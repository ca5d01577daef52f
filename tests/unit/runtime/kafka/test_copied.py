"""The copy of the customers: what the topics say, whatever reaches it first, and whose file it is."""

import time
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka.structs import TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model import codec, instants
from orchestrator.model.casework import CaseFile
from orchestrator.model.profile import Profile
from orchestrator.model.project import Channel, Project
from orchestrator.model.state import Sent, State
from orchestrator.runtime import addressing
from orchestrator.runtime.kafka import copied
from orchestrator.runtime.kafka.cases import place_of
from orchestrator.runtime.kafka.copied import AnotherLogError, Copy, News
from orchestrator.runtime.kafka.header import Header, encode_header
from orchestrator.storage import Batch, SqliteStore
from providers.deliveries import trait

WEEK = 7 * 24 * 3_600_000
NOW = 1_800_000_000_000
PREFIX = bytes(9)
SHOP = Project("shop")


def record(key: str, value: bytes | None, at_ms: int = NOW, offset: int = 1 << 40) -> SimpleNamespace:
    return SimpleNamespace(topic="t", partition=0, offset=offset, key=key.encode(), value=value, timestamp=at_ms)


def life(profile_id: str) -> bytes:
    return codec.encode(State(Profile(profile_id, profile_id)))


def leads(name: str, root: str, kind: str = "email") -> SimpleNamespace:
    return record(name, PREFIX + f"{root} {kind}".encode())


@pytest.fixture
def copy(tmp_path):
    opened = Copy(tmp_path / "copy.db", "shop", WEEK, lambda: SHOP)
    yield opened
    opened.close()


def test_it_holds_the_newest_record_of_everybody_and_nothing_of_the_partitions_own(copy):
    kept = life("ana")
    copy.take(News(states=[record("ana", b"\0" * 9), record("@partition", b"{}"), record("ana", kept)]), NOW + 1)
    assert dict(copy.store.records()) == {"ana": kept}


def test_it_goes_on_where_it_stopped(copy, tmp_path):
    reached = {TopicPartition("shop-turn-changelog", 3): 17, TopicPartition("decisions", 0): 4}
    copy.take(News(states=[record("ana", life("ana"))], positions=reached), 0)
    copy.close()
    again = Copy(tmp_path / "copy.db", "shop", WEEK, lambda: SHOP)
    assert (again.kept(), again.store.profiles()) == (reached, 1)
    again.close()


def test_one_that_is_too_old_to_know_who_was_erased_is_made_anew(copy, monkeypatch):
    copy.take(News(states=[record("ana", life("ana"))], positions={TopicPartition("t", 0): 9}), 0)
    later = time.time() + copied.OLDEST_CHECKPOINT_S + 60
    monkeypatch.setattr(copied.time, "time", lambda: later)
    assert (copy.kept(), copy.store.profiles()) == ({}, 0)


def header(log: str, offset: int = 1 << 40) -> SimpleNamespace:
    return record("@partition", encode_header(Header(log=log)), offset=offset)


def test_a_changelog_that_was_made_anew_is_known_by_its_name_where_the_copy_goes_on(copy):
    of_one = [record("ana", life("ana")), header("one")]
    copy.take(News(states=of_one, positions={TopicPartition("t", 0): 9}), 0)
    assert copy.kept() == {("t", 0): 9}
    copy.take(News(states=[header("one")]), 0)
    copy.kept()
    copy.take(News(states=[header("")]), 0)  # of a release that knows no names
    with pytest.raises(AnotherLogError):
        copy.take(News(states=[record("ben", life("ben")), header("two")]), 0)
    assert list(dict(copy.store.records())) == ["ana"]
    copy.wipe()
    assert copy.kept() == {}
    copy.take(News(states=[record("ben", life("ben")), header("two")]), 0)
    copy.take(News(states=[header("three")]), 0)  # one log all the same: it was read without a gap
    assert list(dict(copy.store.records())) == ["ben"]


def test_a_changelog_that_begins_again_below_its_reader_is_another(copy):
    copy.take(News(states=[record("ana", life("ana"), offset=8)], positions={TopicPartition("t", 0): 9}), 0)
    copy.take(News(states=[record("ana", life("ana"), offset=9)], positions={TopicPartition("t", 0): 10}), 0)
    with pytest.raises(AnotherLogError):
        copy.take(News(states=[record("ben", life("ben"), offset=9)], positions={TopicPartition("t", 0): 10}), 0)


def test_whoever_is_merged_is_found_under_all_names_with_everything_that_was_decided(copy):
    copy.take(
        News(
            states=[record("visitor", life("visitor")), record("ana", life("ana"))],
            decisions=[record("visitor", b'{"at": "1"}')],
        ),
        0,
    )
    merging = News(
        links=[leads("visitor", "ana", "cookie"), leads("hash of an address", "ana")],
        states=[record("visitor", None), record("ana", life("ana"))],
        decisions=[record("visitor", b'{"at": "2"}'), record("ana", b'{"at": "3"}')],
    )
    copy.take(merging, 0)
    store = copy.store
    assert dict(store.records()) == {"ana": life("ana")}
    assert {store.named("visitor"), store.named("hash of an address")} == {"ana"}
    assert list(store.decisions_of("ana")) == [b'{"at": "1"}', b'{"at": "2"}', b'{"at": "3"}']


def test_nothing_is_left_of_whoever_is_erased(copy, tmp_path):
    value = b'{"saw": {"name": "Filomena"}}'
    copy.take(News(links=[leads("hash", "ana")], states=[record("ana", life("ana"))]), 0)
    copy.take(News(decisions=[record("ana", value, NOW)]), 0)
    copy.take(News(links=[record("hash", None)], states=[record("ana", None, NOW + 5)]), 0)
    # What was decided before reaches the copy late, and what comes after they came back does not.
    copy.take(News(decisions=[record("ana", value, NOW + 4)]), 0)
    assert (copy.store.profiles(), copy.store.named("hash"), list(copy.store.decisions())) == (0, None, [])
    copy.tidy()
    copy.store.scrub()
    assert b"Filomena" not in (tmp_path / "copy.db").read_bytes()
    copy.take(News(decisions=[record("ana", b'{"at": "9"}', NOW + 6)]), 0)
    assert list(copy.store.decisions()) == [b'{"at": "9"}']


def test_an_erasure_is_overdue_to_be_scrubbed_where_there_is_always_something_to_copy(copy, monkeypatch):
    copy.take(News(states=[record("ana", life("ana"), NOW)]), 0)
    assert not copy.is_overdue
    monkeypatch.setattr(copied, "LONGEST_UNTIDY_S", -1.0)
    assert not copy.is_overdue
    copy.take(News(states=[record("ana", None, NOW)]), 0)
    assert copy.is_overdue
    copy.tidy()
    assert not copy.is_overdue


def test_whoever_came_back_before_the_tombstone_was_read_keeps_their_names(copy):
    copy.take(News(links=[leads("hash", "ana")], states=[record("ana", life("ana"))]), 0)
    copy.take(News(links=[record("hash", None), leads("hash", "ana")]), 0)
    copy.take(News(states=[record("ana", None), record("ana", life("ana"))]), 0)
    copy.take(News(states=[record("ana", None)]), 0)
    assert copy.store.named("hash") == "ana"


def test_whoever_was_merged_while_nobody_copied_keeps_what_was_decided(copy, tmp_path):
    copy.take(News(states=[record("visitor", life("visitor"))], decisions=[record("visitor", b'{"at": "1"}')]), 0)
    copy.close()
    again = Copy(tmp_path / "copy.db", "shop", WEEK, lambda: SHOP)
    again.take(News(links=[leads("visitor", "ana", "cookie")]), NOW + 1)
    again.take(News(states=[record("visitor", None), record("ana", life("ana"))]), NOW + 1)
    assert list(again.store.decisions_of("ana")) == [b'{"at": "1"}']
    again.close()


def test_made_anew_it_takes_no_decisions_about_people_of_whom_nothing_is_kept(copy):
    copy.take(News(states=[record("ana", life("ana"))]), NOW + 1)
    copy.take(News(decisions=[record("ana", b'{"a": 1}'), record("gone", b'{"a": 2}')]), NOW + 1)
    assert list(copy.store.decisions()) == [b'{"a": 1}']


def test_decisions_go_when_their_topic_lets_go_of_them(copy, monkeypatch):
    copy.take(News(decisions=[record("ana", b'{"at":"2020-01-01T00:00:00.000Z"}')]), 0)
    copy.tidy()
    assert list(copy.store.decisions()) != []
    monkeypatch.setattr(copied, "PRUNE_S", 0.0)
    copy.tidy()
    assert list(copy.store.decisions()) == []


def test_a_store_of_serve_is_never_written_over(tmp_path):
    path = tmp_path / "shop.db"
    with SqliteStore(path) as store:
        store.commit(Batch(positions={"serve.write_key": b"k"}))
    with pytest.raises(StorageError, match="a store of its own, not the copy of shop; name another file"):
        Copy(path, "shop", WEEK, lambda: SHOP)
    with SqliteStore(path) as store:  # and it is free again
        assert store.position("serve.write_key") == b"k"


def test_the_copy_of_another_application_is_left_alone(copy, tmp_path):
    copy.close()
    with pytest.raises(StorageError, match="the copy of shop, not the copy of other"):
        Copy(tmp_path / "copy.db", "other", WEEK, lambda: SHOP)


def case(profile_id: str, case_id: str, agent: str | None = None) -> SimpleNamespace:
    file = CaseFile(case_id, "case", profile_id, "care", NOW, agent=agent)
    return record(place_of(profile_id, case_id), PREFIX + msgspec.msgpack.encode(file))


def kept(copy) -> list[tuple[str, str, str | None]]:
    return [(file.id, file.profile_id, file.agent) for file in copy.store.casework.every()]


def test_cases_are_as_they_were_written_last_and_go_when_their_partition_lets_go_of_them(copy):
    copy.take(
        News(states=[record("ana", life("ana")), case("ana", "c1"), case("ana", "c 2"), case("ana", "c1", "eva")]), 0
    )
    assert kept(copy) == [("c1", "ana", "eva"), ("c 2", "ana", None)]
    copy.take(News(states=[record(place_of("ana", "c 2"), None)]), 0)
    assert kept(copy) == [("c1", "ana", "eva")]
    copy.take(News(states=[record("ana", None), record(place_of("ana", "c1"), None)]), 0)
    assert kept(copy) == []


@pytest.mark.parametrize("is_late", [False, True])
def test_a_case_that_moves_with_its_customer_is_not_lost_whichever_partition_is_read_first(copy, is_late):
    copy.take(News(states=[record("visitor", life("visitor")), record("ana", life("ana")), case("visitor", "c1")]), 0)
    leaving = News(states=[record("visitor", None), record(place_of("visitor", "c1"), None)])
    coming = News(states=[case("ana", "c1", "eva")])
    copy.take(News(links=[leads("visitor", "ana", "cookie")]), 0)
    assert kept(copy) == [("c1", "ana", None)]
    for news in (coming, leaving) if is_late else (leaving, coming):
        copy.take(news, 0)
    assert kept(copy) == [("c1", "ana", "eva")]


def test_a_copy_that_begins_reads_what_was_before_a_move_and_keeps_what_came_of_it(copy):
    copy.take(News(links=[leads("visitor", "ana", "cookie")]), 0)
    copy.take(News(states=[case("ana", "c1", "eva"), case("visitor", "c1")]), 0)
    copy.take(News(states=[record(place_of("visitor", "c1"), None)]), 0)
    assert kept(copy) == [("c1", "ana", "eva")]


def told(profile_id: str, message_id: str, at_ms: int) -> SimpleNamespace:
    message = {"id": message_id, "channel": "in-app", "at": instants.to_text(at_ms)}
    value = msgspec.json.encode({**message, "expires_at": instants.to_text(at_ms + WEEK)})
    return SimpleNamespace(key=profile_id.encode(), value=value, timestamp=at_ms, partition=2, offset=7)


def test_messages_for_somebody_who_was_erased_are_not_copied(copy):
    copy.take(
        News(states=[record("ana", life("ana"))], messages=[told("ana", "m1", NOW), told("ben", "m2", NOW)]), NOW + 1
    )
    [message] = copy.store.casework.streamed("in-app", None, 0, NOW, 9)
    assert (message.id, message.until_ms, copied.split_origin(message.origin)) == ("m1", NOW + WEEK, (2, 8))
    copy.take(News(states=[record("ana", None, NOW + 5)]), NOW)
    copy.take(News(messages=[told("ana", "m3", NOW + 4)]), NOW)
    assert copy.store.casework.streamed("in-app", None, 0, NOW, 9) == []


def test_nothing_of_a_case_or_a_message_stays_in_the_file_of_whoever_is_erased(copy, tmp_path):
    def bytes_kept() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("copy.db*"))

    message = told("ana", "m1", NOW)
    message.value = message.value.replace(b'"m1"', b'"planted-message"')
    copy.take(News(states=[record("ana", life("ana")), case("ana", "c1", "planted-agent")], messages=[message]), 0)
    assert [planted in bytes_kept() for planted in (b"planted-agent", b"planted-message")] == [True, True]
    copy.take(News(states=[record("ana", None), record(place_of("ana", "c1"), None)]), 0)
    copy.tidy()
    assert b"planted" not in bytes_kept()


def test_a_record_that_is_no_message_hides_none_of_the_others(copy, caplog):
    broken = told("ana", "m1", NOW)
    broken.value = b'{"id": 7}'
    copy.take(News(states=[record("ana", life("ana"))], messages=[broken, told("ana", "m2", NOW)]), 0)
    assert [each.id for each in copy.store.casework.streamed("in-app", None, 0, NOW, 9)] == ["m2"]
    assert "record 7 of partition 2" in caplog.text


def test_customers_are_found_by_the_addresses_in_their_records_until_they_are_erased(tmp_path):
    shop = Project("shop", channels={"sms": Channel("sms", trait("phone"))})
    in_force = [SHOP]
    copy = Copy(tmp_path / "found.db", "shop", WEEK, lambda: in_force[-1])
    sent = Sent("a1", 1, "cart", "e1", "remind", "hello", "sms", "marketing", "600 000 002", reached="+34600000002")
    ana = State(Profile("ana", "ana", traits={"phone": "+34600000001"}))
    ana.history.sent.append(sent)
    copy.take(News(states=[record("ana", codec.encode(ana)), record("ben", b"x" * 20)]), 0)  # which nobody can read
    assert found(copy, "+34600000001") == []  # no channel reads it
    in_force.append(shop)
    copy.take(News(states=[record("carla", life("carla"))]), 0)
    assert found(copy, "+34 600 000 001") == found(copy, "600000002") == found(copy, "+34600000002") == ["ana"]
    assert found(copy, "+34600000003") == []
    copy.take(News(states=[record("ana", None)]), 0)
    assert found(copy, "+34600000001") == copy.store.addresses.of("ana") == []
    copy.close()


def found(copy, phone: str) -> list[str]:
    project = copy._project()
    return [each.state.profile_id for each in addressing.reached(copy.store, project, "sms", phone)]
