"""What authors and tests use to try journeys: examples on a virtual clock, a recording channel.

Owns running `examples:` with the production engine and telling the first difference.
Must never carry semantics of its own: what holds here holds in production, because it is the same code.
"""
