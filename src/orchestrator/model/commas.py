"""Lists as operators write them into one setting: values with commas or lines between, and blanks where they like.

Owns that form. Must never judge a value.
"""

import re

_BETWEEN = re.compile(r"[,\n]")


def listed(text: str | None) -> tuple[str, ...]:
    """Read the values, in the order given; what is empty counts for nothing, and None for none.

    Each may stand on a line of its own, as in a file that a setting's `_FILE` names.
    """
    return tuple(filter(None, map(str.strip, _BETWEEN.split(text or ""))))
