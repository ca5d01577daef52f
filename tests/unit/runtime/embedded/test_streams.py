"""Streams: what comes through a pipe is acted on when it comes, and is known again only by its events' ids."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.runtime.embedded import RunOptions, run_events, sources

# A hang must end; nothing waits for this long when all is well.
PATIENCE_SECONDS = 30


@pytest.fixture
def pipe():
    """Open a pipe; gives the name to read it by and the file to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as writer:
        yield f"/dev/fd/{reading}", writer
    with suppress(OSError):
        os.close(reading)


def test_a_pipe_that_pauses_holds_up_nothing(loaded, shop, pipe, tmp_path):
    name, writer = pipe
    actions, has_come = tmp_path / "actions", threading.Event()

    def look(progress):
        if actions.read_bytes():
            has_come.set()

    options = RunOptions(events=[name], in_order=True, actions=actions)
    run = threading.Thread(target=run_events, args=(loaded, options), kwargs={"progress": look})
    run.start()
    writer.write(shop.cart(0) + b"\n" + shop.page(99) + b"\n")
    assert has_come.wait(PATIENCE_SECONDS), "the reminder waited for the end of the pipe"
    writer.close()
    run.join(PATIENCE_SECONDS)
    assert not run.is_alive()


@pytest.mark.parametrize("in_order", [False, True])
def test_a_pipe_given_again_adds_nothing(run, shop, tmp_path, in_order):
    records = b"\n".join(shop.day(seed=4, events=100))
    state, lines = tmp_path / "state.db", []
    for _ in range(2):
        reading, writing = os.pipe()
        os.write(writing, records)
        os.close(writing)
        lines.append(run(f"/dev/fd/{reading}", in_order=in_order, state=state).lines("decisions"))
        os.close(reading)
    assert lines[0] == lines[1] != []


@pytest.mark.parametrize("redirected", [False, True])
@pytest.mark.parametrize("in_order", [False, True])
def test_standard_input_is_an_input_like_any_other(run, write, shop, monkeypatch, redirected, in_order):
    records = [shop.cart(0), shop.page(99)]
    if redirected:
        file = write(records, "redirected").open("rb")
    else:
        reading, writing = os.pipe()
        os.write(writing, b"\n".join(records))
        os.close(writing)
        file = os.fdopen(reading, "rb")
    with file:
        monkeypatch.setattr(sources, "standard_input", lambda: file)
        assert run("-", in_order=in_order).sent() == [("ana", "00:10")]
        assert not file.closed


def test_two_kinds_of_lines_may_share_a_pipe(loaded, write, shop):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb"):
        shared = Path(f"/dev/fd/{writing}")
        options = RunOptions(events=[str(write([shop.cart(0)]))], actions=shared, decisions=shared, drain=True)
        summary = run_events(loaded, options)
        lines = [json.loads(reader.readline()) for _ in range(summary.actions.total() + summary.decisions.total())]
    assert [line["kind"] for line in lines if "kind" in line] == ["message"]
    assert [line["verdict"] for line in lines if "verdict" in line] == [
        "entered",
        "waited",
        "resumed",
        "sent",
        "exited",
    ]
