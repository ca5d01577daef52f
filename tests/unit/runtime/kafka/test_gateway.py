"""The gateway's own rules: what all such processes must share, and what an event is keyed by."""

import pytest

from orchestrator.model.event import Event
from orchestrator.model.project import Project
from orchestrator.runtime.kafka.gateway import _check, _key_of
from orchestrator.runtime.kafka.settings import SettingError
from orchestrator.runtime.live_settings import ServeSettings

SHARED = {"write_keys": "a-key", "link_secret": "s" * 40}


@pytest.mark.parametrize("missing", SHARED)
def test_without_what_all_processes_share_none_begins(missing):
    _check(ServeSettings.read(SHARED.get))
    with pytest.raises(SettingError, match=f"ORCHESTRATOR_{missing.upper()} must be set"):
        _check(ServeSettings.read({**SHARED, missing: None}.get))


def test_an_event_is_keyed_by_its_customer_else_by_the_strongest_identifier():
    project = Project("shop", identifiers=("email", "cookie"))

    def keyed(customer_id, **identifiers):
        return _key_of(project, Event("e", "seen", 0, customer_id, identifiers))

    assert keyed("ana", email="ana@example.com") == "ana"
    assert keyed(None, cookie="c", email="ana@example.com") == "ana@example.com"
    assert keyed(None, till="7", badge="9") == "9"
