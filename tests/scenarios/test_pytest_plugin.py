"""The pytest plugin, in a pytest of its own: a journey's examples are tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import orchestrator

SRC = Path(orchestrator.__file__).parents[1]

JOURNEY = """
journey: hello
version: 1
purpose: service
enter: {event: signed_up}
steps:
  - id: greet
    send: {message: greeting, channels: [email]}
examples:
  - name: whoever signs up is greeted
    given: [{at: 0m, event: signed_up}]
    expect: {messages: [{message: greeting}]}
  - name: nobody is greeted twice
    given: [{at: 0m, event: signed_up}, {at: 1m, event: signed_up}]
    expect: {messages: [{message: greeting}, {message: greeting}]}
"""


@pytest.fixture
def project(tmp_path):
    files = {
        "pytest.ini": "[pytest]\n",
        "shop/orchestrator.yaml": (
            "project: shop\nchannels: {email: {address: profile.email}}\npurposes: {service: {consent: none}}\n"
        ),
        "shop/hello.journey.yaml": JOURNEY,
        "shop/messages/greeting.message.yaml": "message: greeting\nemail: {subject: Hello, text: Hello}\n",
        "elsewhere/hello.journey.yaml": JOURNEY,
        "shop/test_own.py": "def test_of_their_own():\n    pass\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run_pytest(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(SRC), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "150"}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-p", "orchestrator.testing.plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_examples_of_a_project_are_collected_and_run_beside_other_tests(project):
    ended = run_pytest(project, "-v")
    assert ended.returncode == 1
    results = re.findall(r"^(\S+)::(.+?) (PASSED|FAILED)", ended.stdout, flags=re.MULTILINE)
    assert results == [
        ("shop/hello.journey.yaml", "whoever signs up is greeted", "PASSED"),
        ("shop/hello.journey.yaml", "nobody is greeted twice", "FAILED"),
        ("shop/test_own.py", "test_of_their_own", "PASSED"),
    ]


def test_a_failure_is_the_timeline_and_no_traceback(project):
    out = run_pytest(project).stdout
    assert "hello: nobody is greeted twice" in out
    assert "> 2026-01-05T10:01     Did not enter hello: they were inside before, and may not again yet." in out
    assert "expectations.py" not in out
    assert "Traceback" not in out


def test_a_project_with_mistakes_is_an_error_of_collection_with_their_places(project):
    path = project / "shop/hello.journey.yaml"
    path.write_text(JOURNEY.replace("signed_up}\nsteps", "signed_up, wher: x}\nsteps"), encoding="utf-8")
    ended = run_pytest(project)
    assert ended.returncode == 2
    assert re.search(r"hello\.journey\.yaml:5:\d+: E\d+ ", ended.stdout)
    assert "Traceback" not in ended.stdout


def test_loading_the_plugin_imports_nothing_of_the_product():
    code = (
        "import sys, orchestrator.testing.plugin;"
        "print(*sorted(name for name in sys.modules if name.startswith(('orchestrator.', 'pydantic', 'msgspec'))))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["orchestrator.testing", "orchestrator.testing.plugin"]
