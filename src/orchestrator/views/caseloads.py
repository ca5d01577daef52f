"""Caseloads: how long people took for cases, and how those ended, by team.

Owns what is counted, and the words for it. Times are from opening to the first claim and to the closing; half of the
cases took no longer than the median, nine in ten no longer than the other. Must never name a customer or an agent.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.model.casework import CaseFile


def caseloads(files: Iterable[CaseFile], since_ms: int | None = None) -> dict[str, dict[str, Any]]:
    """Add cases up by team, those opened since an instant; "" is for cases that name no team."""
    teams: dict[str, list[CaseFile]] = {}
    for file in files:
        if since_ms is None or file.opened_ms >= since_ms:
            teams.setdefault(file.team, []).append(file)
    return {team: _added_up(teams[team]) for team in sorted(teams)}


def _added_up(files: list[CaseFile]) -> dict[str, Any]:
    closed = [file for file in files if file.closed_ms]
    outcomes = Counter(file.outcome or "none" for file in closed)
    return {
        "opened": len(files),
        "open": len(files) - len(closed),
        "claimed": sum(bool(file.claimed_ms) for file in files),
        "closed": len(closed),
        "seconds_to_claim": _spread([file.claimed_ms - file.opened_ms for file in files if file.claimed_ms]),
        "seconds_to_close": _spread([file.closed_ms - file.opened_ms for file in closed]),
        "outcomes": dict(sorted(outcomes.items(), key=lambda each: (-each[1], each[0]))),
    }


def _spread(lengths_ms: list[int]) -> dict[str, float] | None:
    """Give the length that half, and that nine in ten, are not longer than; None for none."""
    if not lengths_ms:
        return None
    ordered = sorted(lengths_ms)
    return {name: ordered[-(-len(ordered) * part // 10) - 1] / 1000 for name, part in (("half", 5), ("most", 9))}


def lines(loads: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say it for people, a line or two a team."""
    for team, load in loads.items():
        yield f"  {team or 'no team'}: {load['opened']:,} opened, {load['open']:,} open, {load['closed']:,} closed"
        for what in ("claim", "close"):
            spread = load[f"seconds_to_{what}"]
            if spread is not None:
                half, most = _length(spread["half"]), _length(spread["most"])
                yield f"    to {what}: half within {half}, nine in ten within {most}"
        if load["outcomes"]:
            yield "    " + ", ".join(f"{count:,} {outcome}" for outcome, count in load["outcomes"].items())


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
