"""What happens next: facts in (past tense), effects and decisions out, one customer at a time.

    advance, turn                   the funnel that every fact passes, and the order of work; what every rule is handed
    profiles, receipts, cases, replies, answers
                                    what an event says of the customer, a message, a case, or to a step that waits
    audiences, past, segments, watches, moments
                                    counts and segments; the schedules, dates and silences that time opens
    matching, endings, fallback, waiting, entering
                                    what an event is about; goals and exits, the next channel, waits, enter rules
    walking, steps/, once, moving   from step to step; what each verb does; nothing asked twice; over to another version
    guards, calendars, payload, cancelling
                                    whether a message may leave, local times, what it carries, taking it back
    linking, merging, objections    which identifiers are one customer's; lives that are one; the noes of who is erased
    plans, wakes, offers, stillness
                                    the commonest turns, worked out beforehand: the same, byte by byte, in less time

Owns entering, walking, waiting, ending and every policy, and the order in which they are asked.
Must never read a clock, a disk, the network or dice: the same arguments give the same outcome, byte for byte.
"""
