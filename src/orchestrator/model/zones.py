"""Time zones: whose clock a customer lives by.

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
    found = _zone(own) if isinstance(own, str) else None
    return found or _zone(project.timezone) or ZoneInfo("UTC")


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no such form of name, or a folder's name
        return None
