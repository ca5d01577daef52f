"""What the language has and this release does not run yet.

Owns the one table of it: a line that goes switches a feature on. Must never let a definition through that the engine
would not carry out.
"""

# By feature: its code, what it is called in the message, and what an author does without it.
TO_COME = {
    "coupons": ("E913", "coupons", "the code, with the event"),
}


def refusal(feature: str) -> tuple[str, str, str]:
    """Give the code, the message and the fix for a feature that is to come."""
    code, name, instead = TO_COME[feature]
    return code, f"{name}: not available in this release", instead
