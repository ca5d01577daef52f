"""Providers' APIs on this machine: each checks of a request what the provider's documentation asks for.

Owns the rules of Twilio, Meta, Telegram and a plain gateway, and what they answer to a request that keeps them or
does not. `faults` are answered first, one a request. Must never be more lenient than the provider.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import phonenumbers

from orchestrator.channels.port import Setup
from providers.certificates import contexts
from providers.web import HANG, WebServer, answer

HERE = frozenset({"127.0.0.1"})


def told(status: int, body: Any, **headers: str) -> bytes:
    return answer(status, json.dumps(body).encode(), Content_Type="application/json", **headers)


def is_e164(number: str) -> bool:
    return re.fullmatch(r"\+[1-9]\d{6,14}", number) is not None and phonenumbers.is_possible_number(
        phonenumbers.parse(number)
    )


class Provider(WebServer):
    """Answers `faults` first, then judges each request. Speaks TLS, by a certificate of its own authority."""

    def __init__(self, folder: Path, *faults: bytes) -> None:
        super().__init__(tls=contexts(folder)[0])
        self.ca = folder / "server.pem"
        self.faults = list(faults)
        self.taken: list[dict[str, Any]] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def setup(self, url: str, name: str, secret: str | None, **fields: Any) -> Setup:
        """Make a channel's setup whose provider is here."""
        scheme, _, query = url.partition(":")
        query = query.removeprefix("?")
        # Only who hangs is waited for to the end: whoever answers may take what a busy machine takes.
        more = f"timeout={0.3 if HANG in self.faults else 30}&ca={self.ca}"
        return Setup(name, f"{scheme}://{self.host}?{f'{query}&' if query else ''}{more}", secret, HERE, **fields)

    def next_answer(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        return self.faults.pop(0) if self.faults else self.judge(path, headers, body)

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        raise NotImplementedError


class Twilio(Provider):
    """api.twilio.com, POST /2010-04-01/Accounts/{sid}/Messages.json."""

    ACCOUNT, TOKEN, SENDER = "AC" + "0" * 32, "an auth token", "+15005550006"

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        user, _, password = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode().partition(":")
        if (user, password) != (self.ACCOUNT, self.TOKEN):
            return told(401, {"code": 20003, "message": "Authenticate", "status": 401})
        assert path == f"/2010-04-01/Accounts/{self.ACCOUNT}/Messages.json"
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        kind = "whatsapp:" if form.get("From", "").startswith("whatsapp:") else ""
        code = self._mistake(form, kind)
        if code:
            return told(400, {"code": code, "message": f"about {form.get('To')}", "status": 400})
        self.taken.append(form)
        return told(201, {"sid": f"SM{len(self.taken):032}", "status": "queued", "error_code": None})

    def _mistake(self, form: dict[str, str], kind: str) -> int | None:
        if not is_e164(form.get("To", "").removeprefix(kind)):
            return 21211
        if form.get("From") != kind + self.SENDER:
            return 21606 if "From" in form else 21603
        if ("Body" in form) == ("ContentSid" in form) or len(form.get("Body", "")) > 1600:
            return 21619
        if "ContentVariables" in form:
            variables = json.loads(form["ContentVariables"])
            assert list(variables) == [str(number) for number in range(1, len(variables) + 1)]
        assert 1 <= int(form.get("ValidityPeriod", "1")) <= 36_000
        assert urlsplit(form.get("StatusCallback", "https://here")).scheme == "https"
        return {"+15005550009": 21614, "+15005550004": 21610, "+15005550010": 63016}.get(form["To"].removeprefix(kind))


class Meta(Provider):
    """graph.facebook.com, POST /{version}/{phone number id}/messages."""

    PHONE_ID, TOKEN = "106540352242922", "EAAJB"

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if headers.get("authorization") != f"Bearer {self.TOKEN}":
            return told(
                401, {"error": {"message": "Invalid OAuth access token", "type": "OAuthException", "code": 190}}
            )
        assert re.fullmatch(rf"/v\d+\.0/{self.PHONE_ID}/messages", path)
        said = json.loads(body)
        assert said["messaging_product"] == "whatsapp"
        assert said["recipient_type"] == "individual"
        assert len(said.get("biz_opaque_callback_data", "")) <= 512
        code = self._mistake(said)
        if code:
            return told(400, {"error": {"message": "(#code)", "type": "OAuthException", "code": code}})
        self.taken.append(said)
        return told(200, {"messaging_product": "whatsapp", "messages": [{"id": f"wamid.{len(self.taken)}"}]})

    def _mistake(self, said: dict[str, Any]) -> int | None:
        if not is_e164(said["to"]):
            return 131009
        if said["type"] == "text":
            if not 1 <= len(said["text"]["body"]) <= 4096:
                return 131008
        else:
            assert said["type"] == "template"
            assert re.fullmatch(r"[a-z]{2}(_[A-Z]{2})?", said["template"]["language"]["code"])
            for component in said["template"].get("components", []):
                assert component["type"] == "body"
                if any(not one["text"] or "\n" in one["text"] for one in component["parameters"]):
                    return 131008
        return {"+34600000009": 131026, "+34600000010": 131047, "+34600000011": 131056, "+34600000012": 131050}.get(
            said["to"]
        )


class Telegram(Provider):
    """api.telegram.org, POST /bot{token}/sendMessage."""

    TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if path != f"/bot{self.TOKEN}/sendMessage":
            return told(404, {"ok": False, "error_code": 404, "description": "Not Found"})
        said = json.loads(body)
        if not 1 <= len(said["text"]) <= 4096:
            return told(400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"})
        refused = {
            "666": (403, "Forbidden: bot was blocked by the user"),
            "404": (400, "Bad Request: chat not found"),
            "400": (400, "Bad Request: can't parse entities"),
        }.get(said["chat_id"])
        if refused:
            return told(refused[0], {"ok": False, "error_code": refused[0], "description": refused[1]})
        self.taken.append(said)
        return told(200, {"ok": True, "result": {"message_id": len(self.taken), "chat": {"id": said["chat_id"]}}})


class Gateway(Provider):
    """A gateway that knows its customers by a header."""

    KEY = "a gateway's key"

    def judge(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        if headers.get("x-api-key") != self.KEY:
            return told(401, {})
        said = json.loads(body) if "json" in headers["content-type"] else dict(parse_qsl(body.decode()))
        if not is_e164(said.get("msisdn", "")) or not said.get("message"):
            return told(422, {"error": "msisdn"})
        self.taken.append({"path": path, "key": headers["idempotency-key"], **said})
        return told(202, {"message_id": 700 + len(self.taken)})


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
