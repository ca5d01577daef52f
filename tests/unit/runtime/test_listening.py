"""Where a process listens: every form of an address that operators write, and the URL that leads there."""

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.runtime import listening
from orchestrator.runtime.live_settings import ServeSettings


@pytest.mark.parametrize(
    ("written", "read", "url"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        ("[::1]:8080", ("::1", 8080), "http://[::1]:8080"),
        ("::1:8080", ("::1", 8080), "http://[::1]:8080"),
        ("shop.example:0", ("shop.example", 0), "http://shop.example:0"),
    ],
)
def test_an_address_is_read_and_written_as_a_url(written, read, url):
    assert listening.read(written, "127.0.0.1:8080") == read
    assert listening.url(*read) == url


@pytest.mark.parametrize("written", ["8080", "localhost", "localhost:", "localhost:65536", "localhost:-1", ":²", ""])
def test_what_is_no_address_is_said_to_be_none(written):
    with pytest.raises(OrchestratorError, match="write one such as"):
        listening.read(written, "127.0.0.1:8080")


@pytest.mark.parametrize("http", ["localhost", ":8080"])
def test_what_links_could_not_begin_with_is_refused(http):
    with pytest.raises(OrchestratorError, match=rf"ORCHESTRATOR_HTTP='{http}' is no address; write one such as 127"):
        ServeSettings.read({"http": http}.get)


def test_links_lead_to_an_address_of_ipv6_in_brackets():
    assert ServeSettings.read({"http": "::1:8080"}.get).public_url == "http://[::1]:8080"
