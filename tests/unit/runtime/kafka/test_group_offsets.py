"""What a group has committed: an error is never taken for nothing, in either version of the question."""

import io

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError, GroupLoadInProgressError
from aiokafka.protocol.commit import OffsetFetchResponse_v3
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from orchestrator.runtime.kafka import group_offsets
from orchestrator.runtime.kafka.group_offsets import UnstableOffsetsError, committed, committed_by, mend_aiokafka

LOADING, NOT_COORDINATOR, NOT_AUTHORIZED, UNSTABLE = 14, 16, 30, 88
ZERO, ONE = TopicPartition("events", 0), TopicPartition("events", 1)
FOUND = {ZERO: OffsetAndMetadata(7, "4")}


def answer(version: int, *, error: int = 0, errors: tuple[int, int] = (0, 0)):
    """Write what a broker answers about two partitions, of which one has an offset; read as it comes over the wire."""
    kept = [(0, 7, "4", errors[0]), (1, -1, "", errors[1])]
    if version == 3:
        return OffsetFetchResponse_v3(0, [] if error else [("events", kept)], error)
    kept = [(number, offset, 5, note, code, {}) for number, offset, note, code in kept]
    written = group_offsets._Response7(0, [] if error else [("events", kept, {})], error, {})
    return group_offsets._Response7.decode(io.BytesIO(written.encode()))


class Coordinator:
    """A consumer's coordinator that knows these answers, one for each question."""

    group_id = "shop"

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked = []
        self.deaths = 0

    async def ensure_coordinator_known(self):
        assert self.answers

    def coordinator_dead(self):
        self.deaths += 1

    async def _send_req(self, question):
        self.asked.append(question)
        return self.answers.pop(0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(group_offsets, "RETRY_S", 0)


@pytest.mark.parametrize("version", [3, 7])
async def test_what_was_committed_is_found_and_what_was_not_is_left_out(version):
    assert await committed(Coordinator(answer(version)), [ZERO, ONE]) == FOUND


@pytest.mark.parametrize("version", [3, 7])
@pytest.mark.parametrize("error", [LOADING, NOT_COORDINATOR])
async def test_a_coordinator_that_does_not_know_yet_is_asked_again(version, error):
    coordinator = Coordinator(answer(version, error=error), answer(version, errors=(0, LOADING)), answer(version))
    assert await committed(coordinator, [ZERO, ONE]) == FOUND
    assert coordinator.deaths == (error == NOT_COORDINATOR)


async def test_offsets_of_a_transaction_that_is_not_over_are_waited_for():
    coordinator = Coordinator(answer(7, errors=(UNSTABLE, 0)), answer(7))
    assert await committed(coordinator, [ZERO, ONE]) == FOUND
    assert len(coordinator.asked) == 2


async def test_what_asking_again_does_not_mend_is_raised():
    with pytest.raises(GroupAuthorizationFailedError):
        await committed(Coordinator(answer(7, error=NOT_AUTHORIZED)), [ZERO])


@pytest.mark.parametrize(("newest", "is_stable", "asked"), [(9, True, 7), (9, False, 7), (7, True, 7), (5, True, 3)])
async def test_brokers_are_asked_in_the_newest_version_that_they_know(newest, is_stable, asked):
    coordinator = Coordinator(answer(asked))
    await committed(coordinator, [ZERO, ONE, TopicPartition("receipts", 0)], is_stable=is_stable)
    [question] = coordinator.asked
    written = question.prepare({9: (1, newest)})
    read = type(written).decode(io.BytesIO(written.encode()))
    assert (read.API_VERSION, read.consumer_group) == (asked, "shop")
    if asked == 7:
        assert read.topics == [("events", [0, 1], {}), ("receipts", [0], {})]
        assert read.require_stable == is_stable
    else:
        assert read.topics == [("events", [0, 1]), ("receipts", [0])]


async def test_of_another_group_it_is_asked_once():
    class Admin:
        async def find_coordinator(self, group):
            return {"shop-deliver": 5}[group]

        async def _send_request(self, question, node):
            return {5: answer(7, error=error)}[node]

    error = 0
    assert await committed_by(Admin(), "shop-deliver", [ZERO, ONE]) == FOUND
    error = LOADING
    with pytest.raises(GroupLoadInProgressError):
        await committed_by(Admin(), "shop-deliver", [ZERO])


async def test_consumers_that_look_for_their_places_by_themselves_ask_like_this_too(monkeypatch):
    monkeypatch.setattr(GroupCoordinator, "_do_fetch_commit_offsets", None)
    mend_aiokafka()
    ask = GroupCoordinator._do_fetch_commit_offsets
    assert await ask(Coordinator(answer(7)), [ZERO, ONE]) == FOUND
    with pytest.raises(UnstableOffsetsError):
        await ask(Coordinator(answer(7, errors=(UNSTABLE, 0))), [ZERO])
