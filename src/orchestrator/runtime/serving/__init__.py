"""The live embedded service: the whole product in one process on one machine.

    HTTP ─► Intake ─ one thread, one batch at a time ─► Turns ─► one commit ─► answers, lanes, receipts
                        timers of the wall clock ──────────┘

Owns the order of a commit, group commit, the wall clock's timers, and journeys read anew while it runs. Must never
speak HTTP: `web` does. An event is answered for only when it is durable, together with all it led to.
"""

from orchestrator.runtime.serving.intake import Intake
from orchestrator.runtime.serving.service import Service

__all__ = ["Intake", "Service"]
