"""Meta's WhatsApp Cloud API.

    whatsapp:?phone_id=1065…&version=v23.0       ORCHESTRATOR_CHANNEL_WHATSAPP_SECRET is the system user's access token
    … &region=ES                                 the country of numbers without one

The Cloud API takes no idempotency key: a message whose answer got lost may arrive twice (at-least-once). The action's
reference (`references`) goes into `biz_opaque_callback_data`, which every status of the message brings back.
Owns requests, and what each of Meta's codes says. Must never try again itself.
"""

from typing import Any

import msgspec

from orchestrator.channels.answers import Answer
from orchestrator.channels.api import Api, needed, read_url, secret_of
from orchestrator.channels.numbers import number_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.references import reference_of
from orchestrator.channels.whatsapp.window import Template, form_of
from orchestrator.errors import Bounced, ChannelError, OptedOut, Unavailable, WindowClosed

HOST = "graph.facebook.com"
VERSION = "v23.0"
OPTIONS = ("phone_id", "version", "region")

# Of the address: it is on no WhatsApp, or has blocked us; of whoever has it, that they want no marketing from us.
_HARD, _OPTED_OUT = frozenset({131026}), 131050
# Of the hour: more than 24 hours since the customer wrote.
_CLOSED = 131047
# Of our account: token, permission, payment, a number that is not registered or restricted, a policy strike.
_SETUP = frozenset({0, 3, 10, 190, 368, 130497, 131005, 131031, 131042, 131045, 133010})
# Of how fast we are, or of Meta's own trouble.
_BUSY = frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131048, 131056, 131057, 133004})


class _Error(msgspec.Struct):
    code: int = -1


class _Taken(msgspec.Struct):
    id: str


class _Said(msgspec.Struct):
    messages: list[_Taken] = []
    error: _Error | None = None


class WhatsappChannel:
    """Sends by one of our numbers."""

    def __init__(self, api: Api, version: str, phone_id: str, token: str, region: str | None) -> None:
        self._api = api
        self._url = api.base / version / phone_id / "messages"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._region = region

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to Meta."""
        content = self._content(delivery)
        answer = await self._api.post_json(self._url, self._headers, content)
        said = answer.read(_Said)
        if answer.status == 200 and said.messages:
            reference = said.messages[0].id
            return Receipt(reference, named=reference, to=content["to"])
        raise _trouble(answer, said.error or _Error(), delivery.now_ms)

    def _content(self, delivery: Delivery) -> dict[str, Any]:
        content = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": number_of(delivery.to, self._region),
            "biz_opaque_callback_data": reference_of(delivery.key, delivery.action.profile_id),
        }
        form = form_of(delivery)
        if not isinstance(form, Template):
            return {**content, "type": "text", "text": {"body": form, "preview_url": True}}
        template: dict[str, Any] = {
            "name": form.name,
            # Meta writes es_MX where we write es-MX.
            "language": {"code": delivery.rendered.language.replace("-", "_")},
        }
        if form.parameters:
            told = [{"type": "text", "text": each} for each in form.parameters]
            template["components"] = [{"type": "body", "parameters": told}]
        return {**content, "type": "template", "template": template}

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


def _trouble(answer: Answer, error: _Error, now_ms: int) -> ChannelError:
    why = f"Meta answered {answer.status}" + (f", code {error.code}" if error.code >= 0 else "")
    if error.code in _HARD:
        return Bounced(why, hard=True)
    if error.code == _OPTED_OUT:
        return OptedOut(why)
    if error.code == _CLOSED:
        return WindowClosed(why)
    if error.code in _SETUP or error.code in _BUSY:
        return Unavailable(answer.after(now_ms), why)
    # A yes that names no message is half an answer; whether it was taken is not known.
    return Unavailable(None, why) if answer.status < 300 else answer.trouble(why, now_ms)


def open_whatsapp(setup: Setup) -> WhatsappChannel:
    """Make the channel that a `whatsapp:` URL names."""
    endpoint = read_url(setup, HOST, OPTIONS)
    phone_id = needed(setup, endpoint, "phone_id", "whatsapp:?phone_id=1065…")
    token = secret_of(setup, "the system user's access token")
    version = endpoint.options.get("version", VERSION)
    return WhatsappChannel(Api(endpoint, setup.allowed_hosts), version, phone_id, token, endpoint.options.get("region"))
