"""The values everything else speaks in: events, profiles, compiled journeys, state, facts, effects, decisions, ids.

    event, envelopes                what came in; native, CloudEvents and Segment records, read into it
    profile, identity               the customer as we know them; which values name one
    project, journey, audience      what authors wrote, compiled: the rules for all, a journey, what time opens
    expression                      conditions and values in it, and the scope that they are asked in
    catalog                         all of that which is in force, by what an event asks of it
    state, codec                    where a customer stands in each journey; its bytes at rest
    facts, decision, effects        what the engine is told; what it decides and why; what it asks of the world
    casework, rights                a case as people see it; what an erasure leaves, and what an export holds
    ids, instants, zones            ids derived from what they stand for; instants, and whose clock they are read on
    texting, values, commas         what a text message takes; which values may be kept; several in one setting

Owns their shapes and their bytes: the codec, the state's format number and its upgrades.
Must never do anything: no clock, no disk, no network, no dice, no rule about what happens next.
"""
