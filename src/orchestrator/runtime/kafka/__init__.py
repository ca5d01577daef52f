"""The runtime on Kafka: one of many workers, exactly-once, restored from its changelog.

Owns the consumer group, the transactions and the partition's clock, and is the only place that imports Faust;
it does so lazily, because importing Faust parses the process's arguments.
Must never decide anything about a customer, nor keep state that the changelog could not give back.
"""
