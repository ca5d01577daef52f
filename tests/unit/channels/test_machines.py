"""Who opened it: a person, or a machine that gives itself away."""

import pytest

from orchestrator.channels.machines import is_machine

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("method", "headers", "since_ms", "machine"),
    [
        ("GET", {"user-agent": PHONE}, MINUTE_MS, False),
        ("GET", {"user-agent": PHONE}, None, False),
        ("GET", {"user-agent": PHONE}, 1000, True),
        ("HEAD", {"user-agent": PHONE}, MINUTE_MS, True),
        ("GET", {}, MINUTE_MS, True),
        ("GET", {"user-agent": "Mozilla/5.0"}, MINUTE_MS, True),
        ("GET", {"user-agent": "Mozilla/5.0 Firefox/11.0 (via ggpht.com GoogleImageProxy)"}, MINUTE_MS, True),
        ("GET", {"user-agent": "python-requests/2.32"}, MINUTE_MS, True),
        ("GET", {"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0)"}, MINUTE_MS, True),
        ("GET", {"user-agent": PHONE, "sec-purpose": "prefetch;prerender"}, MINUTE_MS, True),
    ],
)  # fmt: skip
def test_signs(method, headers, since_ms, machine):
    assert is_machine(method, headers, since_ms) is machine
