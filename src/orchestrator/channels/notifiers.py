"""Slack, Teams, Matrix, Discord, Signal and over a hundred more, by the library apprise.

    apprise+slack://TokenA/TokenB/TokenC/%23care          any URL of apprise's, with `apprise+` before it
    apprise+signal://gateway.example/34600000001/{to}     {to} stands for the customer's address
    apprise+matrixs://bot:{secret}@matrix.example/{to}    {secret} for ORCHESTRATOR_CHANNEL_<NAME>_SECRET

What stands behind `#` is the lane's manners; a # of apprise's own is written %23. `{to}` stands behind the host only,
encoded, so that no customer's address decides where we connect to. But apprise connects by itself, follows redirects,
and is not behind the guard of webhooks: name only services that you trust, and let a proxy or the network bound the
rest. It gives no idempotency key (at-least-once), no reference, and reports nothing back.

Owns a bounded pool of threads, because apprise blocks, and the reading of what it says of a failure: the service's
status, where its words hold one. Must never log its words unread: they may hold an address.
"""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import apprise

from orchestrator.channels.answers import answered
from orchestrator.channels.api import TIMEOUT_SECONDS
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.errors import OrchestratorError, Refused, TryLater, Unavailable

PREFIX = "apprise+"
# More threads than this would only wait for the same services; messages wait in the outbox instead.
THREADS = 8
_STATUS = re.compile(r"\berror=(\d{3})\b")


class NotifiersChannel:
    """Sends by one URL of apprise's, with its blanks filled in for each message."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._timeout = timeout_seconds
        self._pool = ThreadPoolExecutor(THREADS, "apprise")
        self._asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, app_id="orchestrator")

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to apprise, and wait for it no longer than a provider may take."""
        fields = delivery.rendered.fields
        title = str(fields.get("title") or fields.get("subject") or "")
        url = delivery.tracking.follow(str(fields.get("url", "")))
        body = "\n".join(filter(None, [str(fields.get("text") or fields.get("body") or ""), url]))
        if not title.strip() and not body.strip():
            raise Refused("the text is empty")
        sending = asyncio.get_running_loop().run_in_executor(self._pool, self._send, delivery.to, title, body)
        try:
            async with asyncio.timeout(self._timeout):
                said = await sending
        except TimeoutError as error:
            # The thread goes on until its own sockets give up; whether the message went is not known.
            raise Unavailable(None, f"no answer within {self._timeout:g} s") from error
        if said is None:
            return Receipt()
        raise _trouble(said, delivery.now_ms)

    def _send(self, to: str, title: str, body: str) -> str | None:
        """Send, in a thread; None when it was taken, else what apprise says about it."""
        notifier = apprise.Apprise(asset=self._asset)
        if not notifier.add(self._url.replace("{to}", quote(to, safe=""))):
            return "error=400: the address makes no URL that apprise reads"
        result = notifier.notify(body=body or title, title=title if body else "", body_format=apprise.NotifyFormat.TEXT)
        if result.status == apprise.AppriseResultStatus.SUCCESS:
            return None
        return " ".join(log.message for each in result for attempt in each.attempts for log in attempt.logs)

    async def close(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _trouble(said: str, now_ms: int) -> Refused | TryLater:
    statuses = _STATUS.findall(said)
    if not statuses:
        return TryLater(None, "apprise could not send it, and does not say why")
    found = answered(int(statuses[-1]), None, now_ms)
    why = f"the service answered {statuses[-1]}"
    return Unavailable(None, why) if isinstance(found, TryLater) else Refused(why)


def open_notifiers(setup: Setup) -> NotifiersChannel:
    """Make the channel that an `apprise+…:` URL names."""
    parts = urlsplit(setup.url.removeprefix(PREFIX))
    if "{to}" in parts.netloc:
        raise OrchestratorError(f"channel {setup.name}: {{to}} stands behind the host only, as in …://host/{{to}}")
    url = parts._replace(fragment="").geturl().replace("{secret}", quote(setup.secret or "", safe=""))
    if not apprise.Apprise().add(url.replace("{to}", "1")):
        raise OrchestratorError(f"channel {setup.name}: apprise cannot read this {parts.scheme} URL; see its own pages")
    return NotifiersChannel(url)
