"""The registry: what an operator hears of a URL that cannot be used."""

import pytest

from orchestrator.channels.port import Setup
from orchestrator.channels.registry import open_channel
from orchestrator.errors import OrchestratorError


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example:99x/",
        "https://crm.example/#timeout=soon",
        "https://10.0.0.1/",
        "telegram://bots.example:99x/",
        "smtp://mail.example:99x?from=hi@shop.example",
        "carrier-pigeon:",
    ],
)
def test_what_is_wrong_with_a_url_is_said_with_its_channel(url):
    with pytest.raises(OrchestratorError, match="channel push: ") as caught:
        open_channel(Setup("push", url, "whsec_c2VjcmV0"))
    assert "whsec_" not in str(caught.value)
