"""Machines: openings and clicks that no person made.

Owns the signs by which proxies, link scanners and previews give themselves away. A sign says "machine", never
"person": who opens a mail in a browser through a company's proxy may well be one. Must never drop a receipt: it only
tells how to read it.
"""

import re
from collections.abc import Mapping

from orchestrator.model.instants import SECOND_MS

# Scanners follow links the moment a mail arrives; people need to see it first.
TOO_SOON_MS = 5 * SECOND_MS
_AGENTS = re.compile(
    r"bot\b|crawl|spider|scan|preview|proxy|monitor|curl|wget|python|java/|go-http|okhttp|libwww|headless|phantom"
    r"|slurp|facebookexternalhit|whatsapp|telegram|slack|skype|teams|barracuda|mimecast|proofpoint|symantec|forcepoint"
    r"|trend ?micro|sophos|fireeye|cloudmark|safelinks|googleimageproxy|ggpht|yahoomailproxy|yahoo! slurp|vade",
    re.IGNORECASE,
)
# What Apple's mail privacy fetches pictures with, in advance and whether or not anybody looks: exactly this, no more.
_PREFETCH = "Mozilla/5.0"


def is_machine(method: str, headers: Mapping[str, str], since_sent_ms: int | None) -> bool:
    """Tell whether a request for a pixel or a redirect gives itself away as a machine's.

    `headers` are by lower-case name; `since_sent_ms` is how long ago the message left, None where that is unknown.
    """
    agent = headers.get("user-agent", "").strip()
    if method != "GET" or not agent or agent == _PREFETCH or _AGENTS.search(agent):
        return True
    purpose = f"{headers.get('purpose', '')} {headers.get('sec-purpose', '')} {headers.get('x-moz', '')}".lower()
    if "prefetch" in purpose or "preview" in purpose:
        return True
    return since_sent_ms is not None and since_sent_ms < TOO_SOON_MS
