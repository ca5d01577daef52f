"""Agents: who works on cases, and which of them they see.

    ORCHESTRATOR_AGENTS=eva:KEY,tom:KEY:care/complaints+stores+@whatsapp+tz=America/Mexico_City

names two: one who sees every case, and one who sees those of two teams, of the first only the skill `complaints`, on
the channel `whatsapp`, and reads times on the clock of another zone than the project's; with commas or line ends
between them. Owns that form. Must never be printed: keys stand in it.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.errors import OrchestratorError
from orchestrator.model.casework import Wanted
from orchestrator.model.zones import zone_named

# Short keys can be guessed; ours have 43 characters.
MIN_KEY = 16
_ZONE = "tz="
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Agent:
    """A person who takes cases: a name, the hash of their key, and the cases that they see.

    `timezone` is the one that they read times in, "" for the project's.
    """

    name: str
    key_hash: bytes
    sees: Wanted
    timezone: str = ""

    def opens(self, key: str) -> bool:
        """Tell whether this is their key."""
        return hmac.compare_digest(hash_of(key), self.key_hash)


def hash_of(key: str) -> bytes:
    """Hash a key, which is kept nowhere as it is."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def session_secret(link_secrets: Sequence[str]) -> bytes:
    """Derive what signs the sessions of agents from what signs links: the newest of it."""
    return hmac.digest(link_secrets[-1].encode(), b"orchestrator.inbox", "sha256")


def read_agents(text: str | None) -> tuple[Agent, ...]:
    """Read the operator's setting; raises OrchestratorError for what is no agent."""
    written = [part.strip() for part in re.split(r"[,\n]", text or "") if part.strip()]
    agents = tuple(_read(part) for part in written)
    if len({agent.name for agent in agents}) < len(agents):
        raise OrchestratorError("ORCHESTRATOR_AGENTS names somebody twice; write each agent once")
    return agents


def _read(written: str) -> Agent:
    name, _, rest = written.partition(":")
    key, _, scope = rest.partition(":")
    if not _NAME.fullmatch(name) or len(key) < MIN_KEY:
        # Not the text itself: a key stands in it.
        raise OrchestratorError(
            f"ORCHESTRATOR_AGENTS: {name[:20]!r} is no agent; write NAME:KEY, or NAME:KEY:TEAM/SKILL+@CHANNEL,"
            f" with a key of at least {MIN_KEY} characters"
        )
    parts = [part for part in scope.split("+") if part]
    zones = [part.removeprefix(_ZONE) for part in parts if part.startswith(_ZONE)]
    if any(zone_named(zone).key != zone for zone in zones):
        raise OrchestratorError(f"ORCHESTRATOR_AGENTS: {name}'s time zone is none; write tz=Europe/Madrid")
    sees = _sees(part for part in parts if not part.startswith(_ZONE))
    return Agent(name, hash_of(key), sees, zones[-1] if zones else "")


def _sees(parts: Iterable[str]) -> Wanted:
    teams: dict[str, frozenset[str] | None] = {}
    channels = set()
    for part in parts:
        if part.startswith("@"):
            channels.add(part[1:])
            continue
        team, _, skill = part.partition("/")
        known = teams.get(team, frozenset())
        teams[team] = None if known is None or not skill else known | {skill}
    return Wanted(teams or None, frozenset(channels))
