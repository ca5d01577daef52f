"""Keys: who gets in, and what whoever does not is told."""

import base64

import pytest

from orchestrator.web.answers import HttpError
from orchestrator.web.keys import KeyRing


def scope(header):
    return {"type": "http", "headers": [] if header is None else [(b"authorization", header.encode())]}


def basic(key):
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


@pytest.mark.parametrize("header", ["Bearer one", basic("two")])
def test_any_of_the_keys_opens_and_does_so_again(header):
    ring = KeyRing(("one", "two"), "write")
    ring.check(scope(header))
    ring.check(scope(header))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (None, "a key is needed: Authorization: Bearer KEY, or Basic KEY:"),
        ("Digest x", "a key is needed: Authorization: Bearer KEY, or Basic KEY:"),
        ("Bearer three", "this is no write key, which is what is needed here"),
        (basic("three"), "this is no write key, which is what is needed here"),
    ],
)
def test_whoever_has_none_or_another_kind_is_told_which(header, told):
    with pytest.raises(HttpError) as refused:
        KeyRing(("one", "two"), "write").check(scope(header))
    assert (refused.value.status, refused.value.code, refused.value.message) == (401, "bad_key", told)
