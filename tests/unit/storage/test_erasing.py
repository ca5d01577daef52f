"""Erasing: a line is about a customer however it writes what they are known by."""

import base64
import json

import pytest

from orchestrator.storage.erasing import is_theirs, quotes


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


ANA = "a" * 32


def letter(event: object = None, **about: object) -> bytes:
    return json.dumps(
        {"reason": "bad_time", **({} if event is None else {"record": json.dumps(event)}), **about}
    ).encode()


@pytest.mark.parametrize(
    "event",
    [
        {"customer_id": "susana"}, {"customer_id": "ana-2"}, {"identifiers": {"email": "susana@shop.example"}},
        {"identifiers": {"email": "ana@shop.example.org"}}, {"customer_id": "21001", "total": 10.100},
    ],
)  # fmt: skip
def test_a_line_of_somebody_whose_name_holds_another_is_not_the_others(event):
    for values in (["ana", "ana@shop.example"], ["100"]):
        assert not quotes(letter(event), ANA, values)
        assert not is_theirs(letter(event), ANA, values)


@pytest.mark.parametrize(
    "event",
    [
        {"customer_id": "100"}, {"customer_id": 100}, {"userId": "100"}, {"identifiers": {"loyalty_card": "100"}},
        {"note": "ask ana@shop.example."}, "mailto:ANA@shop.example\nana",
    ],
)  # fmt: skip
def test_a_line_that_says_who_it_is_about_is_theirs(event):
    values = ["100", "ana@shop.example"]
    assert (quotes(letter(event), ANA, values), is_theirs(letter(event), ANA, values)) == (True, True)


def test_a_number_that_may_be_anything_is_nobodys_and_one_that_may_be_a_name_goes_but_is_not_handed_over():
    amount, size = letter({"customer_id": "ben", "total": 100}), letter({"customer_id": "ben", "size": "100"})
    assert (quotes(amount, ANA, ["100"]), is_theirs(amount, ANA, ["100"])) == (False, False)
    assert (quotes(size, ANA, ["100"]), is_theirs(size, ANA, ["100"])) == (True, False)
    cut = json.dumps({"reason": "not_json", "record": '{"customer_id": 100, "type": '}).encode()
    assert quotes(cut, ANA, ["100"])


def test_a_line_that_says_whose_it_is_is_nobody_elses_whomever_it_mentions():
    bens = letter(profile_id="b" * 32, to="ana@shop.example")
    assert (quotes(bens, ANA, ["ana@shop.example"]), is_theirs(bens, ANA, ["ana@shop.example"])) == (False, False)
    merged = letter(profile_id="b" * 32)
    assert (quotes(merged, ANA, ["b" * 32]), is_theirs(merged, ANA, ["b" * 32])) == (True, True)


@pytest.mark.parametrize("coding", ["latin-1", "utf-8"])
def test_a_value_is_found_in_a_record_that_is_no_text(coding):
    raw = '{"email": "josé@shop.example"}'.encode(coding) + b"\xff"
    line = letter(record_base64=base64.b64encode(raw).decode())
    assert quotes(line, ANA, ["josé@shop.example"])
    assert is_theirs(line, ANA, ["josé@shop.example"])
