"""Lists as operators write them into one setting: values with commas between, and blanks where they like.

Owns that form. Must never judge a value.
"""


def listed(text: str | None) -> tuple[str, ...]:
    """Read the values, in the order given; what is empty counts for nothing, and None for none."""
    return tuple(filter(None, map(str.strip, (text or "").split(","))))
