"""Who works on which partition: the same numbers of every topic together, and where they were before.

Owns the assignor that the group's leader runs and the few bytes that each member tells it: what it held, and since
which generation. aiokafka's own sticky assignor spreads the topics of one partition number over several workers, and
keeps its memory in the class, so that two groups in one process confuse each other.
Must never look at anything but the members' topics and claims: every worker would assign alike.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

VERSION = 0


class Claim(msgspec.Struct):
    """What a member says when it joins: the partitions it held, and the generation that gave them to it."""

    partitions: list[int] = []
    generation: int = 0


def share_out(count: int, claims: Mapping[str, Claim]) -> dict[str, list[int]]:
    """Give each of `count` partitions to one member, evenly, and as many as possible to who held them before."""
    members = sorted(claims)
    least, surplus = divmod(count, len(members))
    holders = _holders(count, claims)
    held = {member: [number for number in range(count) if holders.get(number) == member] for member in members}
    # Those who hold more than the least share keep one of the surplus places, so that fewer partitions move.
    roomy = set(sorted(members, key=lambda member: (-len(held[member]), member))[:surplus])
    shares = {member: held[member][: least + (member in roomy)] for member in members}
    kept = {number for share in shares.values() for number in share}
    free = iter(sorted(set(range(count)) - kept))
    for member in members:
        for _ in range(least + (member in roomy) - len(shares[member])):
            shares[member].append(next(free))
    return {member: sorted(share) for member, share in shares.items()}


def _holders(count: int, claims: Mapping[str, Claim]) -> dict[int, str]:
    """Find who held each partition last; of two who claim one, the member of the later generation did."""
    holders: dict[int, str] = {}
    for member in sorted(claims, key=lambda name: (claims[name].generation, name)):
        holders |= {number: member for number in claims[member].partitions if number < count}
    return holders


class CopartitionedAssignor:
    """aiokafka's assignor interface over `share_out`; one for each consumer."""

    name = "copartitioned-sticky"

    def __init__(self) -> None:
        self._claim = Claim()

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Tell the leader what this member reads and held."""
        return ConsumerProtocolMemberMetadata(VERSION, sorted(topics), msgspec.msgpack.encode(self._claim))

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Assign as the group's leader; the answer carries the next generation, for the members' next claims."""
        claims = {member: _claim_of(metadata.user_data) for member, metadata in members.items()}
        topics = sorted({topic for metadata in members.values() for topic in metadata.subscription})
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        generation = 1 + max(claim.generation for claim in claims.values())
        shares = share_out(max(counts.values(), default=0), claims)
        return {
            member: ConsumerProtocolMemberAssignment(
                VERSION,
                # aiokafka takes no topic that its member does not read; workers are given another one by one.
                [
                    (topic, [number for number in share if number < counts[topic]])
                    for topic in sorted(members[member].subscription)
                ],
                msgspec.msgpack.encode(Claim(share, generation)),
            )
            for member, share in shares.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Remember what was given, to claim it the next time."""
        self._claim = _claim_of(assignment.user_data)


def _claim_of(user_data: bytes | None) -> Claim:
    try:
        return msgspec.msgpack.decode(user_data or b"\x80", type=Claim)
    except msgspec.MsgspecError:
        return Claim()  # a member of another release: it claims nothing, and gets its share all the same
