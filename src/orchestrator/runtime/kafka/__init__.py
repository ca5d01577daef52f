"""The runtime on Kafka: one of many workers, exactly-once, restored from its changelog.

    events ─► resolve ─► resolved ─► turns ─┬─► actions ─► deliver ─► providers
                 │          ▲          ▲    ├─► decisions, dead letters
                 └─► links ─┘          │    └─► changelog ─► restore, the copy of `serve --kafka`
                                       └── receipts ◄── deliver, `serve --kafka`

A process
    app, worker, delivering, gateway    how it is hosted; what each of the three starts and stops
    starting, closing, health, metrics, settings
                                        waiting for brokers, what it answers and counts, what operators set
    catalogs, publishing                the definitions in force; what is compared with them
Reading and writing
    membership, assigning, ownership, fetching, fetched, drift, ends
                                        the group and the loop; who works on what; what this worker owns; what was
                                        fetched, and its records; who waits for slower ones; inputs' ends
    incarnation, writer, restore, commit
                                        a partition from its producer's epoch to its first error, in the only safe order
    batches                             what a producer sends at once, compiled where there is a compiler
    topics, keys, records, header       names and settings, the partitioner, an event from a record, what a commit says
    places, group_offsets, watching     where an input is gone on with; topics that are not as they were
A partition's work
    unit, outgoing, merging, clock      what the loop knows of any; what a transaction carries; inputs by time; timers
    resolving, lately                   resolve, with its job: events rekeyed by their customer
    turning, partition, unsettled, state, occupancy
                                        the turns' job; the turns; whom definitions move; records, in memory or RocksDB;
                                        how many are in each journey
    shortcut, letters                   the turns that are compiled; what is told of those that came to nothing
    resolved, resolved_partition, alignment, waiting
                                        the topic between, and a partition behind it: records wait for all sources,
                                        and in which order
    linking, linking_partition          the linker's job; the linker: who is whose
    cases, objections                   what lies beside the customers: their cases, noes of who was erased
Delivery
    delivery, pendings, journal         actions taken in, the rows that wait, changes made durable together
    behind                              how far it is behind the actions
    coupons, sending, streaming, redelivering
                                        codes from a log, channels that write records, and what is asked for again
In front of it
    intake, inbox, readers              what comes in; cases; streams
    readside, copied                    the copy of all customers, and the store that it is
From outside of any group
    reading, describing, passing, rights, exporting
                                        what stands in a topic; what brokers say of it; how far a record has come;
                                        erasing; exporting

Owns the consumer group, the transactions and the partition's clock, and is the only place that imports Faust;
it does so lazily, because importing Faust parses the process's arguments.
Must never decide anything about a customer, nor keep state that the changelog could not give back.
"""
