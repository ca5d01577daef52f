"""What the language has and this release does not run yet.

Owns the one table of it: a line that goes switches a feature on. Must never let a definition through that the engine
would not carry out.
"""

# By feature: its code, and what it is called in the message.
TO_COME = {
    "segments.yaml": ("E901", "segments"),
    "segment": ("E901", "entering a segment"),
    "segment_left": ("E901", "leaving a segment"),
    "in_segment()": ("E901", "in_segment()"),
    "schedule": ("E902", "entering on a schedule"),
    "date": ("E903", "entering on a date"),
    "inactive": ("E904", "entering on silence"),
    "limit": ("E905", "a limit of entries"),
    "ask": ("E906", "the verb ask"),
    "handoff": ("E907", "the verb handoff"),
    "score": ("E908", "the verb score"),
    "call": ("E909", "the verb call"),
    "count()": ("E910", "count()"),
    "webhooks": ("E909", "webhooks"),
    "models": ("E908", "models"),
    "teams": ("E907", "teams"),
    "purchase": ("E911", "purchase"),
    "catalogs": ("E912", "catalogs"),
    "coupons": ("E913", "coupons"),
    "retention": ("E914", "retention"),
    "release_over": ("E915", "release_over"),
    "migrate": ("E916", "on_change: migrate"),
    "drain": ("E916", "on_change: drain"),
    "moves": ("E916", "moves"),
}
FUNCTIONS_TO_COME = frozenset(name[:-2] for name in TO_COME if name.endswith("()"))


def refusal(feature: str) -> tuple[str, str]:
    """Give the code and the message for a feature that is to come."""
    code, name = TO_COME[feature]
    return code, f"{name}: not available in this release"
