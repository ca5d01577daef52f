"""`bench kafka`: real workers on a real broker, beside what nobody can be faster than.

Owns the figures of the Kafka runtime and how each is taken. Every rate stands beside the raw limit of the same run:
a busy or slow machine slows both. Must never decide whether a figure is good, but fails where a run was wrong.
"""
