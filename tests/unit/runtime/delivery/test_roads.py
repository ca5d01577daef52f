"""What a team is told of a case, and what a call is answered."""

import msgspec
import pytest

from orchestrator.channels.answers import Answer
from orchestrator.channels.links import Links
from orchestrator.channels.preparing import Preparer
from orchestrator.channels.rendering import Renderer
from orchestrator.model.catalog import Catalog
from orchestrator.model.effects import Action
from orchestrator.model.project import Project
from orchestrator.runtime.delivery.roads import CallRoad, CaseRoad


class Hook:
    """Keeps what it is called with."""

    def __init__(self) -> None:
        self.calls = []

    async def call(self, key, body, now_ms):
        self.calls.append((key, msgspec.json.decode(body)))


async def _told(summary):
    hook = Hook()
    renderer = Renderer({"name": "Casa Olmo"}, ("es",), {})
    preparer = Preparer(Catalog(Project("shop"), []), renderer, Links("https://shop.example", ("x" * 32,)))
    data = {"case_id": "c1", "summary": summary, "profile": {"first_name": "Ana"}}
    action = Action("c1", "handoff", "p1", "ana", "j", 1, "e1", "care", "2026-01-01T00:00:00.000Z", data=data)
    await CaseRoad(hook, lambda: preparer).send(action, 0)
    ((key, body),) = hook.calls
    assert (key, body["type"], body["data"]["customer_id"]) == ("c1", "case.open", "ana")
    return body["data"]["summary"]


async def test_a_case_is_told_in_words():
    assert await _told("{{ profile.first_name }} of {{ brand.name }} waits") == "Ana of Casa Olmo waits"


async def test_a_summary_that_fails_is_told_as_it_is_written():
    assert await _told("{{ profile.first_name | divided_by: 0 }}") == "{{ profile.first_name | divided_by: 0 }}"


async def test_a_case_may_have_no_summary():
    assert await _told(None) is None


class Oracle:
    """Answers every call with the same bytes."""

    def __init__(self, body: bytes) -> None:
        self.answer = Answer(200, body)

    async def call(self, key, body, now_ms):
        return self.answer


@pytest.mark.parametrize(
    ("body", "response"),
    [
        (b'{"offer": [1, null]}', {"offer": [1, None]}),
        (b"", None),
        (b"<p>welcome</p>", None),
        # What no record holds: too large a number, and lists too deep in one another.
        (b'{"offer": 9223372036854775808}', None),
        (b"[" * 65 + b"]" * 65, None),
    ],
)
async def test_a_call_is_answered_by_its_status_whatever_its_body(body, response):
    action = Action("c1", "call", "p1", "ana", "j", 1, "e1", "ask", "2026-01-01T00:00:00.000Z", data={})
    (answered,) = await CallRoad(Oracle(body)).send(action, 0)
    assert answered.properties == {"action_id": "c1", "status": 200, "response": response}
