"""Time zones: whose clock a customer, or an agent, lives by.

Owns the one rule of it: the customer's own zone, else the project's, at last UTC. Must never refuse a name: what nobody
knows counts as none, because it comes with customers' data.
"""

from functools import lru_cache
from zoneinfo import ZoneInfo

from orchestrator.model.profile import Profile
from orchestrator.model.project import Project


def zone_of(profile: Profile, project: Project) -> ZoneInfo:
    """Find the customer's time zone; the project's when they have none or an unknown one, at last UTC."""
    own = profile.value("timezone")
    return zone_named(own if isinstance(own, str) else "", project.timezone)


def zone_named(*names: str) -> ZoneInfo:
    """Give the first of these zones that there is, at last UTC."""
    found = (_zone(name) for name in names if name)
    return next((zone for zone in found if zone is not None), ZoneInfo("UTC"))


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no such form of name, or a folder's name
        return None
