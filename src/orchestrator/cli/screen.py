"""What a command shows: results on standard output, everything else on standard error.

Owns colour (only on a terminal, never with NO_COLOR) and the form of JSON for programs. Must never import rich:
most commands print lines, and `--help` has to be quick.
"""

import os
import sys
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def has_colour(stream: TextIO) -> bool:
    """Tell whether colour helps whoever reads this stream: a person at a terminal who has not declined it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def counted(count: int, noun: str) -> str:
    """Say how many there are: `1 event`, `1,000 events`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """Colour a text for a stream (standard output by default); the text itself where colour does not help."""
    if not has_colour(stream or sys.stdout):
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


class ReaderGone(Exception):  # noqa: N818 - it names what happened
    """Whoever read our results has read enough and closed the pipe."""


def out(text: str) -> None:
    """Print one result to standard output. Raises ReaderGone when nobody reads it any more."""
    try:
        print(text)
    except BrokenPipeError:
        raise ReaderGone from None


def say(text: str) -> None:
    """Tell the person something that is no result: progress, a summary, a hint."""
    print(text, file=sys.stderr)


def complain(text: str) -> None:
    """Tell the person what went wrong."""
    say(f"{paint('error:', 'red', sys.stderr)} {text}")


def warn(text: str) -> None:
    """Tell the person what they may want to mend."""
    say(f"{paint('warning:', 'yellow', sys.stderr)} {text}")


def out_json(value: object) -> None:
    """Print one result for a program: JSON, indented on a terminal and on one line in a pipe."""
    import msgspec

    encoded = msgspec.json.encode(value)
    out((msgspec.json.format(encoded, indent=2) if sys.stdout.isatty() else encoded).decode())
