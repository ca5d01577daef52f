"""Findings: what a provider's request comes to, whoever the provider is.

    Reported    a report about a message of ours      Written   something that a customer wrote
    Stated      a consent given or withdrawn          Other     anything that means nothing to us, by its kind

Each is counted as its `outcome`, which operators' alerts know: it stays, whatever the class is called.
Owns these shapes and the two ways in which a request is refused. Must never know a provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from orchestrator.channels.machines import is_machine
from orchestrator.channels.receipts import Report


class Forbidden(Exception):  # noqa: N818 - an answer to whoever asked
    """A request that its signature, password or age does not let in; it says why, and never what would have."""


class Unreadable(Exception):  # noqa: N818 - an answer to whoever asked
    """A request that cannot be read, or is more than we read."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a provider sent. `headers` are by lower-case name; `url` is the one that the provider knows us by.

    `keys` are the operator's settings for this provider, by name: `secret`, and whatever else it has.
    """

    channel: str
    headers: Mapping[str, str]
    body: bytes
    url: str
    query: Mapping[str, str]
    keys: Mapping[str, tuple[str, ...]]
    now_ms: int

    @property
    def content_type(self) -> str:
        """The body's type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Reported:
    """A report. `each` tells reports of one kind apart that may come more than once, such as clicks."""

    outcome: ClassVar = "told"

    report: Report
    each: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Something that a customer wrote. `id` is the provider's name for it, the same when it comes again.

    `kind` is the identifier that `sender` is, where the project's channel does not say. `reference` is the message of
    ours that it answers, where it names one. What is `public` (a comment) is no order to us, whatever word it is.
    `answers` is the same as its provider names it (`Receipt.named`). `ours` are the numbers of ours that a text, which
    names nothing, came to: none where that is not known, and None for what is no such text.
    """

    outcome: ClassVar = "written"

    id: str
    sender: str
    kind: str
    text: str
    conversation_id: str
    reference: tuple[str, str] | None = None
    is_public: bool = False
    word: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    answers: str = ""
    ours: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """A consent that a customer gave or withdrew by a button or setting of the provider's, for the whole channel."""

    outcome: ClassVar = "stated"

    id: str
    sender: str
    kind: str
    granted: bool
    wording: str
    method: str


@dataclass(frozen=True, slots=True)
class Other:
    """What means nothing to us: its kind, one of few words, and never what a customer wrote."""

    kind: str

    @property
    def outcome(self) -> str:
        """Its kind."""
        return self.kind


Finding = Reported | Written | Stated | Other


def made_by(agent: object, flagged: bool = False) -> dict[str, Any]:
    """Say of an opening or click whether a machine made it: the provider says so, or the agent gives itself away."""
    is_known = isinstance(agent, str) and agent.strip() != ""
    return {"machine": True} if flagged or (is_known and is_machine("GET", {"user-agent": str(agent)}, None)) else {}
