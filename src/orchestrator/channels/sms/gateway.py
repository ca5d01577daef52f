"""Any gateway for text messages that takes one HTTP request a message.

    sms+https://gateway.example/send#sender=Shop                a JSON object {"to", "text", "from", "reference"}
    … #form=on                                                  the same as a form
    … #to=msisdn&text=message&from=source&reference=client_ref  other names of them; an empty one leaves a field out
    … #auth=basic:USER|bearer|header:X-Api-Key                  where ORCHESTRATOR_CHANNEL_SMS_SECRET goes (bearer)
    … #region=ES&timeout=10&ca=/etc/ssl/own-ca.pem

What stands before # is sent as it is written. `reference` carries the action's id, which most gateways bring back in
their reports, and so does Idempotency-Key: a gateway that looks at either sends nothing twice, any other may
(at-least-once). A yes is 2xx; 404, 410 and 422 are about the number. Owns that request and what answers mean.
Must never try again itself.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import msgspec
from yarl import URL

from orchestrator.channels.api import Api, read_url, secret_of
from orchestrator.channels.numbers import number_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.sms import text_of
from orchestrator.errors import Bounced, OrchestratorError

FIELDS = {"to": "to", "text": "text", "from": "from", "reference": "reference"}
OPTIONS = (*FIELDS, "sender", "form", "auth", "region")
# Manners that stand behind the same sign, and are delivery's.
_MANNERS = ("concurrency", "rate", "ramp")
_ABOUT_THE_NUMBER = frozenset({404, 410, 422})


class _Said(msgspec.Struct):
    id: str | int | None = None
    message_id: str | int | None = None


class GatewayChannel:
    """Sends by one gateway."""

    def __init__(self, name: str, api: Api, url: URL, headers: Mapping[str, str], options: Mapping[str, str]) -> None:
        self._name = name
        self._api = api
        self._url = url
        self._headers = headers
        self._names = {ours: options.get(ours, theirs) for ours, theirs in FIELDS.items()}
        self._sender = options.get("sender")
        self._region = options.get("region")
        self._is_form = options.get("form") == "on"

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to the gateway."""
        text, details = text_of(delivery)
        values = {"to": number_of(delivery.to, self._region), "text": text, "reference": delivery.key}
        if self._sender:
            values["from"] = self._sender
        content = {self._names[ours]: value for ours, value in values.items() if self._names[ours]}
        headers = {**self._headers, "Idempotency-Key": delivery.key}
        if self._is_form:
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self._api.post(self._url, {**headers, **kind}, urlencode(content).encode())
        else:
            answer = await self._api.post_json(self._url, headers, content)
        if 200 <= answer.status < 300:
            said = answer.read(_Said)
            reference = said.id if said.id is not None else said.message_id
            # Without a sender of ours it is the gateway's, and there is one.
            named = self._sender or self._name
            return Receipt(None if reference is None else str(reference)[:200], details, named, values["to"])
        if answer.status in _ABOUT_THE_NUMBER:
            raise Bounced(f"the gateway answered {answer.status}", hard=True)
        raise answer.meaning(delivery.now_ms)

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


def open_gateway(setup: Setup) -> GatewayChannel:
    """Make the channel that a `sms+https:` URL names."""
    parts = urlsplit(setup.url)
    ours = parse_qsl(parts.fragment.replace("+", "%2B"), keep_blank_values=True)
    options = urlencode([pair for pair in ours if pair[0] not in _MANNERS])
    endpoint = read_url(Setup(setup.name, f"sms+https://{parts.netloc}?{options}"), parts.netloc, OPTIONS)
    auth = _auth(setup, endpoint.options.get("auth", "bearer" if setup.secret else ""))
    url = URL(parts._replace(scheme="https", fragment="").geturl(), encoded=True)
    return GatewayChannel(setup.name, Api(endpoint, setup.allowed_hosts), url, auth, endpoint.options)


def _auth(setup: Setup, way: str) -> dict[str, str]:
    kind, _, name = way.partition(":")
    if not kind:
        return {}
    secret = secret_of(setup, "what the gateway knows us by")
    if kind == "bearer":
        return {"Authorization": f"Bearer {secret}"}
    if kind == "basic" and name:
        return {"Authorization": aiohttp.encode_basic_auth(name, secret)}
    if kind == "header" and name:
        return {name: secret}
    raise OrchestratorError(f"channel {setup.name}: auth={way} is none; write bearer, basic:USER or header:NAME")
