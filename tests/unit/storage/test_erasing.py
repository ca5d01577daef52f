"""Erasing: a line is about a customer however it writes what they are known by."""

import json

import pytest

from orchestrator.storage.erasing import quotes


@pytest.mark.parametrize(
    "written",
    [
        "+34600112233", "600 11 22 33", "+34 600-112.233", "0034 (600) 112 233",
        "José López", "JOSÉ LÓPEZ", json.dumps("José López"),
        json.dumps(json.dumps("José López")), json.dumps("😀-4711"),
    ],
)  # fmt: skip
def test_a_value_is_found_however_it_is_written(written):
    line = json.dumps({"raw": f'{{"said": "{written}"}}'}).encode()
    assert quotes(line, "p1", ["+34600112233", "José López", "😀-4711"])


@pytest.mark.parametrize("written", ["+34600112234", "6001122334", "600 11 22", "Jose Lopez", "jo"])
def test_another_value_is_not(written):
    assert not quotes(f'{{"raw": "{written}"}}'.encode(), "p1", ["+34600112233", "José López", "jo"])
