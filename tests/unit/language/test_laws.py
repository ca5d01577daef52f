"""Laws of whole projects: whatever the files hold, there is a project or the list of what is wrong, and nothing else.

The files are sound ones, hurt at random: letters lost, lines doubled or moved, values replaced by others of any kind.
Must never say which mistakes there are.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.language import yaml
from orchestrator.language.codes import CODES
from orchestrator.language.nodes import plain

JOURNEY = """\
journey: hello
version: 1
purpose: service
enter: {event: signed_up, where: total >= 30 and exists(tags), key: cart_id, again: 7d}
exit:
  - {event: left, reason: gone}
goal: {event: bought, within: 3d, value: event.properties.total}
holdout: 10%
steps:
  - {id: settle, wait: {for: 1h, restart_on: signed_up}}
  - {id: morning, wait_until: {time: "09:00", weekday: [mon, tue]}}
  - id: greet
    send: {message: welcome, channels: [preferred, email], data: {code: "'X'"}}
  - id: answer
    wait_for: {any: [{name: yes, event: clicked, then: [{exit: engaged}]}], within: 1d}
    on_timeout:
      - choose:
          - {if: steps.settle.event.properties.total > 3, then: [{set: {profile.tier: "'gold'"}}]}
          - else: [{emit: {event: done, properties: {at: now}}}]
  - {id: offer, split: [{name: a, share: 50}, {name: b, share: 50}]}
  - {id: again, repeat: {every: 1d, at_most: 3, until: profile.done, steps: [{id: nap, wait: 1h}]}}
examples:
  - {name: one, given: [{at: 0m, event: signed_up, properties: {total: 3}}], expect: {messages: [], waiting: settle}}
"""
NAMES = {"hello.journey.yaml": JOURNEY}


@st.composite
def hurt(draw: st.DrawFn, text: str) -> str:
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(lines) - 1, 0)))
        match draw(st.sampled_from(["drop", "double", "move", "letter", "indent"])):
            case "drop":
                lines = lines[:at] + lines[at + 1 :]
            case "double":
                lines = lines[: at + 1] + lines[at:]
            case "move" if lines:
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "letter" if lines:
                where = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:where] + draw(st.sampled_from(LETTERS)) + lines[at][where + 1 :]
            case "indent" if lines:
                lines[at] = "  " + lines[at]
    return "".join(lines)


LETTERS = ["", " ", ":", "{", "}", "[", "]", ",", "'", '"', "#", "&a ", "*a", "!", "0", "x", ".", "\n", "\t", "- "]
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "1h", "email", "welcome", "profile.x > 3", "09:00", "steps.settle.event", "a.html"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "event", "where", "wait", "send", "then", "if", "any", "within"]), inner, max_size=3
    ),
    max_leaves=5,
)  # fmt: skip


@st.composite
def replaced(draw: st.DrawFn, text: str) -> str:
    """Replace values anywhere in a file by others of any kind."""
    content = plain(yaml.read("f", text))
    for _ in range(draw(st.integers(1, 3))):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and draw(st.booleans()):
                place = place[key]
                continue
            place[key] = draw(values)
            break
    return json.dumps(content)


@pytest.mark.parametrize("kind", [hurt, replaced])
@pytest.mark.parametrize("name", ["hello.journey.yaml", "orchestrator.yaml", "messages/welcome.message.yaml"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(data=st.data())
def test_a_hurt_file_makes_a_project_or_a_list_of_problems(kind, name, data, found, sound):
    text = data.draw(kind(NAMES.get(name, sound[name])))
    problems = found(**{"hello.journey.yaml": JOURNEY, name: text})
    for problem in problems:
        assert problem.code in CODES
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.fix


def test_the_file_that_is_hurt_is_sound(found):
    assert [problem.code for problem in found(JOURNEY)] == []
