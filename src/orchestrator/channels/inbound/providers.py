"""Providers: the table of those whose requests we read, and the settings that each needs.

    ORCHESTRATOR_HOOK_TWILIO_SECRET, ORCHESTRATOR_HOOK_SES_TOPICS …     several values with commas, while one is changed

Owns that table, and by which header a provider gives itself away where its name is not in the address. Must never read
for a provider of which the operator has set nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.channels.inbound import mailgun, meta, postmark, sendgrid, standard, telegram, twilio
from orchestrator.channels.inbound.findings import Finding, Request
from orchestrator.model.commas import listed


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `settings` are its keys' names, any of which sets it up; `sign` is a header that only it sends.

    `read` is None where reading takes more than the request (`amazon`). `says_nothing` of answers: Twilio takes a
    body for what to write to the customer.
    """

    name: str
    settings: tuple[str, ...]
    read: Callable[[Request], list[Finding]] | None
    sign: str | None = None
    challenge: Callable[[Request], str] | None = None
    says_nothing: bool = False

    def setting(self, name: str) -> str:
        """Name a setting of this provider, as the operator's settings are named."""
        return f"hook_{self.name}_{name}"

    def keys(self, find: Callable[[str], str | None]) -> dict[str, tuple[str, ...]]:
        """Look up what the operator set; every key has an entry."""
        return {name: listed(find(self.setting(name))) for name in self.settings}


_ALL = (
    Provider("ses", ("topics",), None, "x-amz-sns-message-type"),
    Provider("sendgrid", ("secret", "password"), sendgrid.read, sendgrid.SIGNATURE),
    Provider("mailgun", ("secret",), mailgun.read),
    Provider("postmark", ("password",), postmark.read),
    Provider("twilio", ("secret",), twilio.read, twilio.SIGNATURE, says_nothing=True),
    Provider("meta", ("secret", "token"), meta.read, meta.SIGNATURE, meta.challenge),
    Provider("telegram", ("secret",), telegram.read, telegram.SECRET),
    Provider("standard", ("secret",), standard.read, "webhook-signature"),
)
PROVIDERS: Mapping[str, Provider] = {each.name: each for each in _ALL}


def by_sign(headers: Mapping[str, str]) -> Provider | None:
    """Find the provider whose header a request bears."""
    return next((each for each in _ALL if each.sign is not None and each.sign in headers), None)
