"""Dates in messages: on whose clock the filter `date` writes them."""

import pytest

from orchestrator.channels.rendering import MessageTemplates, Renderer

MADRID, CANARY = {}, {"timezone": "Atlantic/Canary"}


def written(value, form="%d/%m %H:%M", profile=None, at="2026-07-01T22:30:00.000Z"):
    template = f"{{{{ entry.at | date: '{form}' }}}}"
    renderer = Renderer({}, ("es",), {"m": MessageTemplates({"sms": {"text": template}})}, timezone="Europe/Madrid")
    data = {"profile": profile or {}, "entry": {"at": value}}
    return renderer.render("m", "sms", "es", data, at=at).fields["text"]


@pytest.mark.parametrize(
    ("value", "profile", "expected"),
    [
        # What says UTC says no wall clock: it is the customer's that counts, summer and winter.
        ("2026-07-01T17:00:00Z", MADRID, "01/07 19:00"),
        ("2026-01-05T17:00:00.000+00:00", MADRID, "05/01 18:00"),
        ("2026-07-01T23:30:00Z", CANARY, "02/07 00:30"),
        (1_782_925_200_000, MADRID, "01/07 19:00"),
        (1_782_925_200, MADRID, "01/07 19:00"),
        (1_782_925_200.0, MADRID, "01/07 19:00"),
        ("1782925200000", MADRID, "01/07 19:00"),
        ("1782925200", CANARY, "01/07 18:00"),
        ("now", MADRID, "02/07 00:30"),
        ("today", CANARY, "01/07 23:30"),
        ("2026-07-01T17:00:00Z", {"timezone": "Mars/Base"}, "01/07 19:00"),
        ("2026-07-01T17:00:00Z", {"timezone": 5}, "01/07 19:00"),
        # Somebody's wall clock is left alone.
        ("2026-07-01T17:00:00+02:00", CANARY, "01/07 17:00"),
        ("2026-07-01T17:00", CANARY, "01/07 17:00"),
        ("2026-07-01", CANARY, "01/07 00:00"),
        ("20260701", CANARY, "01/07 00:00"),
        ("1 July 2026 17:00", CANARY, "01/07 17:00"),
        # What is no date keeps no message back.
        ("soon", MADRID, "soon"),
        (10**18, MADRID, "1000000000000000000"),
        ([1], MADRID, ""),
        (True, MADRID, ""),
        (None, MADRID, ""),
    ],
)
def test_an_instant_is_written_on_the_customers_clock(value, profile, expected):
    assert written(value, profile=profile) == expected


def test_html_in_a_form_stays_html_and_a_value_does_not():
    page = "{{ entry.at | date: '%d&nbsp;%m' }} {{ entry.soon | date: '%d' }}"
    renderer = Renderer({}, ("es",), {"m": MessageTemplates({"email": {"html": page}})})
    data = {"entry": {"at": "2026-07-01", "soon": "<b>"}}
    assert renderer.render("m", "email", "es", data).fields["html"] == "01&nbsp;07 &lt;b&gt;"


def test_a_case_tells_times_on_the_customers_clock_too():
    renderer = Renderer({}, ("es",), {}, timezone="Europe/Madrid")
    told = {"summary": "{{ entry.at | date: '%H:%M' }}", "entry": {"at": "2026-01-05T17:00:00Z"}, "profile": CANARY}
    assert renderer.summary(told) == "17:00"
    assert renderer.summary({**told, "profile": {}}) == "18:00"
