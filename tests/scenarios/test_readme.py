"""The README keeps its word: its journey runs, its commands work, and what it names is there."""

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator.channels import registry as channels
from orchestrator.language import compile_sources
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.live_settings import NAMES as SERVE_SETTINGS
from orchestrator.scorers import registry
from orchestrator.testing import run_examples
from providers import WebServer
from providers.live import CART, HOUR, LiveShop, until
from providers.web import RESET, answer

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATORS = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
PATIENCE = """\
journey: waiting
version: 1
enter: {event: asked}
steps:
  - {id: bear, score: {model: patience, input: days_since(profile.asked_at), save: profile.patience}}
  - choose: [{if: steps.bear.label == 'impatient', then: [{exit: hurry}]}]
examples:
  - name: who asked a week ago will not wait any longer
    profile: {asked_at: "2025-12-20"}
    given: [{at: 0m, event: asked}]
    expect: {exit: hurry, profile: {patience: 1.0}}
  - name: who has not asked is not judged
    given: [{at: 0m, event: asked}]
    expect: {exit: completed, profile: {patience: null}}
"""
# What the README's paths start from; the engine's files are named without their folder.
PLACES = [ROOT, ROOT / "src/orchestrator", ROOT / "src/orchestrator/engine"]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def _sources() -> dict[str, str]:
    """Read the shop, with the README's journey in the place of all of its own."""
    journeys = ROOT / "journeys"
    inside = [file for name in ("messages", "coupons") for file in sorted((journeys / name).iterdir())]
    files = [journeys / "orchestrator.yaml", *inside]
    shop = {file.relative_to(journeys).as_posix(): file.read_text(encoding="utf-8") for file in files}
    return {**shop, "abandoned-cart.journey.yaml": _blocks("yaml")[0]}


def test_the_journey_has_twenty_lines():
    assert len(_blocks("yaml")[0].splitlines()) == 20


def test_the_journey_is_valid_and_its_examples_hold():
    results = list(run_examples(compile_sources(_sources())))
    assert len(results) == 1
    assert [result.report() for result in results if not result.passed] == []


def test_the_commands_work_as_they_are_shown(tmp_path):
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line.startswith("orchestrator ")]
    assert [line.split()[1] for line in lines] == ["init", "validate", "test", "run", "explain", "map"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for line in lines:
        command = [sys.executable, "-m", *shlex.split(line)]
        done = subprocess.run(
            command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_model_of_your_own_has_twenty_lines_and_judges_as_a_step_asks(monkeypatch):
    code, _ = _blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 20
    package = ModuleType("my_package")
    exec(compile(code, "README.md", "exec"), package.__dict__)  # noqa: S102 - our own README
    monkeypatch.setitem(sys.modules, "my_package", package)
    points = EntryPoints([EntryPoint("patience", "my_package:open_scorer", registry.GROUP)])
    monkeypatch.setattr(registry, "entry_points", points.select)
    assert "models: {patience: {settings: {days: 7}}}" in README
    assert "score: {model: patience, input: days_since(profile.asked_at)}" in README
    loaded = compile_sources(
        {
            "orchestrator.yaml": "project: shop\nmodels: {patience: {settings: {days: 7}}}\n",
            "waiting.journey.yaml": PATIENCE,
        }
    )
    assert [result.report() for result in run_examples(loaded) if not result.passed] == []


async def test_the_channel_of_your_own_has_twenty_lines_and_is_tried_again(monkeypatch, tmp_path):
    _, code = _blocks("python")
    assert len([line for line in code.splitlines() if line and not line.startswith(('"""', "import", "from"))]) <= 20
    package = ModuleType("my_channel")
    exec(compile(code, "README.md", "exec"), package.__dict__)  # noqa: S102 - our own README
    monkeypatch.setitem(sys.modules, "my_channel", package)
    points = EntryPoints([EntryPoint("ntfy", "my_channel:open_ntfy", channels.GROUP)])
    monkeypatch.setattr(channels, "entry_points", points.select)
    script = [answer(503), RESET, answer(200, b'{"id": "n1"}', Content_Type="application/json")]
    async with WebServer(*script) as ntfy, LiveShop(tmp_path, push=f"ntfy:{ntfy.url}") as shop:
        await shop.post({"type": "profile_updated", "customer_id": "ana", "properties": {"device_token": "anas"}})
        said = {"purpose": "marketing", "granted": True}
        await shop.post({"type": "consent_changed", "customer_id": "ana", "properties": said})
        await shop.post({**CART, "customer_id": "ana"})
        shop.later(HOUR)
        await until(lambda: len(ntfy.requests) == 3)
        note = {"topic": "anas", "title": "Tienda", "message": "Tu cesta te espera"}
        assert ntfy.bodies == [note] * 3
        assert len({headers["idempotency-key"] for _, headers, _ in ntfy.requests}) == 1


def test_every_make_target_that_is_named_is_there():
    named = set(re.findall(r"\bmake ([a-z]+)`", README)) | set(re.findall(r"^make ([a-z]+)$", README, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test", "lint", "bench", "help"} <= named
    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_every_setting_that_is_named_is_read():
    named = set(re.findall(r"^\| `ORCHESTRATOR_(\w+)` \|", OPERATORS, flags=re.MULTILINE))
    assert named
    # Of teams and channels there are as many as a project names.
    fixed = {name.lower() for name in named if not name.startswith(("TEAM_", "CHANNEL_"))}
    assert fixed - {*KafkaSettings.model_fields, *SERVE_SETTINGS} == set()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w./-]+(?:\.py|/))`", README + OPERATORS))))
def test_every_path_that_is_named_is_there(path):
    assert any((place / path).exists() for place in PLACES)


@pytest.mark.parametrize("text", [pytest.param(README, id="README.md"), pytest.param(OPERATORS, id="deploy/README.md")])
def test_every_link_leads_somewhere(text):
    """Of a file, and of a section in it as its heading is turned into an anchor."""
    folder = ROOT if text is README else ROOT / "deploy"
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        assert (folder / path).exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (folder / path).read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, link


def test_no_word_has_two_meanings():
    words = re.search(r"^## Words$(.*?)^## ", README, flags=re.MULTILINE | re.DOTALL)
    assert words is not None
    rows = re.findall(r"^\| (.+?) \|", words[1], flags=re.MULTILINE)[2:]
    listed = [word for row in rows for word in row.split(", ")]
    assert len(listed) == len(set(listed)) > 20
