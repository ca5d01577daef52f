"""The noes of people who were erased, as one partition remembers them, under the operator's key.

A no has to hold for whoever comes back under the same address, and nobody knows in which partition that will be: so
every partition keeps all of them, each in its own changelog, and whichever erases somebody tells the others. That is a
keyed hash and a few words an address, and few people object and are erased.
Owns what is kept of them, and its bytes. Must never hold an address, nor a name of whoever said no.
"""

import logging
from collections.abc import Mapping
from functools import partial

import msgspec

from orchestrator.model.catalog import Recall
from orchestrator.model.event import Event
from orchestrator.model.identity import Identity
from orchestrator.model.rights import Objection, objection_hashes
from orchestrator.runtime.kafka.state import beside, content_of
from orchestrator.runtime.objections import by_hash, by_link, recalled, together

log = logging.getLogger(__name__)

# In front of a hash, as its key among the profiles; no profile's id looks like it.
PLACE = "@objection/"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Objection]).decode


class Objections:
    """What one partition remembers. Of several `keys` the first is used for what is new, all to find what is known."""

    def __init__(self, keys: tuple[str, ...] = ()) -> None:
        self.known: dict[str, list[Objection]] = {}
        self.identity = Identity()
        self._keys = keys

    def restore(self, place: str, record: bytes) -> None:
        """Take up a record that the changelog holds."""
        self.known[place.removeprefix(PLACE)] = _decode(content_of(record))

    def recall(self, identity: Identity) -> Recall:
        """Give what the engine asks of an address that a journey writes, read by a project's rules."""
        self.identity = identity
        return partial(recalled, self)

    def hashes_of(self, address: str) -> list[str]:
        """Hash an address in every way in which it may be kept, under every key that is in use."""
        return [found for key in self._keys for found in objection_hashes(key, address, self.identity)]

    def said(self, found: str) -> list[Objection]:
        """Give the noes of an address by its hash."""
        return self.known[found]

    def hashed(self, noes: Mapping[str, list[Objection]]) -> dict[str, bytes]:
        """Write noes by address as they are told to other partitions: by the place where each keeps them."""
        if noes and not self._keys:
            log.warning(
                "somebody who had objected was erased, and nobody will know that they did: "
                "set ORCHESTRATOR_OBJECTION_KEY, the same for all workers"
            )
            return {}
        return {PLACE + found: _encode(said) for found, said in by_hash(self, noes).items()}

    def by_link(self, event: Event) -> dict[str, bytes]:
        """Write the no of whoever left by a link as it is told to other partitions, where it says of which address."""
        said = by_link(event)
        return {} if said is None else {PLACE + said[0]: _encode([said[1]])}

    def keep(self, place: str, told: bytes) -> bytes:
        """Remember what was told, and give the record that the changelog is to hold."""
        found = place.removeprefix(PLACE)
        self.known[found] = together(self.known.get(found, []), _decode(told))
        return beside(_encode(self.known[found]))
