"""What operators set for a live process.

    ORCHESTRATOR_HTTP             127.0.0.1:8080   where to listen
    ORCHESTRATOR_PUBLIC_URL       that address     where customers reach it: what links begin with
    ORCHESTRATOR_WRITE_KEYS       made once        who may send events; several with commas
    ORCHESTRATOR_READ_KEYS        made once        who may look customers up
    ORCHESTRATOR_LINK_SECRET      made once        signs links; several with commas, the newest last
    ORCHESTRATOR_AGENTS           made once        who works on cases: NAME:KEY, see `agents`
    ORCHESTRATOR_CLAIM            30m              how long a case stays with whoever claimed it and does nothing
    ORCHESTRATOR_ALLOWED_HOSTS                     hosts that webhooks may reach though their address is private

Owns these names and their defaults. What is made once is made by `serving` and kept in its state file, so that it
stands over restarts; behind Kafka (`kafka.gateway`) all of it is the operator's to name. Must never be printed whole.
"""

from dataclasses import dataclass

from orchestrator.errors import OrchestratorError
from orchestrator.language import durations
from orchestrator.model.commas import listed
from orchestrator.runtime import listening
from orchestrator.runtime.agents import Agent, read_agents
from orchestrator.runtime.delivery.routes import Find, allowed_hosts
from orchestrator.runtime.desk import CLAIM_MS

HTTP = "127.0.0.1:8080"
NAMES = ("http", "public_url", "write_keys", "read_keys", "link_secret", "allowed_hosts", "agents", "claim")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The settings of a live process. Keys and secrets are empty where the operator named none."""

    host: str
    port: int
    public_url: str
    write_keys: tuple[str, ...]
    read_keys: tuple[str, ...]
    link_secrets: tuple[str, ...]
    allowed_hosts: frozenset[str]
    agents: tuple[Agent, ...] = ()
    claim_ms: int = CLAIM_MS

    @classmethod
    def read(cls, find: Find) -> "ServeSettings":
        """Read them; raises OrchestratorError for an address that is none."""
        host, port = listening.read(find("http") or HTTP, HTTP, is_named=True)
        public = find("public_url") or listening.url(host, port)
        if not public.startswith(("http://", "https://")):
            raise OrchestratorError(f"ORCHESTRATOR_PUBLIC_URL={public!r} must begin with https://")
        return cls(
            host,
            port,
            public.rstrip("/"),
            listed(find("write_keys")),
            listed(find("read_keys")),
            listed(find("link_secret")),
            allowed_hosts(find),
            read_agents(find("agents")),
            _length("claim", find("claim"), CLAIM_MS),
        )


def _length(name: str, text: str | None, default_ms: int) -> int:
    found = default_ms if text is None else durations.milliseconds(text)
    if not found:
        raise OrchestratorError(f"ORCHESTRATOR_{name.upper()}={text!r} is no length of time; write one such as 30m")
    return found
