"""Twilio's Messages API, for text messages and for WhatsApp.

    twilio:?account=AC…&from=+15551230001                 a number or name of ours, or
    twilio:?account=AC…&service=MG…                       a messaging service
    … &key=SK…                                            an API key; ORCHESTRATOR_CHANNEL_SMS_SECRET is then its
                                                          secret, and else the account's auth token
    … &region=ES                                          the country of numbers without one
    … &status=https://shop.example/hooks/sms/twilio       where Twilio reports to; our own address by default
    twilio+whatsapp:?…                                    the same for WhatsApp; `template` is a content SID (HX…)

Twilio takes no idempotency key: a message whose answer got lost may arrive twice (at-least-once). The action's id goes
into the StatusCallback URL as `action_id`, with the profile's as `profile_id`, so that every report names them.
Owns requests, and what each of Twilio's codes says about the address, the message and the account.
Must never try again itself.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from orchestrator.channels.answers import Answer
from orchestrator.channels.api import Api, needed, read_url, secret_of
from orchestrator.channels.numbers import number_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.sms import text_of
from orchestrator.channels.whatsapp.window import Template, form_of
from orchestrator.errors import Bounced, ChannelError, OptedOut, OrchestratorError, Refused, Unavailable, WindowClosed
from orchestrator.model import instants

HOST = "api.twilio.com"
WHATSAPP = "whatsapp:"
OPTIONS = ("account", "from", "service", "key", "region", "status")
EXAMPLE = "twilio:?account=AC…&from=+15551230001"
# Twilio gives a message up after so many seconds, if it is told; it takes 1 to 36,000.
_LONGEST_VALIDITY = 36_000

# Of the address, for good: no number, not reachable by text, a landline, unknown to its network, not on WhatsApp.
_HARD = frozenset({21211, 21214, 21614, 21635, 30005, 30006, 63003, 63024})
# Of the address, for now: it is switched off.
_SOFT = frozenset({30003})
# Whoever has it said STOP to this sender.
_OPTED_OUT = frozenset({21610, 63033})
# Of our account or sender: nothing goes out before an operator mends it.
_SETUP = frozenset({20003, 20404, 21212, 21603, 21606, 21659, 21660, 63007})
# Of how fast we are.
_BUSY = frozenset({14107, 20429, 21611, 30001, 30022, 63018})
_CLOSED = 63016


# What of a message goes into the request, and what its receipt tells.
Content = Callable[[Delivery], tuple[dict[str, str], Mapping[str, str | int]]]


class _Said(msgspec.Struct):
    sid: str | None = None
    code: int | None = None
    error_code: int | None = None
    message: str | None = None


class TwilioChannel:
    """Sends by one account. `sender` is From or MessagingServiceSid; `status` where reports go, "" for nowhere."""

    def __init__(
        self, api: Api, account: str, auth: tuple[str, str], sender: tuple[str, str], status: str, content: Content
    ) -> None:
        self._api = api
        self._url = api.base / "2010-04-01" / "Accounts" / account / "Messages.json"
        self._headers = {
            "Authorization": aiohttp.encode_basic_auth(*auth),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._sender = dict([sender])
        self._from = sender[1]
        self._status = status
        self._content = content

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to Twilio."""
        fields, details = self._content(delivery)
        fields |= self._sender
        if self._status:
            named = {"action_id": delivery.action.id, "profile_id": delivery.action.profile_id}
            fields["StatusCallback"] = str(URL(self._status).update_query(named))
        answer = await self._api.post(self._url, self._headers, urlencode(fields).encode())
        said = answer.read(_Said)
        if answer.status in (200, 201) and not said.error_code:
            to = fields["To"].removeprefix(WHATSAPP)
            # A text names nothing that it answers but the number that it goes to; a chat names the message.
            answered_as = said.sid if to != fields["To"] else self._from
            return Receipt(said.sid, details, answered_as or "", to)
        raise _trouble(answer, said, delivery.now_ms)

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


def _trouble(answer: Answer, said: _Said, now_ms: int) -> ChannelError:
    code = said.error_code or said.code or 0
    # Twilio's words may hold the number; its codes say the same in public.
    why = f"Twilio answered {answer.status}, code {code}" if code else f"Twilio answered {answer.status}"
    if code in _OPTED_OUT:
        return OptedOut(why)
    if code in _HARD or code in _SOFT:
        return Bounced(why, code in _HARD)
    if code == _CLOSED:
        return WindowClosed(why)
    if code in _SETUP or code in _BUSY:
        return Unavailable(answer.after(now_ms), why)
    return Refused(why) if answer.status < 300 else answer.trouble(why, now_ms)


def _validity(delivery: Delivery) -> dict[str, str]:
    """Let Twilio give up when the action does."""
    expires_ms = instants.parse(delivery.action.expires_at)
    if expires_ms is None:
        return {}
    seconds = (expires_ms - delivery.now_ms) // 1000
    return {"ValidityPeriod": str(max(seconds, 1))} if seconds < _LONGEST_VALIDITY else {}


def _text_message(delivery: Delivery, region: str | None) -> tuple[dict[str, str], Mapping[str, str | int]]:
    text, details = text_of(delivery)
    return {"To": number_of(delivery.to, region), "Body": text, **_validity(delivery)}, details


def _whatsapp_message(delivery: Delivery, region: str | None) -> tuple[dict[str, str], Mapping[str, str | int]]:
    fields = {"To": f"{WHATSAPP}{number_of(delivery.to.removeprefix(WHATSAPP), region)}"}
    form = form_of(delivery)
    if isinstance(form, Template):
        variables = {str(number): text for number, text in enumerate(form.parameters, start=1)}
        content = {"ContentSid": form.name, "ContentVariables": msgspec.json.encode(variables).decode()}
        return {**fields, **content}, {}
    return {**fields, "Body": form}, {}


def open_twilio(setup: Setup) -> TwilioChannel:
    """Make the channel that a `twilio:` URL names."""
    return _open(setup, _text_message, "")


def open_twilio_whatsapp(setup: Setup) -> TwilioChannel:
    """Make the channel that a `twilio+whatsapp:` URL names."""
    return _open(setup, _whatsapp_message, WHATSAPP)


def _open(
    setup: Setup, content: Callable[[Delivery, str | None], tuple[dict[str, str], Mapping[str, str | int]]], kind: str
) -> TwilioChannel:
    endpoint = read_url(setup, HOST, OPTIONS)
    account = needed(setup, endpoint, "account", EXAMPLE)
    secret = secret_of(setup, "the account's auth token, or its API key's secret")
    options = endpoint.options
    if ("from" in options) == ("service" in options):
        raise OrchestratorError(f"channel {setup.name}: the URL names one of from and service; write {EXAMPLE}")
    sender = ("From", kind + options["from"]) if "from" in options else ("MessagingServiceSid", options["service"])
    auth = (options.get("key") or account, secret)
    region = options.get("region")
    status = options.get("status", f"{setup.hooks}/twilio" if setup.hooks else "")
    return TwilioChannel(
        Api(endpoint, setup.allowed_hosts), account, auth, sender, status, lambda delivery: content(delivery, region)
    )
