"""The commit: how one partition's turns become visible, all of them or none.

What a turn changes lies in memory (`Outgoing`) until a transaction carries it. A transaction is open only for the
length of a commit, so that it holds up no reader while events are processed. Its steps, and what happens if the
process dies right after each:

1. **Begin.** Local to the producer. Dies: the next owner reads the offsets of the last commit and does the same turns
   again from the same records; ids are derived from what they stand for, so it decides the same.
2. **Send the lines**: actions, decisions, dead letters, to the partition's own number in each output topic; what
   takes back a message that left to a profile before it was merged, to that one's; what resolve passes on, to the
   partition of its profile.
   Dies: they are in the log, and invisible to read_committed. The next owner's InitProducerId aborts them.
3. **Send the changes** to the changelog: each changed profile once, and last the header: clock, input offsets, revision
   of the catalog. Dies: as 2.
4. **Check every send.** aiokafka commits a transaction of which a batch was refused. One refusal ends the incarnation.
   Dies: as 2.
5. **Add the offsets** of the inputs. Dies: as 2; they are part of what is aborted.
6. **End.** The coordinator writes the transaction's fate; from then on it *will* be visible, in every partition.
   Dies before it is written: as 2. Dies after, before the answer: it is committed, and the next owner's InitProducerId
   returns only when that is finished, so its restore and its offset contain it. An answer that is lost to a process
   that lives is the same: the outcome is unknown, so the incarnation ends and asks the log.
7. **Tell the state**: a store on disk takes over the changes and their checkpoint. Dies: the checkpoint lies behind,
   and a restore reads the difference from the changelog.

Any error in between ends the incarnation of the partition: memory is dropped, a new producer fences this one, the
changelog is read, the offsets are asked for. Nothing here is ever retried on its own.
Owns this order. Must never touch what a turn decided.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from aiokafka.structs import TopicPartition

from orchestrator.runtime import faults
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, encode_header
from orchestrator.runtime.kafka.outgoing import Outgoing
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.kafka.writer import Writer

# Longer than the brokers let a transaction live: after it, what was open has been aborted.
LONGEST_S = 12.0


@dataclass(frozen=True)
class Target:
    """Where a partition's transactions come from and go.

    `number` is the partition of the inputs, `output` that of the output topics: the same, but for resolve. Without a
    changelog there is no state, and nothing to restore. `changelog` names another one than the turns'.
    """

    topics: Topics
    number: int
    output: int
    group_id: str
    has_changelog: bool = True
    changelog: str | None = None

    @property
    def logged_to(self) -> TopicPartition:
        """The changelog's partition."""
        return TopicPartition(self.changelog or self.topics.changelog, self.output)


async def commit(
    writer: Writer, outgoing: Outgoing, header: Header, target: Target, notes: Mapping[str, str] | None = None
) -> int:
    """Carry one partition's facts in one transaction; return the changelog's end behind it, 0 without one.

    `notes` are what stands beside an input's offset, by topic. Raises whatever went wrong, TimeoutError among it; the
    outcome is then unknown.
    """
    async with asyncio.timeout(LONGEST_S):
        # 1. Begin.
        faults.reach("commit.begin")
        await writer.begin()
        # 2. Send the lines.
        faults.reach("commit.lines")
        output, topics = target.output, target.topics
        sent = await writer.send(topics.actions, output, outgoing.actions)
        sent += await writer.send(topics.decisions, output, outgoing.decisions)
        sent += await writer.send(topics.dead_letters, output, outgoing.dead_letters)
        for other, lines in outgoing.elsewhere.items():
            sent += await writer.send(topics.actions, other, lines)
        for other, forwards in outgoing.forwards.items():
            sent += await writer.forward(topics.resolved, other, forwards)
        sent += await writer.forward(topics.links, 0, outgoing.links)
        # 3. Send the changes, and behind them the header.
        faults.reach("commit.changes")
        changes = chain(outgoing.changes.items(), [(HEADER_KEY, encode_header(header))])
        changelog = target.logged_to
        logged = await writer.send(changelog.topic, changelog.partition, changes) if target.has_changelog else []
        # 4. Check every send.
        faults.reach("commit.check")
        for future, _ in sent + logged:
            await future
        # 5. Add the offsets.
        faults.reach("commit.offsets")
        said = notes or {}
        offsets = {
            TopicPartition(topic, target.number): (offset, said.get(topic, ""))
            for topic, offset in outgoing.offsets.items()
        }
        if offsets:
            await writer.add_offsets(offsets, target.group_id)
        # 6. End.
        faults.reach("commit.end")
        await writer.end()
        faults.reach("commit.ended")
    if not logged:
        return 0
    last, count = logged[-1]
    # Behind our last record stands the transaction's own marker.
    end: int = (await last).offset + count + 1
    return end
