"""Firebase Cloud Messaging, HTTP v1.

    fcm:                     ORCHESTRATOR_CHANNEL_PUSH_SECRET_FILE names the service account's JSON
    fcm:?project=shop-1      another project than the account's own

FCM takes no idempotency key: a message whose answer got lost may arrive twice (at-least-once), but under the same
`tag` and `apns-collapse-id`, so that the second takes the first one's place on the screen. The action's id goes into
`data.action_id`, for the app to report what was opened. Owns the access token (OAuth 2.0 by a signed assertion, RFC
7523), which it keeps and renews once when it is refused, and what each of FCM's codes says. Must never try again for
any other reason.
"""

from typing import Any
from urllib.parse import urlencode

import msgspec
from yarl import URL

from orchestrator.channels.answers import Answer
from orchestrator.channels.api import Api, read_url, secret_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.channels.push.notices import notice_of
from orchestrator.channels.push.tokens import Kept, Key, Token, read_key, signed
from orchestrator.errors import Bounced, ChannelError, OrchestratorError, Refused, Unavailable

HOST = "fcm.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
OPTIONS = ("project",)
# An assertion may be good for an hour; a token is renewed this long before its end.
_HOUR_S, _MARGIN_S = 3_600, 300
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
# How it calls the address, where it says what is wrong with a request.
_ADDRESS, _TOKEN = "message.token", "registration token"
# In bytes, of what is shown and what the app gets.
LONGEST_PAYLOAD = 4_096


class Account(msgspec.Struct):
    """A service account's file, as Google writes it."""

    project_id: str
    private_key_id: str
    private_key: str
    client_email: str
    token_uri: str


class _Granted(msgspec.Struct):
    access_token: str = ""
    expires_in: int = 0


class _Violation(msgspec.Struct):
    field: str = ""


class _Detail(msgspec.Struct):
    type: str = msgspec.field(name="@type", default="")
    code: str = msgspec.field(name="errorCode", default="")
    violations: list[_Violation] = msgspec.field(name="fieldViolations", default_factory=list)


class _Error(msgspec.Struct):
    status: str = ""
    message: str = ""
    details: list[_Detail] = []


class _Said(msgspec.Struct):
    name: str = ""
    error: _Error | None = None


class FcmChannel:
    """Sends for one project of Firebase."""

    # The second takes the first one's place on the screen.
    knows_repeats = True

    def __init__(self, api: Api, account: Account, key: Key, project: str) -> None:
        self._api = api
        self._account = account
        self._key = key
        self._url = api.base / "v1" / "projects" / project / "messages:send"
        self._kept = Kept(self._token)

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to Firebase, with a new token where the one that was kept is refused."""
        content = {"message": _message(delivery)}
        token = await self._kept.at(delivery.now_ms)
        answer = await self._ask(token, content)
        if answer.status == 401 and _code_in(answer.read(_Said)) != "THIRD_PARTY_AUTH_ERROR":
            self._kept.drop(token)
            answer = await self._ask(await self._kept.at(delivery.now_ms), content)
        said = answer.read(_Said)
        if answer.status == 200 and said.name:
            return Receipt(said.name)
        raise _trouble(answer, said, delivery.now_ms)

    async def _ask(self, token: str, content: object) -> Answer:
        return await self._api.post_json(self._url, {"Authorization": f"Bearer {token}"}, content)

    async def _token(self, now_ms: int) -> Token:
        """Ask Google for an access token."""
        now_s = now_ms // 1000
        url = self._account.token_uri
        claims = {"iss": self._account.client_email, "scope": SCOPE, "aud": url, "iat": now_s, "exp": now_s + _HOUR_S}
        assertion = signed(claims, self._key, "RS256", self._account.private_key_id)
        body = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        answer = await self._api.post(URL(url), {"Content-Type": "application/x-www-form-urlencoded"}, body)
        granted = answer.read(_Granted)
        if answer.status != 200 or not granted.access_token:
            # Whatever it says, it says it about our account, and no message is to blame.
            why = f"Google answered {answer.status} when asked for an access token"
            raise Unavailable(answer.after(now_ms), why)
        return Token(granted.access_token, (now_s + max(granted.expires_in - _MARGIN_S, 1)) * 1000)

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


def _message(delivery: Delivery) -> dict[str, Any]:
    notice = notice_of(delivery)
    shown = {"title": notice.title, "body": notice.body, "image": notice.image}
    until_s = delivery.now_ms // 1000 + notice.lasts_s
    data = {"action_id": delivery.action.id, "url": notice.url}
    told = {
        "notification": {name: text for name, text in shown.items() if text},
        "data": {name: text for name, text in data.items() if text},
    }
    size = len(msgspec.json.encode(told))
    if size > LONGEST_PAYLOAD:
        raise Refused(f"the notification has {size:,} bytes, and Firebase takes {LONGEST_PAYLOAD:,}")
    return {
        "token": delivery.to,
        **told,
        "android": {"ttl": f"{notice.lasts_s}s", "notification": {"tag": delivery.key}},
        "apns": {"headers": {"apns-collapse-id": delivery.key, "apns-expiration": str(until_s)}},
    }


def _code_in(said: _Said) -> str:
    error = said.error or _Error()
    return next((each.code for each in error.details if each.type == _FCM_ERROR and each.code), error.status)


def _trouble(answer: Answer, said: _Said, now_ms: int) -> ChannelError:
    code = _code_in(said)
    why = f"Firebase answered {answer.status}" + (f", {code}" if code else "")
    violated = {each.field for detail in (said.error or _Error()).details for each in detail.violations}
    if code in ("UNREGISTERED", "SENDER_ID_MISMATCH"):
        return Bounced(why, hard=True)
    if code == "INVALID_ARGUMENT":
        # Said of a token that is none, and of messages too, such as one that is too big: then no device is to blame.
        about = ", ".join(sorted(violated - {_ADDRESS}))
        is_token = _ADDRESS in violated or _TOKEN in (said.error or _Error()).message.lower()
        return Bounced(why, hard=True) if is_token and not about else Refused(f"{why}: {about}" if about else why)
    if answer.status < 300:
        return Unavailable(None, f"{why} and nothing that says it was taken")
    return answer.trouble(why, now_ms)


def open_fcm(setup: Setup) -> FcmChannel:
    """Make the channel that a `fcm:` URL names."""
    endpoint = read_url(setup, HOST, OPTIONS)
    text = secret_of(setup, "the service account's JSON")
    try:
        account = msgspec.json.decode(text, type=Account)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OrchestratorError(f"channel {setup.name}: the secret is no service account's JSON") from error
    key = read_key(account.private_key, f"channel {setup.name}: the service account's private_key")
    return FcmChannel(
        Api(endpoint, setup.allowed_hosts), account, key, endpoint.options.get("project", account.project_id)
    )
