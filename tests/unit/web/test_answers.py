"""The forms in which we answer programs."""

import json

import pytest

from orchestrator.errors import StorageError
from orchestrator.runtime.live import Busy
from orchestrator.web.answers import NO_STORE, HttpError, error_response, not_kept


def test_an_error_is_told_with_its_own_headers_beside_those_of_where_it_is_answered():
    told = error_response(HttpError(408, "too_slow", "the body took over 30 s", [(b"connection", b"close")]), NO_STORE)
    assert (told.status_code, json.loads(told.body)) == (
        408,
        {"code": "too_slow", "message": "the body took over 30 s"},
    )
    assert {name: told.headers[name] for name in ("connection", "cache-control", "content-type")} == {
        "connection": "close",
        "cache-control": "no-store",
        "content-type": "application/json",
    }


@pytest.mark.parametrize(
    ("error", "code", "after"), [(Busy("too many"), "busy", b"1"), (StorageError("a full disk"), "not_kept", b"5")]
)
def test_who_is_not_served_is_told_when_to_come_back(error, code, after):
    told = not_kept(error)
    assert (told.status, told.code, told.message) == (503, code, str(error))
    assert told.headers == [(b"retry-after", after)]
