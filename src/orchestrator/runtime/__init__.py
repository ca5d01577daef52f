"""What stands around the engine: clocks, stores, streams, and the one sequence (a turn) they all share.

    turn                            that sequence: bytes in, bytes out
    embedded/, serving/, kafka/, simulated
                                    what drives it: files, one live process, many workers, an example's clock
    wall_clock, timers              real time, and who wakes next
    limits, settling, dead_letters  whom a journey takes, whom definitions move, what came to nothing
    identity, objections, misnamed  whose event it is; noes that outlive an erasure; names that are nearly asked for
    delivery/                       actions, handed to providers
    versions, publishing, replay    what is in force, what would change for whom, what would have been otherwise
    live, live_settings, listening, logs, complaints, interpreter, metrics, streams
                                    a live process: as HTTP sees it, its settings, its log, what it counts and shows
    desk, inbox, agents             cases as people work on them
    addressing, finding, inside     who is reached at an address; a customer by whatever is known of them; who is inside
    rights                          erasing and exporting
    faults                          named places where a test makes this process die

Owns the order of a commit, time's advance, duplicates, dead letters and what survives a crash.
Must never decide anything about a customer: the engine does, and the same everywhere.
"""
