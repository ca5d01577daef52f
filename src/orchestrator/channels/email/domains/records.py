"""Records: what is published about a sender's domain, judged.

    fine      as it should be
    warning   it works, and could be better
    problem   mailbox providers will distrust mails, or refuse them
    unknown   DNS could not be asked

Owns the judgement of SPF (RFC 7208), DKIM (RFC 6376, 8301) and DMARC (RFC 7489) records as texts, and the words of what
to publish. Pure. Must never say that a record is fine which a mailbox provider could not read.
"""

import base64
import ipaddress
import re
from binascii import Error as BinasciiError
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

Level = Literal["fine", "warning", "problem", "unknown"]
# What SPF lets a receiver look up for one mail (RFC 7208, 4.6.4).
MOST_LOOKUPS = 10
LEAST_RSA_BITS, GOOD_RSA_BITS = 1024, 2048
# What the large relays ask to be included as, by the end of the name of their servers.
_RELAYS = {
    "amazonaws.com": "amazonses.com",
    "brevo.com": "spf.brevo.com",
    "gmail.com": "_spf.google.com",
    "google.com": "_spf.google.com",
    "mailgun.org": "mailgun.org",
    "mailjet.com": "spf.mailjet.com",
    "mandrillapp.com": "spf.mandrillapp.com",
    "office365.com": "spf.protection.outlook.com",
    "outlook.com": "spf.protection.outlook.com",
    "postmarkapp.com": "spf.mtasv.net",
    "sendgrid.net": "sendgrid.net",
    "sparkpostmail.com": "sparkpostmail.com",
}
_MECHANISM = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?::([^/\s]+))?((?:/[0-9/]+)?)", re.IGNORECASE)
_MODIFIER = re.compile(r"[a-z][a-z0-9_.-]*=\S*", re.IGNORECASE)
_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*(.*?)\s*", re.DOTALL)
_POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one record. `publish` is what to put where, None where nothing has to be."""

    record: Literal["SPF", "DKIM", "DMARC"]
    level: Level
    found: str
    publish: str | None = None


def include_of(relay: str) -> str | None:
    """Name what a relay asks to be included as; None for one that we do not know."""
    return next((name for end, name in _RELAYS.items() if relay == end or relay.endswith(f".{end}")), None)


def spf_in(texts: Sequence[str]) -> list[str]:
    """Find the SPF records among a name's texts."""
    return [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def lookups_in(record: str) -> list[str]:
    """List the terms of a record that cost a receiver a look-up; those that lead to another record with its name."""
    found = []
    for term in record.split()[1:]:
        mechanism = _MECHANISM.fullmatch(term)
        if mechanism is not None and mechanism[2].lower() in ("include", "a", "mx", "ptr", "exists"):
            found.append(f"include:{mechanism[3]}" if mechanism[2].lower() == "include" else mechanism[2].lower())
        elif term.lower().startswith("redirect="):
            found.append(f"include:{term.partition('=')[2]}")
    return found


def spf(domain: str, texts: Sequence[str], relay: str, lookups: Sequence[str]) -> Verdict:
    """Judge the SPF record of a domain whose mails leave by `relay`; `lookups` are all that it costs, includes too."""
    found = spf_in(texts)
    named = include_of(relay)
    # A server without a dot in its name, or without a name, is our own, and stands for what the domain says of itself.
    term = f"include:{named}" if named else f"a:{relay}" if re.search(r"\.[a-z]", relay) else "mx"
    wanted = f'{domain} TXT "v=spf1 {term} -all"'
    if not found:
        return Verdict("SPF", "problem", "no record says which servers may send", wanted)
    if len(found) > 1:
        terms = [each for record in found for each in record.split()[1:] if not each.lower().endswith("all")]
        merged = " ".join(dict.fromkeys([*terms, "-all"]))
        why = f"{len(found)} records, of which receivers take none; there may be one"
        return Verdict("SPF", "problem", why, f'{domain} TXT "v=spf1 {merged}"')
    [record] = found
    terms = record.split()[1:]
    for each in terms:
        wrong = _wrong_term(each)
        if wrong is not None:
            return Verdict("SPF", "problem", f"{wrong}: receivers take none of it", wanted)
    if len(lookups) > MOST_LOOKUPS:
        why = f"it takes {len(lookups)} look-ups, and receivers make {MOST_LOOKUPS}: it is void"
        return Verdict("SPF", "problem", why, "the same with fewer include:, a and mx; ip4: and ip6: cost nothing")
    return _spf_that_reads(domain, terms, relay, term, lookups)


def _spf_that_reads(domain: str, terms: list[str], relay: str, term: str, lookups: Sequence[str]) -> Verdict:
    ends = [each.lower() for each in terms if each.lower().endswith("all") and len(each) <= len("-all")]
    others = [each for each in terms if each.lower() not in ends]
    better = f'{domain} TXT "v=spf1 {" ".join([*others, "-all"])}"'
    if any(each in ("all", "+all") for each in ends):
        return Verdict("SPF", "problem", "+all lets everybody send in this name", better)
    if not ends and not any(each.lower().startswith("redirect=") for each in terms):
        return Verdict("SPF", "warning", "it does not end in -all, so that others may send too", better)
    if "?all" in ends:
        return Verdict("SPF", "warning", "?all says nothing about others", better)
    if include_of(relay) is not None and term not in lookups:
        with_relay = f'{domain} TXT "v=spf1 {" ".join([term, *others, "-all"])}"'
        return Verdict("SPF", "warning", f"nothing in it lets {relay} send", with_relay)
    return Verdict("SPF", "fine", f"v=spf1 {' '.join(terms)}")


def _wrong_term(term: str) -> str | None:
    """Say what is wrong with a term of SPF; None when nothing is."""
    found = _MECHANISM.fullmatch(term)
    if found is None:
        return None if _MODIFIER.fullmatch(term) else f"{term!r} is no term of SPF"
    kind, value = found[2].lower(), found[3]
    if kind in ("include", "exists") and not value:
        return f"{term!r} names no domain"
    if kind not in ("ip4", "ip6"):
        return f"{term!r} takes nothing behind it" if kind == "all" and (value or found[4]) else None
    try:
        network = ipaddress.ip_network(f"{_value_of(term)}", strict=False)
    except ValueError:
        return f"{term!r} is no address"
    return None if network.version == int(kind[2]) else f"{term!r} is an address of the other kind"


def _value_of(term: str) -> str:
    return term.partition(":")[2]


def tags_of(record: str) -> dict[str, str] | None:
    """Read tag=value; tag=value as DKIM and DMARC write it; None for what is not that, or says a tag twice."""
    tags: dict[str, str] = {}
    for part in record.split(";"):
        if not part.strip():
            continue
        found = _TAG.fullmatch(part)
        if found is None or found[1] in tags:
            return None
        tags[found[1]] = found[2]
    return tags


def dkim(domain: str, texts_by_selector: dict[str, Sequence[str]], *, named: bool) -> Verdict:
    """Judge the keys that were found under selectors; `named` when the operator said which they are."""
    published = {selector: texts for selector, texts in texts_by_selector.items() if texts}
    wanted = f'SELECTOR._domainkey.{domain} TXT "v=DKIM1; k=rsa; p=…", with the key that your relay gives you'
    if not published:
        tried = ", ".join(texts_by_selector)
        if named:
            return Verdict("DKIM", "problem", f"no key under {tried}", wanted)
        hint = f"{wanted}; or name the selectors in ORCHESTRATOR_DKIM_SELECTORS"
        return Verdict("DKIM", "warning", f"no key under the usual selectors ({tried})", hint)
    verdicts = [_key(domain, selector, texts) for selector, texts in published.items()]
    missing = [selector for selector in texts_by_selector if selector not in published] if named else []
    if missing:
        return Verdict("DKIM", "problem", f"no key under {', '.join(missing)}", wanted)
    # One good key is enough where they were guessed: a relay leaves old ones behind.
    order = {"fine": 0, "warning": 1, "problem": 2}
    return (max if named else min)(verdicts, key=lambda each: order[each.level])


def _key(domain: str, selector: str, texts: Sequence[str]) -> Verdict:
    where = f"{selector}._domainkey.{domain}"
    again = f"{where} anew, as your relay gives it"
    if len(texts) > 1:
        return Verdict("DKIM", "problem", f"{where} has {len(texts)} records; there may be one", again)
    tags = tags_of(texts[0])
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return Verdict("DKIM", "problem", f"{where} cannot be read", again)
    if not tags["p"]:
        return Verdict("DKIM", "problem", f"{where} says that its key was withdrawn", again)
    bits = _bits(tags.get("k", "rsa"), "".join(tags["p"].split()))
    if bits is None:
        return Verdict("DKIM", "problem", f"the key of {where} is none", again)
    if 0 < bits < LEAST_RSA_BITS:
        return Verdict("DKIM", "problem", f"the key of {where} has {bits} bits; below 1024 nobody takes it", again)
    if "y" in tags.get("t", "").split(":"):
        return Verdict("DKIM", "warning", f"{where} says that it is only tried out (t=y)", f"{where} without t=y")
    if 0 < bits < GOOD_RSA_BITS:
        return Verdict("DKIM", "warning", f"the key of {where} has {bits} bits", f"{where} with a key of 2048 bits")
    return Verdict("DKIM", "fine", f"{where}: {tags.get('k', 'rsa')}{f', {bits} bits' if bits else ''}")


def _bits(kind: str, key: str) -> int | None:
    """Give the length of an RSA key, 0 for Ed25519 (which has one length); None for what is no key."""
    try:
        raw = base64.b64decode(key, validate=True)
        if kind == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(raw)
            return 0
        found = load_der_public_key(raw)
    except (BinasciiError, ValueError, UnsupportedAlgorithm):
        return None
    return found.key_size if isinstance(found, rsa.RSAPublicKey) else None


def dmarc_in(texts: Sequence[str]) -> list[str]:
    """Find the DMARC records among a name's texts."""
    return [text for text in texts if text.split(";")[0].replace(" ", "").upper() == "V=DMARC1"]


def dmarc(domain: str, texts: Sequence[str]) -> Verdict:
    """Judge the DMARC record that holds for a domain."""
    where = f"_dmarc.{domain} TXT"
    wanted = f'{where} "v=DMARC1; p=none; rua=mailto:dmarc@{domain}", and p=quarantine once the reports are clean'
    found = dmarc_in(texts)
    if not found:
        return Verdict("DMARC", "problem", "no record; large mailbox providers ask senders for one", wanted)
    if len(found) > 1:
        return Verdict(
            "DMARC", "problem", f"{len(found)} records, of which receivers take none; there may be one", wanted
        )
    tags = tags_of(found[0])
    policy = "" if tags is None else tags.get("p", "").lower()
    if tags is None or policy not in _POLICIES:
        why = "the record cannot be read" if tags is None else f"p={policy or '…'} is not none, quarantine or reject"
        return Verdict("DMARC", "problem", why, wanted)
    stricter = f'{where} "v=DMARC1; p=quarantine; rua={tags.get("rua") or f"mailto:dmarc@{domain}"}"'
    if policy == "none":
        return Verdict("DMARC", "warning", "p=none only watches: who writes in this name gets through", stricter)
    if not tags.get("rua"):
        return Verdict("DMARC", "warning", "no rua, so that nobody hears who writes in this name", stricter)
    if tags.get("pct", "100") != "100":
        return Verdict("DMARC", "warning", f"it holds for {tags['pct']} % of mails only", stricter)
    return Verdict("DMARC", "fine", found[0])
