"""What operators set for a live process, in the forms in which they write it."""

import pytest

from orchestrator.runtime.live_settings import ServeSettings


@pytest.mark.parametrize("written", ["one,two", " one , two ,", "one\ntwo\n", "one\r\ntwo\r\n", "one,\ntwo"])
def test_several_keys_stand_between_commas_or_on_lines_of_a_file(written):
    found = ServeSettings.read({"write_keys": written, "read_keys": written, "link_secret": written}.get)
    assert (found.write_keys, found.read_keys, found.link_secrets) == (("one", "two"),) * 3
