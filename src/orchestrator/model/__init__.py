"""The values everything else speaks in: events, profiles, compiled journeys, state, facts, effects, decisions, ids.

Owns their shapes and their bytes: the codec, the state's format number and its upgrades.
Must never do anything: no clock, no disk, no network, no dice, no rule about what happens next.
"""
