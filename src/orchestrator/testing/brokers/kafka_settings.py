"""The settings of a Kafka of one node that serves tests: small internal topics, no waiting, nothing expires.

Owns these values and why they differ from Kafka's own.
Must never name an address or a folder: those belong to whoever starts the broker.
"""

from types import MappingProxyType

FOR_ONE_NODE = MappingProxyType(
    {
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # Lets a test choose a session of one second; Kafka's least is six.
        "group.min.session.timeout.ms": "1000",
        # A transaction past its time is aborted within a second, not within ten.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # Records of tests carry old timestamps; the default of a week would delete them while they are read.
        "log.retention.ms": "-1",
        # Topics that do expire, and compacted ones, are looked after at once: a test that waits for it waits seconds.
        "log.retention.check.interval.ms": "1000",
        "log.cleaner.backoff.ms": "500",
        # A topic that nobody created is a mistake of ours, and shall look like one.
        "auto.create.topics.enable": "false",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
)

# A killed broker that starts again is refused by its own controller until its old session is over: nine seconds by
# default. *Measured:* 13 s to come back with it, 7 s with two.
FOR_QUICK_RESTART = MappingProxyType({"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500"})
