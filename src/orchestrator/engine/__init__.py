"""What happens next: facts in (past tense), effects and decisions out, one customer at a time.

Owns entering, walking, waiting, ending and every policy, and the order in which they are asked.
Must never read a clock, a disk, the network or dice: the same arguments give the same outcome, byte for byte.
"""
