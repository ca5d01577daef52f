"""Lengths of time as tests write them: "1d12h" and back.

Owns both directions. Never knows an instant.
"""

import re

_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def ms(text: str) -> int:
    """Read "1d12h" as milliseconds."""
    parts = re.findall(r"(\d+)(ms|[wdhms])", text)
    assert parts, f"no length of time: {text}"
    assert "".join(number + unit for number, unit in parts) == text, f"no length of time: {text}"
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def text_of(length_ms: int) -> str:
    """Write milliseconds as "1d12h"; nothing at all is "0m"."""
    sign, rest, text = ("-" if length_ms < 0 else ""), abs(length_ms), ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS[unit])
        text += f"{count}{unit}" if count else ""
    return sign + (text or "0m")
