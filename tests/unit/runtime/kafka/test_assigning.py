"""The assignor: every partition to one member, evenly, and where it was before."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runtime.kafka.assigning import Claim, CopartitionedAssignor, share_out


class Cluster:
    """The one question that an assignor asks."""

    def __init__(self, **counts: int) -> None:
        self.counts = counts

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(self.counts[topic]))


def test_a_newcomer_takes_only_what_evenness_asks_for():
    assert share_out(4, {"old": Claim([0, 1, 2, 3], 1), "new": Claim()}) == {"old": [0, 1], "new": [2, 3]}


def test_who_stays_keeps_what_they_had_when_another_leaves():
    shares = share_out(6, {"a": Claim([0, 3], 2), "c": Claim([2, 5], 2)})
    assert shares["a"][:1] == [0]
    assert {0, 3} <= set(shares["a"])
    assert {2, 5} <= set(shares["c"])


def test_a_member_that_slept_through_a_generation_loses_to_who_holds_it_now():
    assert share_out(2, {"sleeper": Claim([0, 1], 1), "owner": Claim([1, 0], 2)})["owner"] in ([0], [1])
    assert share_out(1, {"a": Claim([0], 1), "b": Claim([0], 2)}) == {"a": [], "b": [0]}


@given(
    st.integers(0, 20),
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3),
        st.builds(Claim, st.lists(st.integers(0, 25)), st.integers(0, 3)),
        min_size=1,
        max_size=5,
    ),
)
def test_every_partition_has_one_owner_and_shares_differ_by_one_at_most(count, claims):
    shares = share_out(count, claims)
    assert sorted(number for share in shares.values() for number in share) == list(range(count))
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1
    assert shares == share_out(count, dict(reversed(claims.items())))


def test_one_number_of_every_topic_goes_to_one_member_and_is_claimed_the_next_time():
    first, second = CopartitionedAssignor(), CopartitionedAssignor()
    cluster = Cluster(events=4, receipts=4)
    topics = ["events", "receipts"]
    given_ = first.assign(cluster, {"a": first.metadata(topics), "b": second.metadata(topics)})
    assert {member: dict(answer.assignment) for member, answer in given_.items()} == {
        "a": {"events": [0, 1], "receipts": [0, 1]},
        "b": {"events": [2, 3], "receipts": [2, 3]},
    }
    first.on_assignment(given_["a"])
    second.on_assignment(given_["b"])
    again = first.assign(cluster, {"b": first.metadata(topics), "a": second.metadata(topics)})
    assert dict(again["b"].assignment)["events"] == [0, 1]


def test_a_member_of_another_release_gets_its_share():
    ours = CopartitionedAssignor()
    other = ours.metadata(["events"])
    other.user_data = b"\xc1 not ours"
    shares = ours.assign(Cluster(events=2), {"a": ours.metadata(["events"]), "b": other})
    assert [dict(answer.assignment)["events"] for answer in shares.values()] == [[0], [1]]


def test_while_a_topic_is_added_to_one_worker_after_the_other_each_is_given_what_it_reads():
    old, new = CopartitionedAssignor(), CopartitionedAssignor()
    members = {"a": old.metadata(["events"]), "b": new.metadata(["events", "tills"])}
    shares = new.assign(Cluster(events=4, tills=4), members)
    assert {member: dict(answer.assignment) for member, answer in shares.items()} == {
        "a": {"events": [0, 1]},
        "b": {"events": [2, 3], "tills": [2, 3]},
    }
