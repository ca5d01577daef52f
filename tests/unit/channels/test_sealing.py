"""Sealing: the same as the standard library's HMAC."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.sealing import Sealer


@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_a_seal_is_the_hmac_of_the_message(key, messages):
    sealer = Sealer(key)
    for message in messages:
        assert sealer.seal(message) == hmac.digest(key, message, hashlib.sha256)
