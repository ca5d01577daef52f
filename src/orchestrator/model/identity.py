"""Identity: which values name a customer, written one way, and the names that they are known by.

Owns the project's rules about identifiers (their kinds, the strongest first; values that name nobody; how many one
customer may have), and the one way each kind is written: an e-mail address in lower case, a phone number in E.164.
Must never guess: a value that cannot be read names nobody, and two that differ are two.

A **name** is what an identifier is known by everywhere but on its own profile: the hash of its kind and value
(`ids.profile_id_of`). It holds nothing personal in the clear, and is the profile's id where the identifier is the
strongest that a customer has.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from orchestrator.model import ids

CUSTOMER_ID = "customer_id"
EMAIL = "email"
PHONE = "phone"
# The Segment spec's name for what a visitor was called before: another value of the same kind.
_ALSO = {"previous_id": "anonymous_id"}
# Beyond this a value is no name but a mistake of whoever sent it.
LONGEST_VALUE = 512
_FEWEST_DIGITS = 6
# What nobody sees around an address that was copied from somewhere.
_AROUND = re.compile(r"\A[\s\u200b\u2060\ufeff]+|[\s\u200b\u2060\ufeff]+\Z")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
# A local number, as people write one; a country that is told has to be one.
_LOCAL = re.compile(r"[\d\s().\-/]+")


class Identifier(NamedTuple):
    """One identifier of an event: its kind, the value as it is kept, and its name."""

    kind: str
    value: str
    name: str


class Unnamed(NamedTuple):
    """A value that names nobody, and why: `never` (the project says so) or `unusable` (it cannot be read)."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The rules of one project. `kinds` are those that link, the strongest first.

    `limit` bounds the identifiers of one customer, `limits` those of one kind. `region` is where phone numbers
    without a country code are from. `ignores_dots` makes a.na@ and ana@ one address.
    """

    kinds: tuple[str, ...] = (CUSTOMER_ID,)
    never: Mapping[str, frozenset[str]] = field(default_factory=dict)
    limit: int = 50
    limits: Mapping[str, int] = field(default_factory=lambda: {CUSTOMER_ID: 1})
    region: str | None = None
    ignores_dots: bool = False

    @property
    def is_direct(self) -> bool:
        """Whether a customer id alone always leads to its own profile, so that nothing has to be looked up."""
        is_strongest = self.kinds[:1] == (CUSTOMER_ID,) and self.limits.get(CUSTOMER_ID) == 1
        return is_strongest and CUSTOMER_ID not in self.never

    @property
    def links(self) -> bool:
        """Whether there is anything to link: more than one kind."""
        return len(self.kinds) > 1

    def rank(self, kind: str) -> int:
        """Give a kind's place among the others, 0 for the strongest; those that do not link come last."""
        return self.kinds.index(kind) if kind in self.kinds else len(self.kinds)

    def read(self, kind: str, value: str) -> Identifier | Unnamed:
        """Read one identifier, or say why it names nobody."""
        kind = _ALSO.get(kind, kind)
        kept = kept_form(kind, value, self.region)
        never = self.never.get(kind)
        if never and never.intersection(compared(kind, value, self.region, ignores_dots=self.ignores_dots)):
            return Unnamed(kind, "never")
        if kept is None:
            return Unnamed(kind, "unusable")
        return Identifier(kind, kept, self.name_of(kind, kept))

    def name_of(self, kind: str, kept: str) -> str:
        """Name an identifier whose value is written as it is kept."""
        return ids.profile_id_of(kind, without_dots(kept) if kind == EMAIL and self.ignores_dots else kept)

    def read_all(self, customer_id: str | None, identifiers: Mapping[str, str]) -> list[Identifier | Unnamed]:
        """Read all identifiers of an event, the strongest first; of one kind, in the event's order."""
        pairs = [] if customer_id is None else [(CUSTOMER_ID, customer_id)]
        found = [self.read(kind, value) for kind, value in (*pairs, *identifiers.items())]
        return sorted(found, key=lambda each: (self.rank(each.kind), each.kind))

    def names_of(self, customer_id: str | None, identifiers: Mapping[str, Iterable[str]]) -> dict[str, str]:
        """Name everything that a profile keeps: name to kind."""
        names = {} if customer_id is None else {self.name_of(CUSTOMER_ID, customer_id): CUSTOMER_ID}
        for kind, values in identifiers.items():
            names |= {self.name_of(kind, value): kind for value in values}
        return names


def compared(kind: str, value: str, region: str | None, *, ignores_dots: bool) -> set[str]:
    """Write a value in each way in which it may be one that names nobody: as it came, as it is kept, as it is named."""
    kept = kept_form(kind, value, region)
    forms = {value.strip(), *([] if kept is None else [kept])}
    if kept is not None and kind == EMAIL and ignores_dots:
        forms.add(without_dots(kept))
    return {form.casefold() for form in forms}


def without_dots(kept: str) -> str:
    """Write an address as it is named where dots do not count."""
    local, _, domain = kept.rpartition("@")
    return f"{local.replace('.', '')}@{domain}"


@lru_cache(maxsize=1 << 16)
def kept_form(kind: str, value: str, region: str | None) -> str | None:
    """Write a value the one way that its kind is written; None for one that cannot be a value of this kind."""
    if not value or len(value) > LONGEST_VALUE:
        return None
    if kind == EMAIL:
        return _email(value)
    if kind == PHONE:
        return _phone(value, region)
    return value


def _email(value: str) -> str | None:
    # Case counts only in theory (RFC 5321, 2.4): no provider of today keeps Ana@ and ana@ apart. But lower case is all:
    # folding would make strasse of straße, which is somebody else's. A letter with its accent is one or two characters.
    text = _composed(_composed(_AROUND.sub("", value)).lower())
    local, at, domain = text.rpartition("@")
    return f"{local}@{_domain(domain)}" if at and local and domain and not _BLANK.search(text) else None


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _domain(domain: str) -> str:
    """Write an international domain in its own letters, however it came (RFC 5891); one that is none stays."""
    if domain.isascii() and "xn--" not in domain:
        return domain
    import idna

    try:
        return idna.decode(idna.encode(domain, uts46=True))
    except idna.IDNAError:
        return domain


def _phone(value: str, region: str | None) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        # Without a country nobody can tell what a local number is; it is the same number again if its digits are.
        digits = "".join(str(unicodedata.decimal(each)) for each in value if each.isdecimal())
        is_local = region is None and _LOCAL.fullmatch(value) is not None
        return digits if is_local and len(digits) >= _FEWEST_DIGITS else None
    # All of a company are behind one number, and a number without its area is as many people's as there are areas.
    possible = phonenumbers.ValidationResult.IS_POSSIBLE
    if number.extension or phonenumbers.is_possible_number_with_reason(number) != possible:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def regions() -> frozenset[str]:
    """List the regions that phone numbers can be from, as ISO 3166 writes them."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)
